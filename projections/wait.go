package projections

import (
	"context"
	"fmt"
	"slices"

	"github.com/keyledger/keyledger/events"
)

// A waiter is somebody who waits for a position.
type waiter struct {
	position events.Position
	done     chan error // takes one answer without blocking
}

// Applied is the position that every critical projection has applied.
func (r *Runner) Applied() events.Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.applied()
}

func (r *Runner) applied() events.Position {
	low, some := events.Position(0), false
	for _, m := range r.members {
		if m.critical && (!some || m.shown.position < low) {
			low, some = m.shown.position, true
		}
	}
	if !some {
		return r.reached
	}
	return low
}

// Position is the last record in the rows of the named projection that answer
// now; found is false if there is no such projection.
func (r *Runner) Position(name string) (p events.Position, found bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.members {
		if m.name == name {
			return m.shown.position, true
		}
	}
	return 0, false
}

// Wait returns when every critical projection has applied p. Errors are that
// of ctx, a *DegradedError if a critical projection stopped before it could, and what
// stopped the runner.
func (r *Runner) Wait(ctx context.Context, p events.Position) error {
	r.mu.Lock()
	if done, err := r.answer(p, r.applied()); done {
		r.mu.Unlock()
		return err
	}
	w := waiter{p, make(chan error, 1)}
	r.waiters = append(r.waiters, w)
	r.mu.Unlock()
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		r.forget(w)
		return fmt.Errorf("projections: wait for position %d: %w", p, ctx.Err())
	}
}

func (r *Runner) forget(w waiter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiters = slices.DeleteFunc(r.waiters, func(x waiter) bool { return x.done == w.done })
}

// answer says whether somebody who waits for p need wait no longer, and what
// he is told.
func (r *Runner) answer(p, applied events.Position) (done bool, err error) {
	if applied >= p {
		return true, nil
	}
	for _, m := range r.members {
		if d := m.shown.degraded; m.critical && d != nil && d.Position <= p {
			return true, &DegradedError{Projection: m.name, Degradation: *d}
		}
	}
	return r.stopped != nil, r.stopped
}

// wake answers those who need wait no longer. The caller holds mu.
func (r *Runner) wake() {
	applied := r.applied()
	r.waiters = slices.DeleteFunc(r.waiters, func(w waiter) bool {
		done, err := r.answer(w.position, applied)
		if done {
			w.done <- err
		}
		return done
	})
}

// publish shows what a lane has written.
func (r *Runner) publish(l *lane) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range l.members {
		m.show()
	}
	for _, a := range l.seen {
		r.acknowledged[a] = true
	}
	if l.main {
		r.reached = l.position
	}
	r.wake()
}
