package journal

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/logtest"
)

// TestLostMessages holds the log to its contract while publishes get lost, by
// turns on the way there and on the way back.
func TestLostMessages(t *testing.T) {
	for name, lost := range map[string]func(n uint64) (going, returning bool){
		"nearly always": func(n uint64) (bool, bool) { return n%8 == 1, n%8 > 1 },
		"by turns":      func(n uint64) (bool, bool) { return n%3 == 0, n%3 == 1 },
	} {
		t.Run(name, func(t *testing.T) {
			logtest.Run(t, func(t *testing.T) events.Log {
				c := testConfig(t.TempDir())
				c.between = losing(lost)
				return opened(t, c)
			})
		})
	}
}

func losing(lost func(n uint64) (going, returning bool)) func(context.Context, *nats.Msg, request) (*nats.Msg, error) {
	var n atomic.Uint64
	return func(ctx context.Context, m *nats.Msg, publish request) (*nats.Msg, error) {
		going, returning := lost(n.Add(1))
		if going {
			return nil, context.DeadlineExceeded
		}
		reply, err := publish(ctx, m)
		if returning {
			return nil, context.DeadlineExceeded
		}
		return reply, err
	}
}

// TestGivesUp is told nothing, ever, and finds nothing.
func TestGivesUp(t *testing.T) {
	c := testConfig(t.TempDir())
	c.between = losing(func(uint64) (bool, bool) { return true, false })
	j := opened(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := j.Append(ctx, logtest.Decision(logtest.Keyring(1), 0)); !errors.Is(err, events.ErrUncertain) {
		t.Errorf("append: got %v, want ErrUncertain", err)
	}
}

// TestLateArrival has a publish arrive when its append has been answered
// already, and another after the subject has moved on: neither is written again.
func TestLateArrival(t *testing.T) {
	var late []*nats.Msg
	hold := true
	c := testConfig(t.TempDir())
	c.between = func(ctx context.Context, m *nats.Msg, publish request) (*nats.Msg, error) {
		if hold {
			late, hold = append(late, m), false
			return nil, context.DeadlineExceeded
		}
		return publish(ctx, m)
	}
	j := opened(t, c)
	first := logtest.Decision(logtest.Keyring(1), 0)
	for after, d := range []events.Decision{first, logtest.Decision(logtest.Keyring(1), 1)} {
		hold = true
		if p, err := j.Append(t.Context(), d); err != nil || int(p) != after+1 {
			t.Fatalf("append: got %d, %v, want %d", p, err, after+1)
		}
	}
	for i, m := range late {
		reply, err := j.write.RequestMsgWithContext(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := readAck(reply); err == nil {
			t.Errorf("late arrival %d was written at %d", i, p)
		}
	}
	if len(late) != 2 {
		t.Errorf("late arrivals: got %d, want 2", len(late))
	}
	if last, err := j.Last(t.Context()); err != nil || last != 2 {
		t.Errorf("last: got %d, %v, want 2", last, err)
	}
}

// TestBatch writes one atomic batch and reads back where each message came to lie.
func TestBatch(t *testing.T) {
	j := opened(t, testConfig(t.TempDir()))
	filled(t, j, 3)
	entries := make([]*entry, batchMessages)
	for i := range entries {
		entries[i] = entryOf(t, logtest.Decision(logtest.Keyring(100+i), 0))
		entries[i].done = make(chan outcome, 1)
	}
	j.group.commit(entries)
	for i, e := range entries {
		out := <-e.done
		if want := events.Position(3 + i + 1); out.err != nil || out.position != want {
			t.Fatalf("entry %d: got %d, %v, want %d", i, out.position, out.err, want)
		}
		if m, err := j.At(t.Context(), out.position); err != nil || !e.wrote(m) {
			t.Fatalf("position %d: got %s, %v, want entry %d", out.position, m.Subject, err, i)
		}
	}
}

// TestFollowWaitsForTheSync has a batch stored but not acknowledged: a follower
// must not see it yet.
func TestFollowWaitsForTheSync(t *testing.T) {
	delivered := make(chan events.Position, 10)
	c := testConfig(t.TempDir())
	c.between = func(ctx context.Context, m *nats.Msg, publish request) (*nats.Msg, error) {
		reply, err := publish(ctx, m)
		select {
		case p := <-delivered:
			t.Errorf("position %d was delivered before it was acknowledged", p)
		case <-time.After(100 * time.Millisecond):
		}
		return reply, err
	}
	j := opened(t, c)
	var all sync.WaitGroup
	all.Go(func() {
		for m, err := range j.Follow(t.Context(), 0) {
			if err != nil {
				return
			}
			delivered <- m.Position
		}
	})
	entries := waitingEntries(t, 3)
	j.group.commit(entries)
	for _, e := range entries {
		if out := <-e.done; out.err != nil {
			t.Fatal(out.err)
		}
	}
	for want := range events.Position(3) {
		select {
		case got := <-delivered:
			if got != want+1 {
				t.Errorf("follow: got position %d, want %d", got, want+1)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("follow: position %d was not delivered", want+1)
		}
	}
	closed(t, j)
	all.Wait()
}

// waitingEntries are n decisions that wait for a group commit.
func waitingEntries(t *testing.T, n int) (entries []*entry) {
	t.Helper()
	for i := range n {
		e := entryOf(t, logtest.Decision(logtest.Keyring(i), 0))
		e.done = make(chan outcome, 1)
		entries = append(entries, e)
	}
	return entries
}

// TestBatchRefused has one message of a batch in conflict and one written
// before: neither keeps the others out.
func TestBatchRefused(t *testing.T) {
	j := opened(t, testConfig(t.TempDir()))
	before := logtest.Decision(logtest.Keyring(0), 0)
	if _, err := j.Append(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Append(t.Context(), logtest.Decision(logtest.Keyring(1), 0)); err != nil {
		t.Fatal(err)
	}
	decisions := []events.Decision{before, logtest.Decision(logtest.Keyring(1), 0), logtest.Decision(logtest.Keyring(2), 0), logtest.Decision(logtest.Keyring(3), 0)}
	var entries []*entry
	for _, d := range decisions {
		e := entryOf(t, d)
		e.done = make(chan outcome, 1)
		entries = append(entries, e)
	}
	j.group.commit(entries)
	if out := <-entries[0].done; out.err != nil || out.position != 1 {
		t.Errorf("the repeat: got %d, %v, want 1", out.position, out.err)
	}
	var conflict *events.ConflictError
	if out := <-entries[1].done; !errors.As(out.err, &conflict) || conflict.Last != 2 {
		t.Errorf("the stale one: got %v, want a conflict at 2", out.err)
	}
	for _, e := range entries[2:] {
		if out := <-e.done; out.err != nil || out.position < 3 || out.position > 4 {
			t.Errorf("a sound one: got %d, %v, want 3 or 4", out.position, out.err)
		}
	}
	if last, err := j.Last(t.Context()); err != nil || last != 4 {
		t.Errorf("last: got %d, %v, want 4", last, err)
	}
}

// TestBatchTakesOnePerSubject has the second of a subject wait for the next batch.
func TestBatchTakesOnePerSubject(t *testing.T) {
	g := newGroup(nil)
	for i := range 30 {
		g.waiting = append(g.waiting, entryOf(t, logtest.Decision(logtest.Keyring(i%10), 0)))
	}
	for round := range 3 {
		taken := g.take()
		if len(taken) != 10 {
			t.Fatalf("round %d: got %d entries, want 10", round, len(taken))
		}
		for i, e := range taken {
			if want := logtest.Keyring(i).String(); e.subject != want {
				t.Errorf("round %d, entry %d: got %s, want %s", round, i, e.subject, want)
			}
		}
	}
	if taken := g.take(); len(taken) != 0 || g.committing {
		t.Errorf("in the end: got %d entries, committing %v", len(taken), g.committing)
	}
}

func TestBatchIsBounded(t *testing.T) {
	g := newGroup(nil)
	for i := range batchMessages + 1 {
		g.waiting = append(g.waiting, &entry{subject: logtest.Keyring(i).String(), data: make([]byte, batchBytes/500)})
	}
	if taken := g.take(); len(taken) != 500 {
		t.Errorf("by bytes: got %d entries, want 500", len(taken))
	}
	for _, e := range g.waiting {
		e.data = nil
	}
	for i := range batchMessages {
		g.waiting = append(g.waiting, &entry{subject: logtest.Keyring(5000 + i).String()})
	}
	if taken := g.take(); len(taken) != batchMessages {
		t.Errorf("by number: got %d entries, want %d", len(taken), batchMessages)
	}
}

// TestServerLimit has JetStream refuse for want of room of its own.
func TestServerLimit(t *testing.T) {
	c := testConfig(t.TempDir())
	c.maxStore = 64 << 10
	j := opened(t, c)
	var off *events.UnavailableError
	for i := range 1000 {
		d := logtest.Decision(logtest.Keyring(i), 0)
		_, err := j.Append(t.Context(), d)
		if err == nil {
			continue
		}
		if !errors.As(err, &off) {
			t.Fatalf("append %d: got %v, want an UnavailableError", i, err)
		}
		if last, err := j.Last(t.Context()); err != nil || int(last) != i {
			t.Errorf("last: got %d, %v, want %d", last, err, i)
		}
		return
	}
	t.Error("the limit was never reached")
}

func TestTooLarge(t *testing.T) {
	j := opened(t, testConfig(t.TempDir()))
	d := logtest.Decision(logtest.Keyring(1), 0)
	d.Events[0].Event = events.KeyDisabled{Key: "KLAK0000000000000001", Reason: noise(1, 1<<20)}
	if _, err := j.Append(t.Context(), d); err == nil || errors.Is(err, events.ErrUncertain) || !strings.Contains(err.Error(), "holds at most") {
		t.Errorf("append of more than a MiB: got %v, want an error that is certain", err)
	}
}

func TestClosed(t *testing.T) {
	j := opened(t, testConfig(t.TempDir()))
	filled(t, j, 3)
	var followed error
	var all sync.WaitGroup
	waiting := make(chan bool)
	all.Go(func() {
		for m, err := range j.Follow(t.Context(), 0) {
			if followed = err; m.Position == 3 {
				close(waiting)
			}
		}
	})
	<-waiting
	closed(t, j)
	all.Wait()
	if !errors.Is(followed, errClosed) {
		t.Errorf("follow: got %v, want %v", followed, errClosed)
	}
	if _, err := j.Append(t.Context(), logtest.Decision(logtest.Keyring(9), 0)); !errors.Is(err, events.ErrUncertain) || !errors.Is(err, errClosed) {
		t.Errorf("append: got %v, want ErrUncertain, because it is closed", err)
	}
	if err := j.Close(); err != nil {
		t.Errorf("close again: %v", err)
	}
}

// TestRestarts has the server die under writers and a follower, again and again.
func TestRestarts(t *testing.T) {
	var ailing atomic.Bool
	c := testConfig(t.TempDir())
	c.ailment = func() string {
		if ailing.Load() {
			return "the test says so"
		}
		return ""
	}
	j := opened(t, c)
	w := startWriters(t, j, 40)
	var all sync.WaitGroup
	var seen atomic.Uint64
	all.Go(func() {
		for m, err := range j.Follow(t.Context(), 0) {
			if err != nil {
				if !errors.Is(err, errClosed) {
					t.Errorf("follow: %v", err)
				}
				return
			}
			if p := uint64(m.Position); !seen.CompareAndSwap(p-1, p) {
				t.Errorf("follow: got position %d after %d", p, seen.Load())
			}
		}
	})
	for n := range 5 {
		w.reach(w.count() + 100)
		ailing.Store(true)
		waitFor(t, "a restart", func() bool { return j.Health().Restarts > n })
		ailing.Store(false)
		waitFor(t, "writes to be on", func() bool { h := j.Health(); return h.Sick == "" && h.Writable })
	}
	w.reach(w.count() + 100)
	w.stop()
	if err := j.Check(t.Context(), nil); err != nil {
		t.Errorf("check: %v", err)
	}
	w.verify(j)
	last, err := j.Last(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the follower", func() bool { return seen.Load() == uint64(last) })
	closed(t, j)
	all.Wait()
}

// TestRestartFindsALostTail has a server come back with less than was answered for.
func TestRestartFindsALostTail(t *testing.T) {
	j := opened(t, testConfig(t.TempDir()))
	filled(t, j, 5)
	j.answered(6)
	j.host.stop()
	waitFor(t, "a restart", func() bool { h := j.Health(); return h.Restarts > 0 && h.Sick == "" && h.Fault != nil })
	h := j.Health()
	if h.Fault == nil || h.Fault.Guard != GuardTail || h.Writable || h.Whole() {
		t.Errorf("health: got %+v, want a fault of guard %q", h, GuardTail)
	}
	var off *events.UnavailableError
	if _, err := j.Append(t.Context(), logtest.Decision(logtest.Keyring(9), 0)); !errors.As(err, &off) {
		t.Errorf("append: got %v, want an UnavailableError", err)
	}
}
