package projections_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/projtest"
	"github.com/keyledger/keyledger/projections/row"
)

func TestFoldIsTheStateAndItsPosition(t *testing.T) {
	story := projtest.NewHistory(3).Messages(1000)
	fold := rings()
	s := projtest.Told(t, fold, story)
	states, last := map[events.Subject]ring{}, map[events.Subject]events.Position{}
	for _, r := range projtest.Records(story) {
		for _, e := range r.Events {
			states[r.Subject] = evolveRing(states[r.Subject], e.Event)
		}
		last[r.Subject] = r.Position
	}
	v := s.Store.View()
	defer v.Close()
	for subject, want := range states {
		position := last[subject]
		if subject.User == "" {
			want, position = ring{}, 0 // no keyring: no row
		}
		for _, from := range []projections.Getter{s.Store, v} {
			got, at, err := fold.Load(from, row.AppendSubject(nil, subject))
			if err != nil || at != position || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: got %+v at %d, %v, want %+v at %d", subject, got, at, err, want, position)
			}
		}
	}
	if at, err := v.Position("keyrings"); at != 1000 || err != nil {
		t.Errorf("the view is at %d, %v", at, err)
	}
}

func TestFoldEnds(t *testing.T) {
	h := projtest.NewHistory(1)
	of := events.AccountSubject("100000000001")
	const anna = events.UserID("200000000000000001")
	added, renamed, removed := events.UserAdded{User: anna}, events.UserRenamed{User: anna}, events.UserRemoved{User: anna}
	log := projtest.NewLog(h.Record(of, added), h.Record(of, renamed))
	fold := members()
	s := projtest.Start(t, vfs.NewMem(), log, projtest.Critical(fold))
	load := func() (string, events.Position) {
		t.Helper()
		s.WaitLast()
		state, at, err := fold.Load(s.Store, append(row.AppendAccount(nil, of.Account), anna...))
		if err != nil {
			t.Fatal(err)
		}
		return state, at
	}
	if got, at := load(); got != ",user.added,user.renamed" || at != 2 {
		t.Errorf("got %q at %d", got, at)
	}
	log.Append(h.Record(of, removed))
	if got, at := load(); got != "" || at != 0 {
		t.Errorf("removed: got %q at %d", got, at)
	}
	log.Append(h.Record(of, added, removed, added))
	if got, at := load(); got != ",user.added" || at != 4 {
		t.Errorf("again: got %q at %d", got, at)
	}
}

func TestFoldThatCannotReadItsRowStops(t *testing.T) {
	h := projtest.NewHistory(1)
	of := events.AccountSubject("100000000001")
	e := events.UserAdded{User: "200000000000000001"}
	fold := members()
	fold.Parse = func([]byte) (string, error) { return "", row.ErrMalformed }
	s := projtest.Start(t, vfs.NewMem(), projtest.NewLog(h.Record(of, e), h.Record(of, e)), projtest.Critical(fold))
	var degraded *projections.DegradedError
	if err := s.Runner.Wait(t.Context(), 2); !errors.As(err, &degraded) || degraded.Position != 2 {
		t.Errorf("got %v", err)
	}
}
