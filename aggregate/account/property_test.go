package account_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/aggregate/account"
	"github.com/keyledger/keyledger/aggregate/policy"
	"github.com/keyledger/keyledger/events"
)

// Any commands in any order: one root that is an admin, no name twice, never more
// live gateway tokens than may be, and what is decided with the few rows that a loader
// fills in is what would be decided with all.
func TestAnySequence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := history{rows: map[events.UserID]account.User{}, tokens: map[events.GatewayTokenID]account.GatewayToken{}}
		if rapid.Bool().Draw(t, "many gateways") {
			h.manyGateways(t)
		}
		for range rapid.IntRange(1, 60).Draw(t, "commands") {
			h.live(t, anyCommand(t, h.whole))
		}
	})
}

// A history is an account and all that ever happened to it, kept in two ways.
type history struct {
	whole  account.State // with every user and gateway token
	header account.State // as a header row is folded
	rows   map[events.UserID]account.User
	tokens map[events.GatewayTokenID]account.GatewayToken
	log    []events.Event
}

// manyGateways lets the account have almost as many gateway tokens as may be.
func (h *history) manyGateways(t *rapid.T) {
	h.live(t, account.Open{Account: "123456789012", Name: "many", RootUser: "100000000000000001", RootName: "root"})
	for n := range account.MaxGatewayTokens - 2 {
		h.apply(t, events.GatewayTokenCreated{Token: tokenOf(fmt.Sprint(100 + n)), Name: "edge", Account: h.whole.ID, Hash: hash})
	}
}

func (h *history) live(t *rapid.T, c account.Command) {
	was := copied(h.whole)
	es, err := account.Decide(h.whole, c, now)
	if !reflect.DeepEqual(h.whole, was) {
		t.Fatalf("%#v changed the state it was decided on", c)
	}
	few, fewErr := account.Decide(h.loaded(c), c, now)
	if !reflect.DeepEqual(few, es) || !reflect.DeepEqual(fewErr, err) {
		t.Fatalf("%#v: with the rows loaded for it %s\nwith all %s", c, outcome(few, fewErr), outcome(es, err))
	}
	var refused *aggregate.Refusal
	if err != nil && (!errors.As(err, &refused) || len(es) > 0) {
		t.Fatalf("%#v: got %v, %v; want a refusal and no events", c, es, err)
	}
	for _, e := range throughTheLog(t, es) {
		h.apply(t, e)
	}
	again, err := account.Decide(h.whole, c, now)
	if err == nil && len(again) > 0 && !recordedEveryTime(c) {
		t.Fatalf("%#v again: got %s, want nothing or a refusal", c, outcome(again, nil))
	}
	h.check(t)
}

func recordedEveryTime(c account.Command) bool {
	switch c.(type) {
	case account.Acknowledge, account.ConfirmClock:
		return true
	}
	return false
}

// loaded is the state as a loader would fill it for c.
func (h *history) loaded(c account.Command) account.State {
	s := h.header
	s.Users = map[events.UserID]account.User{}
	v := reflect.ValueOf(c)
	if f := v.FieldByName("User"); f.IsValid() {
		if u, ok := h.rows[f.Interface().(events.UserID)]; ok {
			s.Users[u.ID] = u
		}
	}
	if f := v.FieldByName("Name"); f.IsValid() {
		for _, u := range h.rows {
			if account.FoldName(u.Name) == account.FoldName(f.String()) {
				s.Users[u.ID] = u
			}
		}
	}
	if f := v.FieldByName("Token"); f.IsValid() {
		if token, ok := h.tokens[f.Interface().(events.GatewayTokenID)]; ok {
			s.GatewayTokens = map[events.GatewayTokenID]account.GatewayToken{token.ID: token}
		}
	}
	return s
}

func (h *history) apply(t *rapid.T, e events.Event) {
	was := copied(h.whole)
	next := account.Evolve(h.whole, e)
	if !reflect.DeepEqual(h.whole, was) {
		t.Fatalf("%s changed the state it was applied to", tell(e))
	}
	h.whole, h.log = next, append(h.log, e)
	h.header = account.EvolveHeader(h.header, e)
	id := events.UserID(e.About())
	row, present := h.rows[id]
	if u, remains := account.EvolveUser(row, present, e); remains {
		h.rows[u.ID] = u
	} else {
		delete(h.rows, id)
	}
	if id, about := account.GatewayTokenOf(e); about {
		row, present := h.tokens[id]
		h.tokens[id], _ = account.EvolveGatewayToken(row, present, e)
	}
}

