package logtest

import (
	"context"
	"errors"
	"iter"
	"sync"
	"testing"

	"github.com/keyledger/keyledger/events"
)

type seq = iter.Seq2[events.Message, error]

// follow collects n messages after a position, then stops.
func follow(t *testing.T, l events.Log, after events.Position, n int) []events.Message {
	t.Helper()
	var got []events.Message
	for m, err := range l.Follow(within(t), after) {
		if err != nil {
			t.Errorf("follow after %d: %v", after, err)
			return got
		}
		if got = append(got, m); len(got) == n {
			return got
		}
	}
	t.Errorf("follow after %d: got %d messages in %v, want %d", after, len(got), patience, n)
	return got
}

func testFollow(t *testing.T, l events.Log) {
	fill(t, l, 20)
	var got []events.Message
	var all sync.WaitGroup
	all.Go(func() { got = follow(t, l, 5, 115) })
	for i := range 100 {
		must(t, l, Decision(Keyring(i), 0), events.Position(21+i))
	}
	all.Wait()
	dense(t, got, 5)
	if m := follow(t, l, 119, 1); len(m) != 1 || m[0].Position != 120 {
		t.Errorf("follow after 119: got %v, want position 120", m)
	}
}

func testFollowers(t *testing.T, l events.Log) {
	const each, writers = 50, 8
	var all sync.WaitGroup
	for _, after := range []events.Position{0, 0, 1, 99, 250} {
		all.Go(func() { dense(t, follow(t, l, after, each*writers-int(after)), after) })
	}
	for w := range writers {
		all.Go(func() {
			for i := range each {
				if _, err := l.Append(within(t), Decision(Keyring(w*each+i), 0)); err != nil {
					t.Errorf("append: %v", err)
				}
			}
		})
	}
	all.Wait()
}

func testFollowEnds(t *testing.T, l events.Log) {
	fill(t, l, 3)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range l.Follow(gone, 0) {
		if err != nil {
			t.Errorf("follow with a context that has ended: got %v, want no error", err)
		}
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := 0
	for _, err := range l.Follow(ctx, 0) {
		if err != nil {
			t.Errorf("follow whose context ends while it waits: got %v, want no error", err)
		}
		if seen++; seen == 3 {
			cancel()
		}
	}
	if seen != 3 {
		t.Errorf("follow: got %d messages, want 3", seen)
	}
}

// testMany is what a group commit must get right: every caller's own position.
func testMany(t *testing.T, l events.Log) {
	const callers = 600
	decisions, positions := make([]events.Decision, callers), make([]events.Position, callers)
	for i := range decisions {
		decisions[i] = Decision(Keyring(i), 0)
	}
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			p, err := l.Append(within(t), decisions[i])
			if err != nil {
				t.Errorf("append %d: %v", i, err)
			}
			positions[i] = p
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	messages := read(t, l, 0)
	dense(t, messages, 0)
	if len(messages) != callers {
		t.Fatalf("messages: got %d, want %d", len(messages), callers)
	}
	for i, d := range decisions {
		sameAs(t, messages[positions[i]-1], d, positions[i])
	}
}

// testWriters has writers that read, decide and append again when they are in
// each other's way. What each was told must be what the log holds.
func testWriters(t *testing.T, l events.Log) {
	const writers, each, subjects = 48, 12, 5
	var mu sync.Mutex
	told := map[events.Position]events.EventID{}
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				p, id := insist(t, l, Keyring((w+i)%subjects))
				mu.Lock()
				if _, twice := told[p]; twice {
					t.Errorf("position %d was given to two callers", p)
				}
				told[p] = id
				mu.Unlock()
			}
		})
	}
	all.Wait()
	messages := read(t, l, 0)
	dense(t, messages, 0)
	if len(messages) != writers*each {
		t.Errorf("messages: got %d, want %d", len(messages), writers*each)
	}
	for _, m := range messages {
		if r, err := events.Decode(m); err != nil || r.Events[0].ID != told[m.Position] {
			t.Errorf("position %d: got %v, %v, want %s", m.Position, r.Events, err, told[m.Position])
		}
	}
}

// insist appends a new decision to s, however often it has to be decided anew.
func insist(t *testing.T, l events.Log, s events.Subject) (events.Position, events.EventID) {
	ctx := within(t)
	for ctx.Err() == nil {
		last, err := l.LastOf(ctx, s)
		if err != nil && !errors.Is(err, events.ErrNone) {
			t.Errorf("last of %s: %v", s, err)
			break
		}
		d := Decision(s, last.Position)
		p, err := l.Append(ctx, d)
		var conflict *events.ConflictError
		switch {
		case err == nil:
			return p, d.Events[0].ID
		case !errors.As(err, &conflict):
			t.Errorf("append to %s: %v", s, err)
			return 0, ""
		case conflict.Last <= last.Position:
			t.Errorf("conflict on %s: got last %d, which was known: want one after %d", s, conflict.Last, last.Position)
		}
	}
	return 0, ""
}
