package keyring_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/aggregate/keyring"
	"github.com/keyledger/keyledger/aggregate/policy"
	"github.com/keyledger/keyledger/events"
)

// Any commands in any order, under any policies that come and go, at any times:
// the rules hold after every single event.
func TestAnySequence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := history{policy: anyPolicy(t), kind: anyKind(t), now: began, purged: map[events.AccessKeyID]bool{}}
		for range rapid.IntRange(1, 60).Draw(t, "commands") {
			if rapid.IntRange(0, 9).Draw(t, "policy changes") == 0 {
				h.policy = anyPolicy(t)
			}
			h.now = h.now.Add(anyPause(t))
			h.live(t, h.anyCommand(t))
		}
		h.replay(t)
	})
}

// A history is a keyring and all that ever happened to it.
type history struct {
	ring   keyring.State
	log    []events.Event
	purged map[events.AccessKeyID]bool
	drawn  int // keys, so that each is new
	policy events.Policy
	kind   string
	now    time.Time
}

// live carries out a command, and holds what comes of it to the rules.
func (h *history) live(t *rapid.T, c keyring.Command) {
	was := copied(h.ring)
	es, err := keyring.Decide(h.ring, c, h.now)
	if !reflect.DeepEqual(h.ring, was) {
		t.Fatalf("%#v changed the state it was decided on", c)
	}
	if err != nil {
		h.refused(t, c, es, err)
		return
	}
	inBin := h.ring.Count(keyring.Deleted)
	for _, e := range throughTheLog(t, es) {
		h.apply(t, c, e, inBin)
	}
	again, err := keyring.Decide(h.ring, c, h.now)
	if err == nil && len(again) > 0 {
		t.Fatalf("%#v again: got %s, want nothing or a refusal", c, outcome(again, nil))
	}
	parsed, err := keyring.ParseState(keyring.AppendState(nil, h.ring))
	if err != nil || !reflect.DeepEqual(parsed, h.ring) {
		t.Fatalf("parsed: %v\n%#v\nwant\n%#v", err, parsed, h.ring)
	}
}

func (h *history) refused(t *rapid.T, c keyring.Command, es []events.Event, err error) {
	var refused *aggregate.Refusal
	if !errors.As(err, &refused) || len(es) > 0 {
		t.Fatalf("%#v: got %v, %v; want a refusal and no events", c, es, err)
	}
	if refused.Kind == "" || refused.Rule == "" || refused.Detail == "" {
		t.Fatalf("%#v: got %#v; want a kind, a rule and a sentence", c, refused)
	}
	if k, ok := h.ring.Key(keyIn(c)); ok {
		if _, restricting := c.(keyring.Restrict); restricting {
			t.Fatalf("restricting %v is refused: %v", k, err)
		}
	}
	_, disabling := c.(keyring.Disable)
	if k, ok := h.ring.Key(keyIn(c)); disabling && ok && k.Status != keyring.Deleted {
		t.Fatalf("disabling %v is refused: %v", k, err)
	}
}

// apply is one event further. Bounds hold between the events of a decision too.
// inBin is how many keys were in the bin before the decision.
func (h *history) apply(t *rapid.T, c keyring.Command, e events.Event, inBin int) {
	was := copied(h.ring)
	next := keyring.Evolve(h.ring, e)
	if !reflect.DeepEqual(h.ring, was) {
		t.Fatalf("%s changed the state it was applied to", tell(e))
	}
	if n := counted(next, h.policy); n > max(counted(was, h.policy), h.policy.Quota.Max) {
		t.Fatalf("%#v: %s raises the count to %d of %d", c, tell(e), n, h.policy.Quota.Max)
	}
	bin, capacity := next.Count(keyring.Deleted), h.policy.Recycle.MaxPerUser
	// A key that passes through the bin on its way out is no key in the bin.
	if deleted, ok := e.(events.KeyDeleted); ok && capacity > 0 && deleted.PurgeAt.After(h.now) && bin > max(inBin, capacity) {
		t.Fatalf("%#v: %s raises the bin to %d of %d", c, tell(e), bin, capacity)
	}
	if purged, ok := e.(events.KeyPurged); ok {
		h.purged[purged.Key] = true
	}
	if next.Closed && len(next.Keys) > 0 {
		t.Fatalf("%#v: %s leaves keys in a closed keyring", c, tell(e))
	}
	for _, k := range next.Keys {
		if h.purged[k.ID] {
			t.Fatalf("%#v: %s brings back %s, which was purged", c, tell(e), k.ID)
		}
		if (k.Status == keyring.Deleted) != (k.Binned > 0) || (k.Status == keyring.Deleted) == k.PurgeAt.IsZero() {
			t.Fatalf("%#v: %s leaves %#v", c, tell(e), k)
		}
	}
	for _, k := range was.Keys {
		_, restricted := e.(events.KeyRestricted)
		_, unrestricted := e.(events.KeyUnrestricted)
		if after, ok := next.Key(k.ID); ok && after.Restricted != k.Restricted && !restricted && !unrestricted {
			t.Fatalf("%#v: %s changes the restriction of %s", c, tell(e), k.ID)
		}
	}
	h.ring, h.log = next, append(h.log, e)
}

