package journal

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/keyledger/keyledger/events"
)

const (
	// alone is how many appends are published each on its own. The server syncs
	// every one of them; beyond this many an atomic batch, which is synced once
	// but is dear to stage, costs less.
	alone = 16
	// batchMessages and batchBytes bound one batch. JetStream takes 1000 messages.
	batchMessages = 1000
	batchBytes    = 4 << 20
)

// A group lets many callers share a sync. What gathers while the last commit is
// under way goes together with the next; nobody waits for company.
type group struct {
	j *Journal
	// flight is the batch that waits for its acknowledgement; nil if none does.
	flight atomic.Pointer[flight]

	mu         sync.Mutex
	waiting    []*entry
	flying     int  // published by their own callers
	company    int  // how many the last commit took
	committing bool // run is under way
	closing    bool
	tasks      sync.WaitGroup
}

// A flight is a batch that the server may show to readers before it is on disk.
type flight struct {
	id     string
	landed chan struct{} // closed when its outcome is known, or will not be
}

func newGroup(j *Journal) *group { return &group{j: j} }

// append writes e, alone or in company, and returns what became of it.
func (g *group) append(ctx context.Context, e *entry) outcome {
	g.mu.Lock()
	if g.closing {
		g.mu.Unlock()
		return outcome{err: fmt.Errorf("%w: %w", events.ErrUncertain, errClosed)}
	}
	if !g.committing && g.flying < alone && g.company <= alone {
		g.flying++
		g.tasks.Add(1)
		g.mu.Unlock()
		defer g.landed()
		return g.j.publish(ctx, e)
	}
	e.done = make(chan outcome, 1)
	g.waiting = append(g.waiting, e)
	if !g.committing {
		g.committing = true
		g.tasks.Go(g.run)
	}
	g.mu.Unlock()
	select {
	case out := <-e.done:
		return out
	case <-ctx.Done():
		return outcome{err: fmt.Errorf("%w: %w", events.ErrUncertain, context.Cause(ctx))}
	}
}

func (g *group) landed() {
	g.mu.Lock()
	g.flying--
	g.mu.Unlock()
	g.tasks.Done()
}

// run commits what waits until nothing does.
func (g *group) run() {
	for {
		g.gather()
		taken := g.take()
		if len(taken) == 0 {
			return
		}
		if len(taken) <= alone {
			g.each(taken)
			continue
		}
		g.commit(taken)
	}
}

// gather lets everybody who is about to append do so first: those whom the last
// commit answered come back at once. It yields as long as that brings more, and
// sleeps not at all.
func (g *group) gather() {
	for had, idle := 0, 0; idle < 3; {
		runtime.Gosched()
		g.mu.Lock()
		n := len(g.waiting)
		g.mu.Unlock()
		if n >= batchMessages {
			return
		}
		if n == had {
			idle++
			continue
		}
		had, idle = n, 0
	}
}

// take removes the next company from those who wait: at most one entry per
// subject, because a batch is checked against the log as it was before.
func (g *group) take() []*entry {
	g.mu.Lock()
	defer g.mu.Unlock()
	var taken, left []*entry
	subjects, size := make(map[string]bool, len(g.waiting)), 0
	for _, e := range g.waiting {
		if subjects[e.subject] || len(taken) == batchMessages || size+len(e.data) > batchBytes && size > 0 {
			left = append(left, e)
			continue
		}
		subjects[e.subject] = true
		size += len(e.data)
		taken = append(taken, e)
	}
	g.waiting = left
	if g.committing = len(taken) > 0; g.committing {
		g.company = len(taken)
	}
	return taken
}

// each publishes every entry on its own, together, and answers its caller.
func (g *group) each(entries []*entry) {
	var done sync.WaitGroup
	for _, e := range entries {
		done.Go(func() { e.done <- g.j.publish(g.j.settling(), e) })
	}
	done.Wait()
}

// commit writes the entries as one atomic batch. If the batch is refused or
// nobody knows what became of it, each is settled on its own: one that was
// written is recognised, one that was not is published.
func (g *group) commit(entries []*entry) {
	last, err := g.j.sendBatch(g.j.settling(), entries)
	if err != nil {
		g.fallBack(entries, err)
		return
	}
	first := last - events.Position(len(entries)) + 1
	landed := make([]events.Message, len(entries))
	for i, e := range entries {
		landed[i] = e.at(first + events.Position(i))
	}
	g.j.fresh.put(landed...)
	for i, e := range entries {
		e.done <- outcome{position: first + events.Position(i)}
	}
}

func (g *group) fallBack(entries []*entry, err error) {
	g.j.log.Debug("journal: a batch was not committed; each message goes on its own", "messages", len(entries), "error", err)
	if !errors.Is(err, errUnknown) {
		g.each(entries)
		return
	}
	var open []*entry
	for _, e := range entries {
		out, settled := g.j.settle(g.j.settling(), e, err)
		if settled {
			e.done <- out
			continue
		}
		open = append(open, e)
	}
	g.each(open)
}

// close refuses what comes and waits for what is under way.
func (g *group) close() {
	g.mu.Lock()
	g.closing = true
	g.mu.Unlock()
	g.tasks.Wait()
}

// settling is the context of work that answers several callers: it does not end
// with one of them.
func (j *Journal) settling() context.Context { return context.WithoutCancel(j.ctx) }

// sendBatch publishes the entries as one atomic batch and returns the position
// of the last; the others lie before it without a gap.
func (j *Journal) sendBatch(ctx context.Context, entries []*entry) (events.Position, error) {
	id := nats.NewInbox()
	f := &flight{id: id, landed: make(chan struct{})}
	j.group.flight.Store(f)
	defer close(f.landed)
	defer j.group.flight.Store(nil)
	for i, e := range entries[:len(entries)-1] {
		if err := j.write.PublishMsg(e.inBatch(id, i+1)); err != nil {
			return 0, fmt.Errorf("%w: %w", errUnsent, err)
		}
	}
	m := entries[len(entries)-1].inBatch(id, len(entries))
	m.Header[headerBatchCommit] = []string{"1"}
	return j.send(ctx, m)
}

func (e *entry) inBatch(id string, seq int) *nats.Msg {
	m := e.message()
	m.Header[headerBatchID] = []string{id}
	m.Header[headerBatchSeq] = []string{strconv.Itoa(seq)}
	return m
}
