package timekeeper

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// maxAhead is how far the wall clock may run ahead of monotonic time.
	maxAhead = 5 * time.Minute
	// maxBehind is how far it may be before what was last seen.
	maxBehind = 5 * time.Minute
	// maxAbsence is how long the installation may have been off without an
	// operator having to look at the clock.
	maxAbsence = 7 * 24 * time.Hour
	// observeEvery is how often a trusted clock is written down.
	observeEvery = 10 * time.Minute
)

// GuardConfig is what a Guard stands on. All fields are required.
type GuardConfig struct {
	Now       func() time.Time     // wall clock
	Monotonic func() time.Duration // since any fixed moment of this process
	// LastEvent is the latest time of any event in the log; zero if there is none.
	LastEvent func(ctx context.Context) (time.Time, error)
	// Recall is what Remember was last told, also by an earlier process; the
	// zero Memory if nothing.
	Recall   func(ctx context.Context) (Memory, error)
	Remember func(ctx context.Context, m Memory) error
}

// A Memory is what a Guard knows beyond the life of a process.
type Memory struct {
	Seen  time.Time `json:"seen,omitzero"`   // when a trusted clock was last written down
	Doubt string    `json:"doubt,omitempty"` // why the clock is not trusted; stands until an operator confirms the clock
	// Excused is the latest time of any event when an operator confirmed the clock:
	// events up to there may have been recorded by a clock that was wrong.
	Excused time.Time `json:"excused,omitzero"`
}

// A Guard says whether the clock can be trusted with what cannot be undone.
// It stops trusting when the wall clock runs ahead of monotonic time by more than
// 5 minutes, falls behind the last event by as much, or at start lies more than 7
// days after the last time that the installation was seen at work; and trusts again
// when an operator confirms the clock. A restart in between changes nothing.
//
// Seen at work is when a trusted clock was last written down, which happens every
// 10 minutes, so that an installation that is up for some hours a day, and in which
// nothing happens for weeks, is not taken for one whose clock has jumped. Where none
// was written down it is the last event.
type Guard struct {
	GuardConfig

	mu        sync.Mutex
	started   bool
	wall      time.Time     // when the guard last knew the clock to be right
	mono      time.Duration // the same moment
	memory    Memory
	kept      Memory // as it was last remembered
	confirmed bool   // since the last Check
}

// NewGuard makes a Guard. It makes up its mind at the first Check.
func NewGuard(c GuardConfig) *Guard { return &Guard{GuardConfig: c} }

// Check looks at the clock and says whether it is trusted.
func (g *Guard) Check(ctx context.Context) (bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	last, err := g.LastEvent(ctx)
	if err != nil {
		return false, err
	}
	now := g.Now()
	if !g.started {
		if err := g.start(ctx, now, last); err != nil {
			return false, err
		}
	}
	if g.confirmed {
		g.confirmed, g.memory.Excused = false, last.UTC()
	}
	if g.memory.Doubt == "" {
		g.memory.Doubt = g.running(now, last)
	}
	if g.memory.Doubt == "" && now.Sub(g.memory.Seen).Abs() >= observeEvery {
		g.memory.Seen = now.UTC().Truncate(time.Second)
	}
	err = g.keep(ctx)
	return g.memory.Doubt == "" && err == nil, err
}

// start recalls what was known and holds the clock to it. A confirmation that
// came before the first Check stands.
func (g *Guard) start(ctx context.Context, now, last time.Time) error {
	m, err := g.Recall(ctx)
	if err != nil {
		return err
	}
	g.started, g.wall, g.mono, g.kept = true, now, g.Monotonic(), m
	seen := m.Seen
	if seen.IsZero() {
		seen = last
	}
	switch {
	case g.confirmed:
		m = Memory{}
	case m.Doubt != "" || seen.IsZero():
	case now.Sub(seen) > maxAbsence:
		m.Doubt = fmt.Sprintf("at start the clock said %s, more than 7 days after the ledger was last seen at work (%s)", stamp(now), stamp(seen))
	case m.Seen.Sub(now) > maxBehind:
		m.Doubt = fmt.Sprintf("at start the clock said %s, which is before the ledger was last seen at work (%s)", stamp(now), stamp(seen))
	}
	g.memory = m
	return nil
}

// running compares the wall clock with monotonic time since both were known to
// agree, and with the events that nobody has excused.
func (g *Guard) running(now, last time.Time) string {
	ahead := now.Sub(g.wall) - (g.Monotonic() - g.mono)
	switch {
	case ahead > maxAhead:
		return fmt.Sprintf("the clock says %s and has run ahead of elapsed time by %s", stamp(now), ahead.Round(time.Second))
	case last.Sub(now) > maxBehind && last.After(g.memory.Excused):
		return fmt.Sprintf("the clock says %s, which is before the last event (%s)", stamp(now), stamp(last))
	}
	return ""
}

// keep remembers what has changed. What could not be remembered is tried again
// at the next Check.
func (g *Guard) keep(ctx context.Context) error {
	if g.memory == g.kept {
		return nil
	}
	if err := g.Remember(ctx, g.memory); err != nil {
		return err
	}
	g.kept = g.memory
	return nil
}

// Doubt says why the clock is not trusted; it is empty if it is.
func (g *Guard) Doubt() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.memory.Doubt
}

// Confirm makes the guard trust the clock as it is now. Call it when an
// operator's confirmation has been recorded; the next Check remembers it.
func (g *Guard) Confirm() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.confirmed, g.wall, g.mono, g.memory = true, g.Now(), g.Monotonic(), Memory{}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