func counted(s keyring.State, p events.Policy) int {
	if p.Quota.Counts == policy.CountActive {
		return s.Count(keyring.Active)
	}
	return s.Count(keyring.Active, keyring.Disabled)
}

// replay folds the log from the beginning.
func (h *history) replay(t *rapid.T) {
	var replayed keyring.State
	for _, e := range h.log {
		replayed = keyring.Evolve(replayed, e)
	}
	if !reflect.DeepEqual(replayed, h.ring) {
		t.Fatalf("replayed\n%#v\nwant\n%#v", replayed, h.ring)
	}
}

// throughTheLog is the events as they are read back.
func throughTheLog(t *rapid.T, es []events.Event) []events.Event {
	if len(es) == 0 {
		return nil
	}
	d := events.Decision{
		Subject: events.KeyringSubject("123456789012", user),
		Meta:    events.Meta{Time: began, Actor: events.ActorTimekeeper, Request: "r"},
	}
	for _, e := range es {
		d.Events = append(d.Events, events.Recorded{ID: "e", Event: e})
	}
	data, err := events.Encode(d)
	if err != nil {
		t.Fatal(err)
	}
	r, err := events.Decode(events.Message{Subject: d.Subject.String(), Data: data})
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.Events {
		es[i] = r.Events[i].Event
	}
	return es
}

func copied(s keyring.State) keyring.State {
	s.Keys = slices.Clone(s.Keys)
	return s
}

func keyIn(c keyring.Command) events.AccessKeyID {
	if f := reflect.ValueOf(c).FieldByName("Key"); f.IsValid() {
		return f.Interface().(events.AccessKeyID)
	}
	return ""
}

func anyPolicy(t *rapid.T) events.Policy {
	p := rapid.SampledFrom(policy.Presets()).Draw(t, "preset").Policy
	if rapid.Bool().Draw(t, "as it is") {
		return p
	}
	p.Quota.Max = rapid.IntRange(1, 4).Draw(t, "quota")
	p.Quota.Counts = rapid.SampledFrom([]string{policy.CountActive, policy.CountActiveAndDisabled}).Draw(t, "counts")
	p.Recycle.RetentionSeconds = rapid.SampledFrom([]int64{0, 1, 3600, 86400, policy.MaxSeconds}).Draw(t, "retention")
	p.Recycle.MaxPerUser = rapid.IntRange(0, 3).Draw(t, "bin")
	p.Recycle.Overflow = rapid.SampledFrom([]string{policy.OverflowPurgeOldest, policy.OverflowRefuse}).Draw(t, "overflow")
	p.Recycle.AppliesToRoot = rapid.Bool().Draw(t, "bin for root")
	p.Delete.RequiresDisabled = rapid.Bool().Draw(t, "requires disabled")
	p.Delete.MinIdleSeconds = rapid.SampledFrom([]int64{0, 60, 604800, policy.MaxSeconds}).Draw(t, "min idle")
	p.Delete.MinIdleMode = rapid.SampledFrom([]string{policy.IdleWarn, policy.IdleBlock}).Draw(t, "idle mode")
	p.Leak.Unrestrict = rapid.SampledFrom([]string{policy.UnrestrictAdmin, policy.UnrestrictNever}).Draw(t, "unrestrict")
	p.Root.Create = rapid.SampledFrom([]string{policy.RootAllow, policy.RootWarn, policy.RootDeny}).Draw(t, "root")
	return p
}

