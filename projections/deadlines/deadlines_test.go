package deadlines_test

import (
	"cmp"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/deadlines"
	"github.com/keyledger/keyledger/projections/projtest"
)

func TestPromises(t *testing.T) {
	projtest.Run(t, func() []projections.Part { return projtest.Critical(deadlines.New()) }, projtest.NewHistory(2).Messages(800))
}

// model is what must be due, and what must be half removed.
func model(story []events.Message) (due []deadlines.Purge, half []deadlines.HalfRemoved) {
	purges, closed := map[events.AccessKeyID]deadlines.Purge{}, map[events.Subject]time.Time{}
	for _, r := range projtest.Records(story) {
		for _, e := range r.Events {
			switch e := e.Event.(type) {
			case events.KeyDeleted:
				purges[e.Key] = deadlines.Purge{Key: e.Key, Keyring: r.Subject, At: e.PurgeAt}
			case events.KeyRestored:
				delete(purges, e.Key)
			case events.KeyPurged:
				delete(purges, e.Key)
			case events.KeyringClosed:
				closed[r.Subject] = r.Meta.Time
			case events.KeyringReopened:
				delete(closed, r.Subject)
			case events.UserRemoved:
				delete(closed, events.KeyringSubject(r.Subject.Account, e.User))
			}
		}
	}
	for _, p := range purges {
		due = append(due, p)
	}
	for s, at := range closed {
		half = append(half, deadlines.HalfRemoved{Keyring: s, Closed: at})
	}
	slices.SortFunc(due, func(a, b deadlines.Purge) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Key, b.Key)) })
	slices.SortFunc(half, func(a, b deadlines.HalfRemoved) int {
		return cmp.Or(a.Closed.Compare(b.Closed), cmp.Compare(a.Keyring.String(), b.Keyring.String()))
	})
	return due, half
}

func TestWhatIsDue(t *testing.T) {
	h := projtest.NewHistory(6)
	h.MaxUsers = 300
	story := h.Messages(4000)
	s := projtest.Told(t, deadlines.New(), story)
	due, half := model(story)
	if len(due) < 10 || len(half) < 2 {
		t.Fatalf("the story is too thin: %d due, %d half removed", len(due), len(half))
	}
	for n := range due {
		// At the time of the n-th, those before it are due, and it is too.
		want := due[:n+1]
		for n+1 < len(due) && due[n+1].At.Equal(due[n].At) {
			n++
			want = due[:n+1]
		}
		if got, err := deadlines.Due(s.Store, due[n].At, 0); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("at %v: got %v, %v\nwant %v", due[n].At, got, err, want)
		}
	}
	if got, err := deadlines.Due(s.Store, due[0].At.Add(-1), 0); err != nil || got != nil {
		t.Errorf("a nanosecond too early: got %v, %v", got, err)
	}
	if got, err := deadlines.Due(s.Store, due[len(due)-1].At, 3); err != nil || !reflect.DeepEqual(got, due[:3]) {
		t.Errorf("three of them: got %v, %v", got, err)
	}
	if got, err := deadlines.Due(s.Store, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), 0); err != nil || !reflect.DeepEqual(got, due) {
		t.Errorf("in the far future: got %d, %v", len(got), err)
	}
	if at, found, err := deadlines.Next(s.Store); err != nil || !found || !at.Equal(due[0].At) {
		t.Errorf("next: got %v, %v, %v, want %v", at, found, err, due[0].At)
	}
	last := half[len(half)-1].Closed
	if got, err := deadlines.Closed(s.Store, last, 0); err != nil || !reflect.DeepEqual(got, half) {
		t.Errorf("half removed: got %v, %v\nwant %v", got, err, half)
	}
	if got, err := deadlines.Closed(s.Store, last.Add(-1), 1); err != nil || !reflect.DeepEqual(got, half[:1]) {
		t.Errorf("the longest closed: got %v, %v", got, err)
	}
}

func TestNothingIsDueInAnEmptyLog(t *testing.T) {
	s := projtest.Told(t, deadlines.New(), nil)
	if at, found, err := deadlines.Next(s.Store); found || err != nil {
		t.Errorf("got %v, %v, %v", at, found, err)
	}
}
