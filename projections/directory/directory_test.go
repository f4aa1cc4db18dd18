package directory_test

import (
	"cmp"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/directory"
	"github.com/keyledger/keyledger/projections/projtest"
)

func TestPromises(t *testing.T) {
	projtest.Run(t, func() []projections.Part { return projtest.Critical(directory.New()) }, projtest.NewHistory(2).Messages(800))
}

type userKey struct {
	account events.AccountID
	user    events.UserID
}

// model is what accounts and users must be.
func model(story []events.Message) (map[events.AccountID]directory.Account, map[userKey]directory.User) {
	accounts, users := map[events.AccountID]directory.Account{}, map[userKey]directory.User{}
	for _, r := range projtest.Records(story) {
		if r.Subject.User != "" {
			continue
		}
		for _, e := range r.Events {
			a := accounts[r.Subject.Account]
			k := userKey{a.ID, events.UserID(e.Event.About())}
			u, isUser := users[k]
			switch e := e.Event.(type) {
			case events.AccountOpened:
				a = directory.Account{ID: e.Account, Name: e.Name, Operator: e.Operator, Preset: e.Preset, CreatedAt: r.Meta.Time, Created: r.Position}
			case events.PolicyChanged:
				a.Preset = e.Preset
			case events.UserAdded:
				u, isUser = directory.User{Account: a.ID, ID: e.User, Name: e.Name, Kind: e.UserKind, Role: e.Role, CreatedAt: r.Meta.Time, Created: r.Position}, true
				if e.UserKind == events.KindRoot {
					a.Root = e.User
				}
			case events.UserRenamed:
				u.Name = e.To
			case events.UserRoleChanged:
				u.Role = e.To
			case events.UserGranted:
				u.Grants = []string{e.Grant}
			case events.UserGrantRevoked:
				u.Grants = nil
			case events.UserRemoved:
				delete(users, k)
				isUser = false
			}
			a.Last = r.Position
			accounts[a.ID] = a
			if isUser {
				u.Last = r.Position
				users[k] = u
			}
		}
	}
	return accounts, users
}

func same(got, want any) bool { return reflect.DeepEqual(got, want) }

func TestEveryAccountUserAndList(t *testing.T) {
	story := projtest.NewHistory(4).Messages(3000)
	s := projtest.Told(t, directory.New(), story)
	accounts, users := model(story)
	if len(accounts) < 5 || len(users) < 10 {
		t.Fatalf("the story is too thin: %d, %d", len(accounts), len(users))
	}
	var all []directory.Account
	for id, want := range accounts {
		all = append(all, want)
		if got, found, err := directory.FindAccount(s.Store, id); !found || err != nil || !same(got, want) {
			t.Errorf("got %+v, %v, %v\nwant %+v", got, found, err, want)
		}
		var own []directory.User
		for _, u := range users {
			if u.Account == id {
				own = append(own, u)
			}
		}
		slices.SortFunc(own, func(a, b directory.User) int { return cmp.Compare(b.Created, a.Created) })
		got := projtest.Pages(t, 2, func(cursor string) (projections.Page[directory.User], error) {
			return directory.Users(s.Store, id, cursor, 2)
		})
		if !same(got, own) {
			t.Errorf("users of %s: got %v\nwant %v", id, got, own)
		}
	}
	for k, want := range users {
		want.Grants = slices.Clone(want.Grants)
		got, found, err := directory.FindUser(s.Store, k.account, k.user)
		if !found || err != nil || !same(got, want) {
			t.Errorf("got %+v, %v, %v\nwant %+v", got, found, err, want)
		}
		got, found, err = directory.UserNamed(s.Store, k.account, strings.ToUpper(want.Name))
		if !found || err != nil || !same(got, want) {
			t.Errorf("by name: got %+v, %v, %v\nwant %+v", got, found, err, want)
		}
	}
	slices.SortFunc(all, func(a, b directory.Account) int { return cmp.Compare(b.Created, a.Created) })
	got := projtest.Pages(t, 3, func(cursor string) (projections.Page[directory.Account], error) {
		return directory.Accounts(s.Store, cursor, 3)
	})
	if !same(got, all) {
		t.Errorf("accounts: got %v\nwant %v", got, all)
	}
}

const (
	acme = events.AccountID("100000000001")
	anna = events.UserID("200000000000000001")
	bert = events.UserID("200000000000000002")
)

