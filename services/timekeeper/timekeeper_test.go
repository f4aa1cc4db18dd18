package timekeeper_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/timekeeper"
)

// A world is a clock turned by hand and what the ledger would know.
type world struct {
	wall    time.Time
	mono    time.Duration
	last    time.Time // event
	memory  timekeeper.Memory
	deaf    error // why nothing can be remembered
	due     map[events.AccessKeyID]time.Time
	closed  []timekeeper.Removal
	purged  []events.AccessKeyID
	removed []events.UserID
	trims   int // rounds that trimmed
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newWorld() *world {
	return &world{wall: noon, last: noon.Add(-time.Hour), due: map[events.AccessKeyID]time.Time{}}
}

// pass lets d go by on both clocks.
func (w *world) pass(d time.Duration) { w.wall, w.mono = w.wall.Add(d), w.mono+d }

// start makes a keeper as a start of the server does.
func (w *world) start() *timekeeper.Keeper {
	w.mono = 0
	guard := timekeeper.NewGuard(timekeeper.GuardConfig{
		Now:       func() time.Time { return w.wall },
		Monotonic: func() time.Duration { return w.mono },
		LastEvent: func(context.Context) (time.Time, error) { return w.last, nil },
		Recall:    func(context.Context) (timekeeper.Memory, error) { return w.memory, nil },
		Remember:  w.remember,
	})
	return timekeeper.New(timekeeper.Config{
		Guard: guard, Now: func() time.Time { return w.wall }, Interval: time.Second,
		Due:    w.dueAt,
		Closed: func(int) ([]timekeeper.Removal, error) { return w.closed, nil },
		Purge: func(_ context.Context, k events.AccessKeyID) error {
			delete(w.due, k)
			w.purged = append(w.purged, k)
			return nil
		},
		Trim: func(context.Context) error { w.trims++; return nil },
		Remove: func(_ context.Context, _ events.AccountID, u events.UserID) error {
			w.removed = append(w.removed, u)
			return nil
		},
	})
}

func (w *world) remember(_ context.Context, m timekeeper.Memory) error {
	if w.deaf == nil {
		w.memory = m
	}
	return w.deaf
}

func (w *world) dueAt(now time.Time, _ int) (out []timekeeper.Purge, _ error) {
	for k, at := range w.due {
		if !at.After(now) {
			out = append(out, timekeeper.Purge{Key: k, Due: at})
		}
	}
	return out, nil
}

func tick(t *testing.T, k *timekeeper.Keeper) {
	t.Helper()
	if err := k.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestPurgesWhatIsDueAndNothingElse(t *testing.T) {
	w := newWorld()
	w.due["due"], w.due["later"] = noon, noon.Add(time.Second)
	k := w.start()
	tick(t, k)
	if len(w.purged) != 1 || w.purged[0] != "due" {
		t.Fatalf("purged %v, want [due]", w.purged)
	}
	w.pass(time.Second)
	tick(t, k)
	if len(w.purged) != 2 {
		t.Fatalf("purged %v, want both", w.purged)
	}
}

// A clock that jumps while the server runs purges nothing until an operator
// has confirmed it.
func TestJumpForwardStopsPurging(t *testing.T) {
	w := newWorld()
	w.due["key"] = noon.Add(30 * 24 * time.Hour)
	k := w.start()
	tick(t, k)
	w.wall = w.wall.Add(40 * 24 * time.Hour)
	tick(t, k)
	if len(w.purged) != 0 {
		t.Fatalf("purged %v after a jump of 40 days", w.purged)
	}
	if doubt := k.Guard.Doubt(); !strings.Contains(doubt, "ahead of elapsed time by 960h") {
		t.Fatalf("doubt %q does not say by how much", doubt)
	}
	w.wall = w.wall.Add(-40 * 24 * time.Hour)
	w.pass(time.Minute)
	tick(t, k)
	if k.Guard.Doubt() == "" {
		t.Fatal("the guard trusts a clock that jumped there and back without anybody's word")
	}
	k.Guard.Confirm()
	w.pass(31 * 24 * time.Hour)
	tick(t, k)
	if len(w.purged) != 1 {
		t.Fatalf("purged %v after the clock was confirmed and the time had passed", w.purged)
	}
}

func TestSmallJumpIsNoJump(t *testing.T) {
	w := newWorld()
	k := w.start()
	tick(t, k)
	w.wall = w.wall.Add(5 * time.Minute)
	tick(t, k)
	if doubt := k.Guard.Doubt(); doubt != "" {
		t.Fatalf("a jump of exactly 5 minutes is doubted: %s", doubt)
	}
	w.wall = w.wall.Add(time.Second)
	tick(t, k)
	if k.Guard.Doubt() == "" {
		t.Fatal("a jump of more than 5 minutes is not doubted")
	}
}

func TestJumpBackwardStopsPurging(t *testing.T) {
	w := newWorld()
	w.due["old"] = noon.Add(-48 * time.Hour)
	k := w.start()
	w.wall = w.wall.Add(-24 * time.Hour)
	tick(t, k)
	if len(w.purged) != 0 || !strings.Contains(k.Guard.Doubt(), "before the") {
		t.Fatalf("purged %v, doubt %q: want nothing purged before the last event", w.purged, k.Guard.Doubt())
	}
}

func TestStartLongAfterTheLastEvent(t *testing.T) {
	w := newWorld()
	w.due["key"] = noon
	w.last = noon.Add(-7*24*time.Hour - time.Second)
	k := w.start()
	tick(t, k)
	if len(w.purged) != 0 {
		t.Fatal("purged although the clock may have jumped while the server was off")
	}
	w.last, w.memory = noon.Add(-7*24*time.Hour), timekeeper.Memory{}
	tick(t, w.start())
	if len(w.purged) != 1 {
		t.Fatal("7 days exactly is not too long")
	}
}

func TestStartBeforeTheLastEvent(t *testing.T) {
	w := newWorld()
	w.last = noon.Add(time.Hour)
	k := w.start()
	tick(t, k)
	if k.Guard.Doubt() == "" {
		t.Fatal("a start before the last event is not doubted")
	}
}

// A server that is up eight hours a day, in which nobody does anything for
// six weeks, still purges on the day.
func TestEightHoursADay(t *testing.T) {
	w := newWorld()
	w.due["key"] = noon.Add(30 * 24 * time.Hour)
	purgedOn := -1
	for day := range 42 {
		w.wall = noon.Add(time.Duration(day) * 24 * time.Hour)
		k := w.start()
		for range 8 * 12 {
			tick(t, k)
			w.pass(5 * time.Minute)
		}
		if doubt := k.Guard.Doubt(); doubt != "" {
			t.Fatalf("day %d: %s", day, doubt)
		}
		if purgedOn < 0 && len(w.purged) > 0 {
			purgedOn = day
		}
	}
	if purgedOn != 30 {
		t.Fatalf("purged on day %d, want 30", purgedOn)
	}
}

// A doubted clock is not written down: a restart does not launder it.
func TestDoubtSurvivesARestart(t *testing.T) {
	w := newWorld()
	tick(t, w.start())
	w.wall = w.wall.Add(40 * 24 * time.Hour)
	for range 3 {
		k := w.start()
		tick(t, k)
		w.pass(time.Hour)
		tick(t, k)
		if k.Guard.Doubt() == "" {
			t.Fatal("a clock 40 days ahead is trusted after a restart")
		}
	}
}

// What is recorded while the clock is doubted does not vouch for it either.
func TestEventsOfADoubtedClockVouchForNothing(t *testing.T) {
	for _, jump := range []time.Duration{time.Hour, 40 * 24 * time.Hour} {
		w := newWorld()
		w.due["key"] = noon.Add(jump)
		k := w.start()
		tick(t, k)
		w.wall = w.wall.Add(jump)
		tick(t, k)
		w.last = w.wall
		w.pass(time.Minute)
		k = w.start()
		tick(t, k)
		if k.Guard.Doubt() == "" || len(w.purged) != 0 {
			t.Errorf("a clock %v ahead is trusted after a restart because something was recorded by it; purged %v", jump, w.purged)
		}
	}
}

// A clock that was ahead has been set right and confirmed: what was recorded
// in the meantime lies in the future, and purging goes on nevertheless.
func TestConfirmedClockMayBeBeforeTheLastEvent(t *testing.T) {
	w := newWorld()
	k := w.start()
	tick(t, k)
	w.wall = w.wall.Add(40 * 24 * time.Hour)
	w.last = w.wall
	tick(t, k)
	w.wall = w.wall.Add(-40 * 24 * time.Hour)
	k.Guard.Confirm()
	for _, k := range []*timekeeper.Keeper{k, w.start()} {
		w.due["key"] = w.wall
		w.purged = nil
		tick(t, k)
		if doubt := k.Guard.Doubt(); doubt != "" || len(w.purged) != 1 {
			t.Errorf("purged %v, doubt %q, after the clock was set right and confirmed", w.purged, doubt)
		}
	}
	w.last = w.last.Add(time.Second)
	k = w.start()
	tick(t, k)
	if k.Guard.Doubt() == "" {
		t.Error("an event after the confirmation lies 40 days ahead, and the clock is trusted")
	}
}

// Confirmed before the first look, as it can be right after a start.
func TestConfirmedAtOnce(t *testing.T) {
	w := newWorld()
	w.due["key"], w.memory.Doubt = noon, "it was wrong before"
	k := w.start()
	k.Guard.Confirm()
	tick(t, k)
	if k.Guard.Doubt() != "" || len(w.purged) != 1 || w.memory.Doubt != "" {
		t.Fatalf("purged %v, doubt %q, remembered %+v", w.purged, k.Guard.Doubt(), w.memory)
	}
}

// Nothing is purged as long as what the guard thinks cannot be remembered.
func TestWithoutMemoryNothingIsPurged(t *testing.T) {
	w := newWorld()
	w.due["key"], w.deaf = noon, errors.New("no room")
	k := w.start()
	if err := k.Tick(t.Context()); !errors.Is(err, w.deaf) || len(w.purged) != 0 {
		t.Fatalf("got %v, purged %v, want %v and nothing purged", err, w.purged, w.deaf)
	}
	w.deaf = nil
	tick(t, k)
	if len(w.purged) != 1 {
		t.Fatalf("purged %v when it could be remembered again", w.purged)
	}
}

func TestFinishesRemovalsLeftHalfDone(t *testing.T) {
	w := newWorld()
	w.closed = []timekeeper.Removal{{User: "fresh", Closed: noon.Add(-time.Second)}, {User: "left", Closed: noon.Add(-time.Minute)}}
	tick(t, w.start())
	if len(w.removed) != 1 || w.removed[0] != "left" {
		t.Fatalf("removed %v, want [left]", w.removed)
	}
}

func TestARuleThatSaysNoIsNoFault(t *testing.T) {
	w := newWorld()
	w.due["restored"], w.due["due"] = noon, noon
	k := w.start()
	purge := k.Purge
	k.Purge = func(ctx context.Context, key events.AccessKeyID) error {
		if key == "restored" {
			return aggregate.Refuse(aggregate.Conflict, "key.not_deleted", "not in the recycle bin")
		}
		return purge(ctx, key)
	}
	tick(t, k)
	if len(w.purged) != 1 || w.purged[0] != "due" {
		t.Fatalf("purged %v, want [due]", w.purged)
	}
}

// TestOneThatFails holds back nobody behind it, but of many that fail a round tries some only.
func TestOneThatFails(t *testing.T) {
	w := newWorld()
	k := w.start()
	k.Due = func(time.Time, int) ([]timekeeper.Purge, error) {
		return []timekeeper.Purge{{Key: "bad"}, {Key: "good"}}, nil
	}
	bad, purge, tried := errors.New("the row cannot be read"), k.Purge, 0
	k.Purge = func(ctx context.Context, key events.AccessKeyID) error {
		if tried++; key == "bad" {
			return bad
		}
		return purge(ctx, key)
	}
	if err := k.Tick(t.Context()); !errors.Is(err, bad) || len(w.purged) != 1 || w.purged[0] != "good" {
		t.Errorf("got %v, purged %v, want %v and [good]", err, w.purged, bad)
	}
	k.Due = func(time.Time, int) ([]timekeeper.Purge, error) {
		return slices.Repeat([]timekeeper.Purge{{Key: "bad"}}, 100), nil
	}
	tried = 0
	if err := k.Tick(t.Context()); !errors.Is(err, bad) || tried != 10 {
		t.Errorf("got %v after %d tries, want %v after 10", err, tried, bad)
	}
}