func anyKind(t *rapid.T) string {
	return rapid.SampledFrom([]string{events.KindRoot, events.KindUser, events.KindCollaborator}).Draw(t, "kind")
}

func anyPause(t *rapid.T) time.Duration {
	return time.Duration(rapid.SampledFrom([]int64{0, 1, 59e9, 3600e9, 86400e9, 40 * 86400e9}).Draw(t, "pause"))
}

// anyCommand is about keys that are there, keys that were, and keys that never
// will be. A key is created under a new ID, as the ledger draws them, or under one that
// is there.
func (h *history) anyCommand(t *rapid.T) keyring.Command {
	h.drawn++
	fresh := events.AccessKeyID(fmt.Sprintf("KEY%d", h.drawn))
	known := []events.AccessKeyID{"NEVER"}
	for id := range h.purged {
		known = append(known, id)
	}
	slices.Sort(known)
	for range 4 { // those that are there are of more interest
		for _, k := range h.ring.Keys {
			known = append(known, k.ID)
		}
	}
	key := rapid.SampledFrom(known).Draw(t, "key")
	sealed := events.Sealed{Layout: 1, Version: 1, Ciphertext: []byte("c"), WrappedKey: []byte("w")}
	commands := []keyring.Command{
		keyring.Create{Key: fresh, Cause: events.CauseRequested, Sealed: sealed, Policy: h.policy, OwnerKind: h.kind, Description: "new"},
		keyring.Create{Key: fresh, Cause: events.CauseImported, Sealed: sealed, Policy: h.policy, OwnerKind: h.kind, Disabled: true},
		keyring.Create{Key: fresh, Cause: events.CauseOpening, Sealed: sealed, Policy: h.policy, OwnerKind: h.kind},
		keyring.Recover{Key: fresh, Sealed: sealed, Policy: h.policy},
		keyring.Disable{Key: key, Reason: "any"},
		keyring.Enable{Key: key, Policy: h.policy},
		keyring.Delete{Key: key, Policy: h.policy, OwnerKind: h.kind, LastUsed: h.anyUse(t)},
		keyring.Delete{Key: key, Policy: h.policy, OwnerKind: h.kind},
		keyring.Restore{Key: key, Policy: h.policy},
		keyring.Purge{Key: key, Cause: events.CauseRequested},
		keyring.Purge{Key: key, Cause: events.CauseRetention},
		keyring.Describe{Key: key, Description: rapid.StringN(0, 5, -1).Draw(t, "description")},
		keyring.SetNetworkPolicy{Key: key, Network: rapid.SampledFrom(networks).Draw(t, "network")},
		keyring.Restrict{Key: key, Reason: "any", FoundIn: "anywhere"},
		keyring.Unrestrict{Key: key, Policy: h.policy},
		keyring.Update{Key: key, Policy: h.policy, Active: maybe(t, rapid.Bool(), "active"), Description: maybe(t, rapid.StringN(0, 5, -1), "description")},
		keyring.Close{User: user},
		keyring.Reopen{User: user},
	}
	if k, ok := h.ring.Key(key); ok {
		commands = append(commands, keyring.Create{Key: k.ID, Cause: events.CauseRequested, Policy: h.policy, OwnerKind: h.kind})
	}
	return rapid.SampledFrom(commands).Draw(t, "command")
}

// maybe is a value, or none.
func maybe[T any](t *rapid.T, g *rapid.Generator[T], label string) *T {
	if !rapid.Bool().Draw(t, label+" given") {
		return nil
	}
	v := g.Draw(t, label)
	return &v
}

// anyUse is when a key was last used: before now, or after it by another clock.
func (h *history) anyUse(t *rapid.T) time.Time {
	zone := time.FixedZone("elsewhere", 9*3600)
	return h.now.Add(-anyPause(t)).Add(rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(t, "ahead")).In(zone)
}

