package usage

import (
	"context"
	"slices"
	"time"

	"github.com/keyledger/keyledger/events/access"
)

// Whoever is refused is told so no sooner than most of those are who wait for a record. One who names a key of this ledger waits for the disk, one
// who names any other does not: without this, the time would tell strangers which keys there are.
const (
	paceWaits  = 64                   // how many waits are remembered
	leastHold  = 2 * time.Millisecond // what a refusal takes at least, so that the rest of its way does not show
	unknownLag = 5 * time.Millisecond // before anybody has waited
)

// A pace is how long those who waited for their records did of late.
type pace struct {
	waits [paceWaits]time.Duration
	seen  int
	turn  int
}

func (p *pace) saw(wait time.Duration) {
	p.waits[p.seen%paceWaits] = wait
	p.seen++
}

// most is what nine of ten waits take, or less.
func (p *pace) most() time.Duration {
	if p.seen == 0 {
		return unknownLag
	}
	sorted := p.waits
	of := sorted[:min(p.seen, paceWaits)]
	slices.Sort(of)
	return max(leastHold, of[(len(of)-1)*9/10])
}

// one is as long as one of the waits, each in its turn.
func (p *pace) one() time.Duration {
	if p.seen == 0 {
		return 0
	}
	p.turn++
	return p.waits[p.turn%min(p.seen, paceWaits)]
}

// held has a record's wait take as long as a refusal does, if it is one.
func (r *Recorder) held(rec *access.Record, wait func(context.Context) error) func(context.Context) error {
	if rec.Outcome == access.Allowed {
		return wait
	}
	r.mu.Lock()
	least := r.pace.most()
	r.mu.Unlock()
	return notBefore(least, wait)
}

// unrecorded waits as a refusal does that leaves a record, and for what is on its way to the log now.
func (r *Recorder) unrecorded() func(context.Context) error {
	if r.Async {
		return nothing
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	wait := nothing
	if r.underway != nil {
		wait = r.underway.wait
	}
	return notBefore(max(r.pace.most(), r.pace.one()), wait)
}

// notBefore is wait, and returns no sooner than after a while from now, unless it fails or ctx ends. The time is set at once: one set when wait has
// returned would end a little later.
func notBefore(hold time.Duration, wait func(context.Context) error) func(context.Context) error {
	over := make(chan struct{})
	time.AfterFunc(hold, func() { close(over) })
	return func(ctx context.Context) error {
		if err := wait(ctx); err != nil {
			return err
		}
		select {
		case <-over:
		case <-ctx.Done(): // what was to be done is done
		}
		return nil
	}
}
