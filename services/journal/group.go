package journal

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/keyledger/keyledger/events"
)

const (
	// aloneStaged is how many appends are published each on its own. The server syncs
	// every one of them; beyond this many an atomic batch, which is synced once but
	// takes as long to stage as three of them, costs less. aloneOnDisk is the same where
	// batches are staged on disk, aloneUnsynced where nobody waits for the disk.
	aloneStaged, aloneOnDisk, aloneUnsynced = 4, 16, 32
	// batchMessages and batchBytes bound one batch. JetStream takes 1000 messages.
	batchMessages = 1000
	batchBytes    = 4 << 20
	// settlers is how many entries of a batch that was not acknowledged are on their
	// way at once when each goes on its own.
	settlers = 64
)

// A group lets many callers share a sync. What gathers while the last commit is
// under way goes together with the next; nobody waits for company.
type group struct {
	j       *Journal
	flights flights

	mu         sync.Mutex
	landing    sync.Cond // told when nothing is flying any more
	waiting    []*entry
	flying     int  // published by their own callers
	company    int  // how many the last commit took
	committing bool // run is under way
	closing    bool
	tasks      sync.WaitGroup
}

func newGroup(j *Journal) *group {
	g := &group{j: j, flights: flights{all: map[string]*flight{}}}
	g.landing.L = &g.mu
	return g
}

// alone is how many appends go each on its own.
func (g *group) alone() int {
	switch {
	case g.j.config.Profile == Relaxed:
		return aloneUnsynced
	case g.j.host.staged.Load():
		return aloneStaged
	}
	return aloneOnDisk
}

// append writes e, alone or in company, and returns what became of it.
func (g *group) append(ctx context.Context, e *entry) outcome {
	g.mu.Lock()
	if g.closing {
		g.mu.Unlock()
		return outcome{err: fmt.Errorf("%w: %w", events.ErrUncertain, errClosed)}
	}
	if alone := g.alone(); !g.committing && g.flying < alone && g.company <= alone {
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
	if g.flying--; g.flying == 0 {
		g.landing.Signal()
	}
	g.mu.Unlock()
	g.tasks.Done()
}

// run commits what waits until nothing does.
func (g *group) run() {
	g.clear()
	for {
		g.gather()
		taken := g.take()
		if len(taken) == 0 {
			return
		}
		if len(taken) <= g.alone() {
			g.each(g.j.settling(), taken)
			continue
		}
		g.commit(taken)
	}
}

// clear waits until nothing is published by its own caller any more. The server works
// on one message after the other, so it delays nobody, and the callers that have
// landed go together with those who came too late to fly.
func (g *group) clear() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.flying > 0 {
		g.landing.Wait()
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

// each publishes every entry on its own, many at a time, and answers its caller.
func (g *group) each(ctx context.Context, entries []*entry) {
	var done sync.WaitGroup
	var next atomic.Int64
	for range min(settlers, len(entries)) {
		done.Go(func() {
			for i := next.Add(1); i <= int64(len(entries)); i = next.Add(1) {
				e := entries[i-1]
				e.done <- g.j.publish(ctx, e)
			}
		})
	}
	done.Wait()
}

// commit writes the entries as one atomic batch. If the batch is refused or
// nobody knows what became of it, each goes on its own: of one that was written the
// server says that its subject has moved on, and so it is recognised.
func (g *group) commit(entries []*entry) {
	f := g.flights.start()
	last, err := g.j.sendBatch(g.j.settling(), f.id, entries)
	if err != nil {
		g.j.host.stage() // it may be that which went wrong
		g.fallBack(entries, err)
		g.flights.land(f, err)
		return
	}
	g.flights.land(f, nil)
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

// fallBack bounds all of them as one append is bounded.
func (g *group) fallBack(entries []*entry, err error) {
	g.j.log.Debug("journal: a batch was not committed; each message goes on its own", "messages", len(entries), "error", err)
	ctx, cancel := context.WithTimeout(g.j.settling(), settleWithin)
	defer cancel()
	doubtful := errors.Is(err, errUnknown) && !g.j.answersAgain(ctx)
	for _, e := range entries {
		e.doubtful = doubtful
	}
	g.each(ctx, entries)
}

// answersAgain waits, for most of the time there is, until the server has done all that
// it was sent before: what became of that can be looked up then.
func (j *Journal) answersAgain(ctx context.Context) bool {
	limit, cancel := context.WithTimeout(ctx, settleWithin/2)
	defer cancel()
	for j.passThrough(limit) != nil {
		if !pause(limit, 5*time.Millisecond) {
			return false
		}
	}
	return true
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
func (j *Journal) sendBatch(ctx context.Context, id string, entries []*entry) (events.Position, error) {
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