// The time may come in with a zone and a monotonic part; what is decided is what
// will be read back.
func TestTimeIsAsItIsReadBack(t *testing.T) {
	p, err := policy.Effective("alibaba", nil)
	if err != nil {
		t.Fatal(err)
	}
	s := keyring.Evolve(keyring.State{}, events.KeyCreated{Key: "A"})
	s = keyring.Evolve(s, events.KeyDisabled{Key: "A"})
	now := time.Now().In(time.FixedZone("elsewhere", -3*3600))
	es, err := keyring.Decide(s, keyring.Delete{Key: "A", Policy: p, OwnerKind: events.KindUser}, now)
	want := []events.Event{events.KeyDeleted{Key: "A", PurgeAt: now.Add(30 * 24 * time.Hour).UTC().Round(0)}}
	if err != nil || !reflect.DeepEqual(es, want) {
		t.Errorf("got %v, %v; want %v", es, err, want)
	}
}

// What the ledger itself would get wrong is refused, not guessed.
func TestCommandsAreWhole(t *testing.T) {
	p, err := policy.Effective("strict", nil)
	if err != nil {
		t.Fatal(err)
	}
	s := keyring.Evolve(keyring.State{}, events.KeyCreated{Key: "A"})
	for _, test := range []struct {
		rule    string
		command keyring.Command
	}{
		{"keyring.command", nil},
		{"policy.missing", keyring.Create{Key: "B", Cause: events.CauseRequested, OwnerKind: events.KindUser}},
		{"policy.missing", keyring.Enable{Key: "A"}},
		{"policy.missing", keyring.Delete{Key: "A", OwnerKind: events.KindUser}},
		{"policy.missing", keyring.Restore{Key: "A"}},
		{"policy.missing", keyring.Recover{Key: "B"}},
		{"policy.missing", keyring.Unrestrict{Key: "A"}},
		{"user.kind", keyring.Create{Key: "B", Cause: events.CauseRequested, Policy: p}},
		{"user.kind", keyring.Delete{Key: "A", Policy: p, OwnerKind: "administrator"}},
		{"user.id", keyring.Close{}},
		{"user.id", keyring.Reopen{User: "alice"}},
		{"create.cause", keyring.Create{Key: "B", Policy: p, OwnerKind: events.KindUser}},
		{"purge.cause", keyring.Purge{Key: "A"}},
	} {
		es, err := keyring.Decide(s, test.command, began)
		var refused *aggregate.Refusal
		if !errors.As(err, &refused) || refused.Kind != aggregate.Invalid || refused.Rule != test.rule || es != nil {
			t.Errorf("%#v: got %v, %v; want the refusal %s", test.command, es, err, test.rule)
		}
	}
}

// Facts of other aggregates, and facts about keys that are not there, change
// nothing.
func TestEvolveIgnoresTheRest(t *testing.T) {
	s := keyring.Evolve(keyring.State{}, events.KeyCreated{Key: "A", Description: "first"})
	for _, e := range []events.Event{
		events.AccountOpened{}, events.PolicyChanged{}, events.UserAdded{}, events.UserRenamed{}, events.UserRoleChanged{},
		events.UserGranted{}, events.UserGrantRevoked{}, events.UserRemoved{}, events.RecordAcknowledged{}, events.ClockConfirmed{},
		events.AccountNetworkPolicySet{}, events.KeyNetworkPolicySet{Key: "B", NetworkPolicy: networks[0]},
		events.KeyRestricted{Key: "B"}, events.KeyUnrestricted{Key: "B"},
		events.KeyDisabled{Key: "B"}, events.KeyEnabled{Key: "B"}, events.KeyDeleted{Key: "B"}, events.KeyRestored{Key: "B"},
		events.KeyPurged{Key: "B"}, events.KeyDescribed{Key: "B"}, events.KeyCreated{Key: "A", Description: "second"}, nil,
	} {
		if got := keyring.Evolve(s, e); !reflect.DeepEqual(got, s) {
			t.Errorf("%#v: got %#v, want %#v", e, got, s)
		}
	}
}

// networks are some network policies, the last of which cannot be.
var networks = []events.NetworkPolicy{
	{Status: events.NetworkActive, Statements: []events.NetworkStatement{{Type: events.NetworkAddress, Addresses: []string{"192.0.2.0/24"}}}},
	{Status: events.NetworkInactive},
	{Status: events.NetworkActive},
}
