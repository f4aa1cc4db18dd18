package audit_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/audit"
	"github.com/keyledger/keyledger/projections/projtest"
)

func TestPromises(t *testing.T) {
	projtest.Run(t, func() []projections.Part { return projtest.Critical(audit.New()) }, projtest.NewHistory(2).Messages(800))
}

// entries is everything in a story as the audit must show it, newest first.
func entries(story []events.Message) (out []audit.Entry) {
	for _, r := range projtest.Records(story) {
		for i, e := range r.Events {
			out = append(out, audit.Entry{Position: r.Position, Index: i, ID: e.ID, Subject: r.Subject, Meta: r.Meta, Event: events.Public(e.Event)})
		}
	}
	slices.SortFunc(out, func(a, b audit.Entry) int {
		return cmp.Or(b.Meta.Time.Compare(a.Meta.Time), cmp.Compare(b.Position, a.Position), cmp.Compare(b.Index, a.Index))
	})
	return out
}

// lets says whether a filter lets an entry through, in other words than the
// product's.
func lets(f audit.Filter, e audit.Entry) bool {
	about, kind := e.Event.About(), e.Event.Kind()
	if reserved, ok := e.Event.(events.KeyReserved); ok { // belongs to those it is reserved for
		e.Subject = events.KeyringSubject(reserved.Account, reserved.User)
	}
	switch {
	case f.Account != "" && e.Subject.Account != f.Account:
		return false
	case f.User != "" && e.Subject.User != f.User && !(e.Subject.User == "" && strings.HasPrefix(kind, "user.") && about == string(f.User)):
		return false
	case f.Actor != "" && e.Meta.Actor != f.Actor:
		return false
	case f.Key != "" && !(strings.HasPrefix(kind, "key.") && about == string(f.Key)):
		return false
	case f.Action != "" && kind != f.Action:
		return false
	case !f.Since.IsZero() && e.Meta.Time.Before(f.Since):
		return false
	case !f.Until.IsZero() && !e.Meta.Time.Before(f.Until):
		return false
	}
	return true
}

// anyFilter is a filter that some entry passes, with each field set or not.
func anyFilter(lots *rand.Rand, all []audit.Entry) (f audit.Filter) {
	e := all[lots.IntN(len(all))]
	yes := func() bool { return lots.IntN(3) == 0 }
	if yes() {
		f.Account = e.Subject.Account
	}
	if yes() && e.Subject.User != "" {
		f.Account, f.User = e.Subject.Account, e.Subject.User
	}
	if yes() {
		f.Actor = e.Meta.Actor
	}
	if yes() && strings.HasPrefix(e.Event.Kind(), "key.") {
		f.Key = events.AccessKeyID(e.Event.About())
	}
	if yes() {
		f.Action = e.Event.Kind()
	}
	if yes() {
		f.Since = e.Meta.Time.Add(-time.Duration(lots.IntN(3)) * time.Hour)
	}
	if yes() {
		f.Until = e.Meta.Time.Add(time.Duration(lots.IntN(3)) * time.Hour)
	}
	return f
}

func TestEveryFilter(t *testing.T) {
	h := projtest.NewHistory(8)
	h.Imports = true
	story := h.Messages(900)
	s := projtest.Told(t, audit.New(), story)
	all := entries(story)
	lots := rand.New(rand.NewPCG(1, 1))
	v := s.Store.View()
	defer v.Close()
	hits := 0
	for range 120 {
		f := anyFilter(lots, all)
		var want []audit.Entry
		for _, e := range all {
			if lets(f, e) {
				want = append(want, e)
			}
		}
		limit := 1 + lots.IntN(60)
		got := projtest.Pages(t, limit, func(cursor string) (projections.Page[audit.Entry], error) { return audit.List(v, f, cursor, limit) })
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v by %d: got %d entries, want %d\n%+v\n%+v", f, limit, len(got), len(want), got, want)
		}
		hits += len(want)
	}
	if hits < 500 {
		t.Errorf("only %d entries were found: the filters are too narrow", hits)
	}
}

func TestListOfWhatThereIsNot(t *testing.T) {
	s := projtest.Told(t, audit.New(), projtest.NewHistory(8).Messages(200))
	for _, f := range []audit.Filter{{Key: "KLAKNOBODY"}, {Account: "999999999999"}, {Actor: "nobody"}, {Action: "user.vanished"}, {Account: "100000000001", User: "1"}} {
		if page, err := audit.List(s.Store, f, "", 10); err != nil || len(page.Items) != 0 || page.Next != "" {
			t.Errorf("%+v: got %+v, %v", f, page, err)
		}
	}
	for _, e := range entries(h0(8, 200)) {
		if e.Event.Kind() != "key.created" {
			continue
		}
		for _, f := range []audit.Filter{{Account: "999999999999"}, {Account: e.Subject.Account, User: "299999999999999999"}} {
			f.Key = events.AccessKeyID(e.Event.About())
			if page, err := audit.List(s.Store, f, "", 10); err != nil || len(page.Items) != 0 {
				t.Fatalf("%+v: a key was seen through the wrong account or user: %+v, %v", f, page, err)
			}
		}
	}
	if _, err := audit.List(s.Store, audit.Filter{User: "200000000000000001"}, "", 10); !errors.Is(err, audit.ErrUserWithoutAccount) {
		t.Errorf("got %v", err)
	}
	page, err := audit.List(s.Store, audit.Filter{}, "", 10)
	if err != nil || page.Next == "" {
		t.Fatalf("got %+v, %v", page, err)
	}
	var refused *projections.CursorError
	if _, err := audit.List(s.Store, audit.Filter{Until: time.Unix(1, 0)}, page.Next, 10); !errors.As(err, &refused) {
		t.Errorf("another filter: got %v", err)
	}
	short := projections.QueryOf("audit", "", "", "", "", "", "", "").Cursor([]byte("short"))
	if _, err := audit.List(s.Store, audit.Filter{}, short, 10); !errors.As(err, &refused) {
		t.Errorf("a place that is none: got %v", err)
	}
}

