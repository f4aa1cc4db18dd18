package keys_test

import (
	"cmp"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/keys"
	"github.com/keyledger/keyledger/projections/projtest"
)

func TestPromises(t *testing.T) {
	projtest.Run(t, func() []projections.Part { return projtest.Critical(keys.New()) }, projtest.NewHistory(2).Messages(800))
}

// model is what the keys must be, told in another way: as the last word of
// every event about each.
func model(story []events.Message) (map[events.AccessKeyID]keys.Key, map[events.AccessKeyID]events.Sealed) {
	known, sealed := map[events.AccessKeyID]keys.Key{}, map[events.AccessKeyID]events.Sealed{}
	for _, r := range projtest.Records(story) {
		for _, e := range r.Events {
			if !strings.HasPrefix(e.Event.Kind(), "key.") {
				continue
			}
			id := events.AccessKeyID(e.Event.About())
			k := known[id]
			k.ID, k.Account, k.User, k.Last = id, r.Subject.Account, r.Subject.User, r.Position
			switch e.Event.(type) {
			case events.KeyDescribed, events.KeyNetworkPolicySet, events.KeyRestricted, events.KeyUnrestricted:
			default:
				k.ChangedAt = r.Meta.Time
			}
			switch e := e.Event.(type) {
			case events.KeyCreated:
				k.Status, k.Description, k.Cause, k.CreatedAt, k.Created = "active", e.Description, e.Cause, r.Meta.Time, r.Position
				sealed[id] = e.Sealed
			case events.KeyDisabled:
				k.Status, k.Reason = "disabled", e.Reason
			case events.KeyEnabled:
				k.Status, k.Reason = "active", ""
			case events.KeyDeleted:
				k.Status, k.DeletedAt, k.PurgeAt = "deleted", r.Meta.Time, e.PurgeAt
			case events.KeyRestored:
				k.Status, k.Reason, k.DeletedAt, k.PurgeAt = "disabled", "", time.Time{}, time.Time{}
			case events.KeyPurged:
				k.Status, k.PurgeAt, k.PurgedAt, k.PurgeCause, k.Network = "purged", time.Time{}, r.Meta.Time, e.Cause, events.NetworkPolicy{}
				k.Restriction = keys.Restriction{}
				delete(sealed, id)
			case events.KeyRestricted:
				k.Restriction = keys.Restriction{Since: r.Meta.Time, Reason: e.Reason, FoundIn: e.FoundIn}
			case events.KeyUnrestricted:
				k.Restriction = keys.Restriction{}
			case events.KeyNetworkPolicySet:
				k.Network = e.NetworkPolicy
			case events.KeyDescribed:
				k.Description = e.Description
			}
			known[id] = k
		}
	}
	return known, sealed
}

// listed is what a list must be: those of the model that a filter lets
// through, newest first.
func listed(known map[events.AccessKeyID]keys.Key, f keys.Filter) (out []keys.Key) {
	for _, k := range known {
		wanted := slices.Contains(f.Statuses, k.Status) || len(f.Statuses) == 0 && k.Status != keys.Purged
		if k.Account == f.Account && (f.User == "" || k.User == f.User) && wanted {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b keys.Key) int {
		return cmp.Or(cmp.Compare(b.Created, a.Created), cmp.Compare(a.ID, b.ID))
	})
	return out
}

func TestEveryKeyAndList(t *testing.T) {
	story := projtest.NewHistory(3).Messages(1500)
	s := projtest.Told(t, keys.New(), story)
	known, sealed := model(story)
	owners, statuses := map[events.Subject]bool{}, map[keys.Status]int{}
	restricted := map[keys.Status]int{}
	for id, want := range known {
		got, found, err := keys.Find(s.Store, id)
		if err != nil || !found || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, %v, %v\nwant %+v", got, found, err, want)
		}
		secret, found, err := keys.Sealed(s.Store, id)
		if err != nil || found != (want.Status != keys.Purged) || !reflect.DeepEqual(secret, sealed[id]) {
			t.Fatalf("%s is %s, its secret: %v, %v", id, want.Status, found, err)
		}
		owners[events.KeyringSubject(want.Account, want.User)], owners[events.AccountSubject(want.Account)] = true, true
		statuses[want.Status]++
		if (want.Restriction != keys.Restriction{}) {
			restricted[want.Status]++
		}
	}
	if len(statuses) != 4 || len(owners) < 10 || len(restricted) != 3 || restricted[keys.Purged] > 0 {
		t.Fatalf("the story is too thin: %v, %d owners, restricted: %v", statuses, len(owners), restricted)
	}
	v := s.Store.View()
	defer v.Close()
	for owner := range owners {
		for _, of := range [][]keys.Status{nil, {keys.Active}, {keys.Disabled}, {keys.Deleted}, {keys.Purged}, {keys.Purged, keys.Active}, {keys.Deleted, keys.Disabled}, {"none"}} {
			f := keys.Filter{Account: owner.Account, User: owner.User, Statuses: of}
			got := projtest.Pages(t, 3, func(cursor string) (projections.Page[keys.Key], error) { return keys.List(v, f, cursor, 3) })
			if want := listed(known, f); !reflect.DeepEqual(got, want) {
				t.Fatalf("%+v: got %d keys, want %d\n%v\n%v", f, len(got), len(want), got, want)
			}
		}
	}
}

