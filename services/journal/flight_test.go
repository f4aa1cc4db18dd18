package journal

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/keyledger/keyledger/events"
)

// commits reports whether m ends a batch.
func commits(m *nats.Msg) bool { return m.Header.Get(headerBatchCommit) != "" }

// notYet wants a follower to have seen nothing, now and for a while.
func (f *following) notYet(t *testing.T, why string) {
	t.Helper()
	time.Sleep(100 * time.Millisecond)
	if p := f.seen.Load(); p != 0 {
		t.Errorf("position %d was delivered %s", p, why)
	}
}

// TestFollowWaitsForTheOutcome has the acknowledgement of a batch get lost, and the
// server say nothing more for a while: whether the batch is on disk is not known, so
// no follower may see it and no caller may be told that it is.
func TestFollowWaitsForTheOutcome(t *testing.T) {
	answer := make(chan struct{})
	c := testConfig(t.TempDir())
	c.Timeout = 50 * time.Millisecond
	c.between = func(ctx context.Context, m *nats.Msg, publish request) (*nats.Msg, error) {
		if commits(m) {
			if _, err := publish(context.WithoutCancel(ctx), m); err != nil {
				t.Error(err)
			}
			return nil, context.DeadlineExceeded
		}
		select {
		case <-answer:
			return publish(ctx, m)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	j := opened(t, c)
	f := followed(t, j)
	entries := waitingEntries(t, 3)
	var all sync.WaitGroup
	all.Go(func() { j.group.commit(entries) })
	waitFor(t, "the batch to be stored", func() bool { last, err := j.Last(t.Context()); return err == nil && last == 3 })
	f.notYet(t, "though nobody knows whether it is on disk")
	for i, e := range entries {
		if len(e.done) > 0 {
			t.Errorf("entry %d was answered for, though nobody knows whether it is on disk", i)
		}
	}
	close(answer)
	f.reach(t, 3)
	all.Wait()
	for i, e := range entries {
		if out := <-e.done; out.err != nil || out.position != events.Position(i+1) {
			t.Errorf("entry %d: got %d, %v", i, out.position, out.err)
		}
	}
}

// TestFollowAsksTheServer follows a batch that nobody was ever answered for, past a
// server that does not answer at first.
func TestFollowAsksTheServer(t *testing.T) {
	var asked atomic.Int64
	answer := make(chan struct{})
	c := testConfig(t.TempDir())
	c.between = func(ctx context.Context, m *nats.Msg, publish request) (*nats.Msg, error) {
		if commits(m) {
			return publish(ctx, m)
		}
		asked.Add(1)
		select {
		case <-answer:
			return publish(ctx, m)
		default:
			return nil, context.DeadlineExceeded
		}
	}
	j := opened(t, c)
	batch := j.group.flights.start()
	if _, err := j.sendBatch(t.Context(), batch.id, waitingEntries(t, 3)); err != nil {
		t.Fatal(err)
	}
	j.group.flights.land(batch, errUnknown)
	f := followed(t, j)
	waitFor(t, "the follower to ask", func() bool { return asked.Load() > 2 })
	f.notYet(t, "though nobody knows whether it is on disk")
	close(answer)
	f.reach(t, 3)
	if last, err := j.Last(t.Context()); err != nil || last != 3 {
		t.Errorf("last: got %d, %v, want 3: to ask writes nothing", last, err)
	}
	if left := j.group.flights.of(batch.id); left != nil {
		t.Error("the batch is on disk and still not known to be")
	}
}

// TestFallBackTogether settles a large batch whose acknowledgement was lost: many at
// a time, and not all at once.
func TestFallBackTogether(t *testing.T) {
	const n = 300
	var now, most atomic.Int64
	c := testConfig(t.TempDir())
	c.between = func(ctx context.Context, m *nats.Msg, publish request) (*nats.Msg, error) {
		if commits(m) {
			_, _ = publish(ctx, m)
			return nil, context.DeadlineExceeded
		}
		at := now.Add(1)
		defer now.Add(-1)
		for old := most.Load(); at > old && !most.CompareAndSwap(old, at); old = most.Load() {
		}
		time.Sleep(time.Millisecond) // so that they meet
		return publish(ctx, m)
	}
	j := opened(t, c)
	entries := waitingEntries(t, n)
	j.group.commit(entries)
	for i, e := range entries {
		if out := <-e.done; out.err != nil || out.position != events.Position(i+1) {
			t.Fatalf("entry %d: got %d, %v", i, out.position, out.err)
		}
	}
	if last, err := j.Last(t.Context()); err != nil || last != n {
		t.Errorf("last: got %d, %v, want %d", last, err, n)
	}
	if most := most.Load(); most < 2 || most > settlers {
		t.Errorf("settled at once: got %d, want 2 to %d", most, settlers)
	}
}