func TestNothingSealedIsShownOrKept(t *testing.T) {
	h := projtest.NewHistory(1)
	ring := events.KeyringSubject("100000000001", "200000000000000001")
	secret := bytes.Repeat([]byte("SEALED"), 10)
	created := events.KeyCreated{Key: "KLAK1", Cause: "requested", Sealed: events.Sealed{Layout: 1, Ciphertext: secret, WrappedKey: secret}}
	story := []events.Message{
		h.Record(ring, created),
		h.Record(ring, created, events.ClockConfirmed{Account: "100000000001"}), // kept in the log's own codec
	}
	s := projtest.Told(t, audit.New(), story)
	for _, line := range projtest.Dump(s.Store, projtest.Critical(audit.New())) {
		if strings.Contains(line, "5345414c4544") || strings.Contains(line, "55305642544556") { // as it is, and in base64 in hex
			t.Errorf("a sealed secret is kept: %s", line)
		}
	}
	page, err := audit.List(s.Store, audit.Filter{}, "", 10)
	if err != nil || len(page.Items) != 3 {
		t.Fatalf("got %v, %v", page, err)
	}
	for _, e := range page.Items {
		text, err := e.CloudEvent()
		var ce struct{ Type, Source, Subject, Actor string }
		if err != nil || json.Unmarshal(text, &ce) != nil || ce.Type != events.TypeOf(e.Event) || ce.Source != ring.Source() || bytes.Contains(text, []byte("sealed")) {
			t.Errorf("got %s, %v", text, err)
		}
	}
}

func TestHistoryIsInTheOrderOfTheLog(t *testing.T) {
	story := projtest.NewHistory(8).Messages(1500)
	s := projtest.Told(t, audit.New(), story)
	records := projtest.Records(story)
	of := map[events.Subject][]events.Record{}
	for _, r := range records {
		for i := range r.Events {
			r.Events[i].Event = events.Public(r.Events[i].Event)
		}
		of[r.Subject] = append(of[r.Subject], r)
	}
	unordered := false
	for subject, want := range of {
		for n := range want {
			unordered = unordered || n > 0 && want[n].Meta.Time.Before(want[n-1].Meta.Time)
		}
		for _, upTo := range []events.Position{want[len(want)/2].Position, want[len(want)-1].Position} {
			var got, expected []events.Record
			for r, err := range audit.History(s.Store, subject, upTo) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, r)
			}
			for _, r := range want {
				if r.Position <= upTo {
					expected = append(expected, r)
				}
			}
			if !reflect.DeepEqual(got, expected) {
				t.Fatalf("%s up to %d: got %v\nwant %v", subject, upTo, got, expected)
			}
		}
	}
	if !unordered {
		t.Error("the clock never went back: the story is too thin")
	}
	for range audit.History(s.Store, records[0].Subject, 0) {
		t.Error("something happened before the first record")
	}
	for range audit.History(s.Store, records[0].Subject, 1500) {
		break // whoever asks may stop
	}
}

func TestPositionAt(t *testing.T) {
	story := projtest.NewHistory(8).Messages(800)
	s := projtest.Told(t, audit.New(), story)
	records := projtest.Records(story)
	want := func(at time.Time) (p events.Position) {
		for _, r := range records {
			if r.Meta.Time.After(at) {
				return p
			}
			p = r.Position
		}
		return p
	}
	for _, r := range records {
		for _, at := range []time.Time{r.Meta.Time.Add(-1), r.Meta.Time, r.Meta.Time.Add(1)} {
			if got, err := audit.PositionAt(s.Store, at); err != nil || got != want(at) {
				t.Fatalf("at %v: got %d, %v, want %d", at, got, err, want(at))
			}
		}
	}
	for at, want := range map[time.Time]events.Position{{}: 0, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC): 800} {
		if got, err := audit.PositionAt(s.Store, at); err != nil || got != want {
			t.Errorf("at %v: got %d, %v, want %d", at, got, err, want)
		}
	}
	empty := projtest.Told(t, audit.New(), nil)
	if got, err := audit.PositionAt(empty.Store, time.Unix(1e9, 0)); got != 0 || err != nil {
		t.Errorf("an empty log: got %d, %v", got, err)
	}
}

// TestCursorsAreStable walks the audit while things happen: what there was is
// seen once each.
func TestCursorsAreStable(t *testing.T) {
	h := projtest.NewHistory(9)
	log := projtest.NewLog(h.Messages(300)...)
	s := projtest.Start(t, vfs.NewMem(), log, projtest.Critical(audit.New()))
	s.WaitLast()
	want := entries(h0(9, 300))
	until := want[0].Meta.Time.Add(1) // what comes is later, but for the clock's tricks
	got := projtest.Pages(t, 7, func(cursor string) (projections.Page[audit.Entry], error) {
		log.Append(h.Messages(3)...)
		s.WaitLast()
		return audit.List(s.Store, audit.Filter{Until: until}, cursor, 7)
	})
	got = slices.DeleteFunc(got, func(e audit.Entry) bool { return e.Position > 300 })
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %d entries, want %d", len(got), len(want))
	}
}

func h0(seed uint64, n int) []events.Message { return projtest.NewHistory(seed).Messages(n) }