func TestBinIsWhatWasDeleted(t *testing.T) {
	story := projtest.NewHistory(3).Messages(1500)
	s := projtest.Told(t, keys.New(), story)
	known, _ := model(story)
	a := events.AccountID("100000000001")
	want := listed(known, keys.Filter{Account: a, Statuses: []keys.Status{keys.Deleted}})
	if len(want) == 0 {
		t.Fatal("the story is too thin")
	}
	got := projtest.Pages(t, 2, func(cursor string) (projections.Page[keys.Key], error) { return keys.Bin(s.Store, a, "", cursor, 2) })
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	one, err := keys.Bin(s.Store, a, want[0].User, "", 0)
	if err != nil || len(one.Items) == 0 || one.Items[0].User != want[0].User {
		t.Errorf("one user's: got %v, %v", one, err)
	}
}

func TestAllIsEveryKeyWithItsSecret(t *testing.T) {
	story := projtest.NewHistory(3).Messages(500)
	s := projtest.Told(t, keys.New(), story)
	known, sealed := model(story)
	err := keys.All(s.Store, func(k keys.Key, secret events.Sealed) error {
		if !reflect.DeepEqual(known[k.ID], k) || !reflect.DeepEqual(sealed[k.ID], secret) {
			t.Errorf("got %+v", k)
		}
		delete(known, k.ID)
		return nil
	})
	if err != nil || len(known) != 0 {
		t.Errorf("%v; %d keys were left out", err, len(known))
	}
	stop := errors.New("enough")
	if err := keys.All(s.Store, func(keys.Key, events.Sealed) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

// TestCursorsAreStable walks a list while keys come and change: those that stay
// in the list are seen once each.
func TestCursorsAreStable(t *testing.T) {
	h := projtest.NewHistory(5)
	log := projtest.NewLog(h.Messages(600)...)
	s := projtest.Start(t, vfs.NewMem(), log, projtest.Critical(keys.New()))
	s.WaitLast()
	f := keys.Filter{Account: "100000000001", Statuses: []keys.Status{keys.Active, keys.Disabled, keys.Deleted, keys.Purged}}
	before := projtest.Pages(t, 1000, func(cursor string) (projections.Page[keys.Key], error) { return keys.List(s.Store, f, cursor, 1000) })
	var walked []events.AccessKeyID
	for _, k := range projtest.Pages(t, 2, func(cursor string) (projections.Page[keys.Key], error) {
		log.Append(h.Messages(5)...)
		s.WaitLast()
		return keys.List(s.Store, f, cursor, 2)
	}) {
		walked = append(walked, k.ID)
	}
	var want []events.AccessKeyID
	for _, k := range before {
		want = append(want, k.ID)
	}
	if len(want) < 10 || !slices.Equal(walked[len(walked)-len(want):], want) {
		t.Errorf("got %v\nwant %v at the end", walked, want)
	}
}

func TestCursorOfAnotherListIsRefused(t *testing.T) {
	s := projtest.Told(t, keys.New(), projtest.NewHistory(3).Messages(800))
	a := events.AccountID("100000000001")
	page, err := keys.List(s.Store, keys.Filter{Account: a}, "", 1)
	if err != nil || page.Next == "" {
		t.Fatalf("got %+v, %v", page, err)
	}
	var refused *projections.CursorError
	for _, f := range []keys.Filter{{Account: a, Statuses: []keys.Status{keys.Active}}, {Account: "100000000002"}, {Account: a, User: page.Items[0].User}} {
		if _, err := keys.List(s.Store, f, page.Next, 1); !errors.As(err, &refused) {
			t.Errorf("%+v: got %v", f, err)
		}
	}
	same := keys.Filter{Account: a, Statuses: []keys.Status{keys.Deleted, keys.Disabled, keys.Active, keys.Active}}
	if _, err := keys.List(s.Store, same, page.Next, 1); err != nil {
		t.Errorf("the same filter in other words: got %v", err)
	}
}

func TestWhatNoLogWouldHoldIsRefused(t *testing.T) {
	ring := events.KeyringSubject("100000000001", "200000000000000001")
	for name, last := range map[string]struct {
		subject events.Subject
		event   events.Event
	}{
		"created twice":         {ring, events.KeyCreated{Key: "KLAK1"}},
		"created twice, abroad": {events.KeyringSubject("100000000001", "200000000000000002"), events.KeyCreated{Key: "KLAK1"}},
		"nobody's key":          {ring, events.KeyDisabled{Key: "KLAK2"}},
		"another account's key": {events.KeyringSubject("100000000002", "200000000000000001"), events.KeyPurged{Key: "KLAK1"}},
		"another's key":         {events.KeyringSubject("100000000001", "200000000000000002"), events.KeyPurged{Key: "KLAK1"}},
	} {
		h := projtest.NewHistory(1)
		s := projtest.Start(t, vfs.NewMem(), projtest.NewLog(h.Record(ring, events.KeyCreated{Key: "KLAK1", Sealed: events.Sealed{Ciphertext: []byte{1}}}), h.Record(last.subject, last.event)), projtest.Critical(keys.New()))
		var degraded *projections.DegradedError
		if err := s.Runner.Wait(t.Context(), 2); !errors.As(err, &degraded) || degraded.Position != 2 {
			t.Errorf("%s: got %v", name, err)
		}
		if _, found, err := keys.Sealed(s.Store, "KLAK1"); !found || err != nil {
			t.Errorf("%s: the secret is gone: %v", name, err)
		}
	}
}