func (h *history) check(t *rapid.T) {
	names := map[string]events.UserID{}
	roots := 0
	for id, u := range h.whole.Users {
		if other, taken := names[strings.ToLower(u.Name)]; taken || u.ID != id {
			t.Fatalf("%s and %s are both called %s", id, other, u.Name)
		}
		names[strings.ToLower(u.Name)] = id
		if u.Kind == events.KindRoot {
			roots++
		}
		if parsed, err := account.ParseUser(account.AppendUser(nil, u)); err != nil || !reflect.DeepEqual(parsed, u) {
			t.Fatalf("parsed: %v\n%#v\nwant\n%#v", err, parsed, u)
		}
	}
	if root := h.whole.Users[h.whole.RootUser]; h.whole.Opened && (roots != 1 || root.Kind != events.KindRoot || root.Role != events.RoleAdmin) {
		t.Fatalf("%d roots; the root user is %#v", roots, root)
	}
	h.checkTokens(t)
	header := h.whole
	header.Users, header.GatewayTokens = nil, nil
	if !reflect.DeepEqual(h.header, header) || h.whole.Users != nil && !reflect.DeepEqual(h.rows, h.whole.Users) {
		t.Fatalf("folded by rows\n%#v\n%#v\nwant\n%#v", h.header, h.rows, h.whole)
	}
	if parsed, err := account.ParseState(account.AppendState(nil, h.whole)); err != nil || !reflect.DeepEqual(parsed, header) {
		t.Fatalf("parsed: %v\n%#v\nwant\n%#v", err, parsed, header)
	}
	if replayed := evolved(account.State{}, h.log); !reflect.DeepEqual(replayed, h.whole) {
		t.Fatalf("replayed\n%#v\nwant\n%#v", replayed, h.whole)
	}
}

func (h *history) checkTokens(t *rapid.T) {
	live := 0
	for id, token := range h.whole.GatewayTokens {
		if token.ID != id {
			t.Fatalf("%s stands under %s", token.ID, id)
		}
		if !token.Revoked {
			live++
		}
		if parsed, err := account.ParseGatewayToken(account.AppendGatewayToken(nil, token)); err != nil || parsed != token {
			t.Fatalf("parsed: %v\n%#v\nwant\n%#v", err, parsed, token)
		}
	}
	if live != h.whole.LiveGatewayTokens || live > account.MaxGatewayTokens {
		t.Fatalf("%d live gateway tokens, counted as %d", live, h.whole.LiveGatewayTokens)
	}
	if !maps.Equal(h.tokens, h.whole.GatewayTokens) {
		t.Fatalf("folded by rows\n%#v\nwant\n%#v", h.tokens, h.whole.GatewayTokens)
	}
	for _, e := range h.log {
		if c, ok := e.(events.GatewayTokenCreated); ok && c.Installation && !h.whole.Operator {
			t.Fatalf("a token of a tenant's serves the installation: %#v", c)
		}
	}
}

func copied(s account.State) account.State {
	s.Users = maps.Clone(s.Users)
	for id, u := range s.Users {
		u.Grants = slices.Clone(u.Grants)
		s.Users[id] = u
	}
	s.Overrides = slices.Clone(s.Overrides)
	s.GatewayTokens = maps.Clone(s.GatewayTokens)
	return s
}