func TestNames(t *testing.T) {
	h := projtest.NewHistory(1)
	of := events.AccountSubject(acme)
	added := func(u events.UserID, name string) events.Event {
		return events.UserAdded{User: u, Name: name, UserKind: events.KindUser, Role: events.RoleUser}
	}
	log := projtest.NewLog(
		h.Record(of, events.AccountOpened{Account: acme, Name: "ACME"}, added(anna, "Anna")),
		h.Record(events.AccountSubject("100000000002"), events.AccountOpened{Account: "100000000002", Name: "Acme"}),
		h.Record(events.AccountSubject("100000000003"), events.AccountOpened{Account: "100000000003", Name: "Acme 2"}),
	)
	s := projtest.Start(t, vfs.NewMem(), log, projtest.Critical(directory.New()))
	s.WaitLast()
	named := projtest.Pages(t, 1, func(cursor string) (projections.Page[directory.Account], error) {
		return directory.AccountsNamed(s.Store, "acme", cursor, 1)
	})
	if len(named) != 2 || named[0].Name != "ACME" || named[1].Name != "Acme" {
		t.Errorf("got %v", named)
	}
	who := func(name string) events.UserID {
		u, _, err := directory.UserNamed(s.Store, acme, name)
		if err != nil {
			t.Error(err)
		}
		return u.ID
	}
	for _, step := range []struct {
		what string
		do   events.Event
		anna events.UserID // who is called so then
		hans events.UserID
	}{
		{"a rename", events.UserRenamed{User: anna, From: "Anna", To: "Hans"}, "", anna},
		{"a rename to another case", events.UserRenamed{User: anna, From: "Hans", To: "HANS"}, "", anna},
		{"the free name", added(bert, "ANNA"), bert, anna},
		{"a removal", events.UserRemoved{User: anna, Name: "HANS"}, bert, ""},
		{"a new user of an old name", added("200000000000000003", "hans"), bert, "200000000000000003"},
	} {
		log.Append(h.Record(of, step.do))
		s.WaitLast()
		if a, b := who("anna"), who("hAns"); a != step.anna || b != step.hans {
			t.Errorf("after %s: anna is %q and hans is %q, want %q and %q", step.what, a, b, step.anna, step.hans)
		}
	}
	if _, found, err := directory.FindUser(s.Store, acme, anna); found || err != nil {
		t.Errorf("the removed user is still there: %v", err)
	}
}

func TestCursorsAreBoundToTheList(t *testing.T) {
	s := projtest.Told(t, directory.New(), projtest.NewHistory(4).Messages(500))
	page, err := directory.Users(s.Store, acme, "", 1)
	if err != nil || page.Next == "" {
		t.Fatalf("got %+v, %v", page, err)
	}
	var refused *projections.CursorError
	if _, err := directory.Accounts(s.Store, page.Next, 1); !errors.As(err, &refused) {
		t.Errorf("another list: got %v", err)
	}
	if _, err := directory.AccountsNamed(s.Store, "x", page.Next, 1); !errors.As(err, &refused) {
		t.Errorf("a name: got %v", err)
	}
}

func TestWhatNoLogWouldHoldIsRefused(t *testing.T) {
	of := events.AccountSubject(acme)
	opened := events.AccountOpened{Account: acme, Name: "ACME"}
	added := events.UserAdded{User: anna, Name: "Anna"}
	for name, last := range map[string]events.Event{
		"opened twice":        opened,
		"added twice":         added,
		"nobody renamed":      events.UserRenamed{User: bert},
		"nobody removed":      events.UserRemoved{User: bert},
		"nobody given a role": events.UserRoleChanged{User: bert},
	} {
		h := projtest.NewHistory(1)
		s := projtest.Start(t, vfs.NewMem(), projtest.NewLog(h.Record(of, opened, added), h.Record(of, last)), projtest.Critical(directory.New()))
		var degraded *projections.DegradedError
		if err := s.Runner.Wait(t.Context(), 2); !errors.As(err, &degraded) || degraded.Position != 2 {
			t.Errorf("%s: got %v", name, err)
		}
	}
	h := projtest.NewHistory(1)
	s := projtest.Start(t, vfs.NewMem(), projtest.NewLog(h.Record(of, events.PolicyChanged{Account: acme})), projtest.Critical(directory.New()))
	if err := s.Runner.Wait(t.Context(), 1); err == nil {
		t.Error("an account that was never opened changed its policy")
	}
}