// throughTheLog is the events as they are read back.
func throughTheLog(t *rapid.T, es []events.Event) []events.Event {
	if len(es) == 0 {
		return nil
	}
	d := events.Decision{
		Subject: events.AccountSubject("123456789012"),
		Meta:    events.Meta{Time: now, Actor: events.ActorTimekeeper, Request: "r"},
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

func anyCommand(t *rapid.T, s account.State) account.Command {
	user := events.UserID(fmt.Sprintf("1%017d", rapid.IntRange(1, 6).Draw(t, "user")))
	name := rapid.SampledFrom([]string{"root", "Root", "alice", "ALICE", "bob", "", "no such"}).Draw(t, "name")
	preset := rapid.SampledFrom(append(policy.Names(), "", "azure")).Draw(t, "preset")
	overrides := json.RawMessage(rapid.SampledFrom([]string{
		"", "null", "{}", ` { "quota" : { "max" : 3 } } `, `{"signature":{"schemes":["A<B"]}}`, `{"signature":{"schemes":["A-1"]}}`, `{"quota":7}`,
	}).Draw(t, "overrides"))
	role := rapid.SampledFrom([]string{events.RoleAdmin, events.RoleUser, events.RoleAuditor, "king"}).Draw(t, "role")
	kind := rapid.SampledFrom([]string{events.KindRoot, events.KindUser, events.KindCollaborator, "robot"}).Draw(t, "kind")
	open := account.Open{
		Account: "123456789012", Name: " " + name, Preset: preset, Overrides: overrides, Operator: rapid.Bool().Draw(t, "operator"),
		RootUser: user, RootName: name,
	}
	token := tokenOf(fmt.Sprint(rapid.IntRange(98, 103).Draw(t, "token")))
	if !s.Opened {
		return open
	}
	return rapid.SampledFrom([]account.Command{
		open,
		account.SetPolicy{Preset: preset, Overrides: overrides},
		account.AddUser{User: user, Name: name, Kind: kind, Role: role},
		account.AddUser{User: user, Name: name, Kind: events.KindUser, Role: events.RoleUser},
		account.RenameUser{User: user, Name: name},
		account.ChangeRole{User: user, Role: role},
		account.Grant{User: user, Grant: events.GrantManageOwnKeys},
		account.RevokeGrant{User: user, Grant: events.GrantManageOwnKeys},
		account.RemoveUser{User: user, KeyringClosed: rapid.Bool().Draw(t, "closed")},
		account.Acknowledge{Projection: "audit", Position: 1, Reason: "known"},
		account.ConfirmClock{},
		account.CreateGatewayToken{
			Token: token, Name: rapid.SampledFrom([]string{"edge", " edge ", ""}).Draw(t, "token name"), Hash: hash,
			Installation: rapid.Bool().Draw(t, "installation"),
		},
		account.CreateGatewayToken{Token: tokenOf(fmt.Sprint(rapid.IntRange(900, 999).Draw(t, "new token"))), Name: "edge", Hash: hash},
		account.RevokeGatewayToken{Token: token},
	}).Draw(t, "command")
}

// The clock that is confirmed is the one that decided.
func TestConfirmedClock(t *testing.T) {
	at := time.Now().In(time.FixedZone("elsewhere", -3*3600))
	es, err := account.Decide(account.State{Opened: true, ID: "123456789012", Operator: true}, account.ConfirmClock{}, at)
	want := []events.Event{events.ClockConfirmed{Account: "123456789012", Clock: at.UTC().Round(0)}}
	if err != nil || !reflect.DeepEqual(es, want) {
		t.Errorf("got %v, %v; want %v", es, err, want)
	}
}

func TestUnknownCommand(t *testing.T) {
	es, err := account.Decide(account.State{Opened: true}, nil, now)
	if got := outcome(es, err); got != "refused, invalid, account.command: an account does not know the command <nil>" {
		t.Errorf("got %s", got)
	}
}

// Facts about keyrings, about other users or about users who are not there change
// nothing.
func TestEvolveIgnoresTheRest(t *testing.T) {
	alice := account.User{ID: "1", Name: "alice", Kind: events.KindUser, Role: events.RoleUser}
	edge := account.GatewayToken{ID: "1", Name: "edge"}
	s := account.State{Opened: true, Users: map[events.UserID]account.User{"1": alice}, GatewayTokens: map[events.GatewayTokenID]account.GatewayToken{"1": edge}}
	for _, e := range []events.Event{
		events.KeyCreated{Key: "1"}, events.KeyDisabled{Key: "1"}, events.KeyEnabled{Key: "1"}, events.KeyDeleted{Key: "1"}, events.KeyRestored{Key: "1"},
		events.KeyPurged{Key: "1"}, events.KeyDescribed{Key: "1"}, events.KeyringClosed{User: "1"}, events.KeyringReopened{User: "1"},
		events.KeyNetworkPolicySet{Key: "1"}, events.KeyRestricted{Key: "1"}, events.KeyUnrestricted{Key: "1"},
		events.RecordAcknowledged{Projection: "1"}, events.ClockConfirmed{Account: "1"},
		events.UserRenamed{User: "2", To: "x"}, events.UserRoleChanged{User: "2", To: "x"}, events.UserGranted{User: "2", Grant: "x"},
		events.UserGrantRevoked{User: "2", Grant: "x"}, events.UserRemoved{User: "2"}, nil,
	} {
		if got := account.Evolve(s, e); !reflect.DeepEqual(got, s) {
			t.Errorf("%#v: got %#v, want %#v", e, got, s)
		}
		if got, present := account.EvolveUser(alice, true, e); !present || !reflect.DeepEqual(got, alice) {
			t.Errorf("%#v: got %#v, %v, want %#v", e, got, present, alice)
		}
		if got, present := account.EvolveUser(account.User{}, false, e); present {
			t.Errorf("%#v: got %#v out of nothing", e, got)
		}
		if got, present := account.EvolveGatewayToken(edge, true, e); !present || got != edge {
			t.Errorf("%#v: got %#v, %v, want %#v", e, got, present, edge)
		}
	}
	for _, e := range []events.Event{events.GatewayTokenCreated{Token: "1", Name: "impostor"}, events.GatewayTokenRevoked{Token: "2"}} {
		if got, present := account.EvolveGatewayToken(edge, true, e); !present || got != edge {
			t.Errorf("%#v: got %#v, %v, want %#v", e, got, present, edge)
		}
	}
	if got, present := account.EvolveGatewayToken(account.GatewayToken{}, false, events.GatewayTokenRevoked{Token: "1"}); present {
		t.Errorf("got %#v out of nothing", got)
	}
	if got, present := account.EvolveUser(alice, true, events.UserAdded{User: "1", Name: "impostor"}); !present || !reflect.DeepEqual(got, alice) {
		t.Errorf("added twice: got %#v, %v", got, present)
	}
}

// Two futures of one user do not meet in a slice they share.
func TestGrantsAreNotShared(t *testing.T) {
	u := account.User{ID: "1", Grants: append(make([]string, 0, 8), "a")}
	one, _ := account.EvolveUser(u, true, events.UserGranted{User: "1", Grant: "b"})
	two, _ := account.EvolveUser(u, true, events.UserGranted{User: "1", Grant: "c"})
	none, _ := account.EvolveUser(one, true, events.UserGrantRevoked{User: "1", Grant: "a"})
	got := fmt.Sprint(u.Grants, one.Grants, two.Grants, none.Grants)
	if want := "[a] [a b] [a c] [b]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
