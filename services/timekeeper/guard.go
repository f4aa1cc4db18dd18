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
	// LastEvent is the time of the last event in the log; zero if there is none.
	LastEvent func(ctx context.Context) (time.Time, error)
	// Observed is the last time that was written down by Observe; zero if none was.
	Observed func(ctx context.Context) (time.Time, error)
	Observe  func(ctx context.Context, t time.Time) error
}

// A Guard says whether the clock can be trusted with what cannot be undone.
// It stops trusting when the wall clock runs ahead of monotonic time by more than
// 5 minutes, falls behind the last event by as much, or at start lies more than 7
// days after the last time that the installation was seen at work; and trusts again
// when an operator confirms the clock.
//
// Seen at work is the later of the last event and the last observation: a
// trusted clock is written down every 10 minutes, so that an installation that is up for
// some hours a day, and in which nothing happens for weeks, is not taken for one
// whose clock has jumped.
type Guard struct {
	GuardConfig

	mu       sync.Mutex
	started  bool
	wall     time.Time     // when the guard last knew the clock to be right
	mono     time.Duration // the same moment
	observed time.Time
	doubt    string // why the clock is not trusted; empty if it is
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
	if g.doubt == "" {
		g.doubt = g.running(now, last)
	}
	if g.doubt != "" {
		return false, nil
	}
	return true, g.observe(ctx, now)
}

func (g *Guard) start(ctx context.Context, now, last time.Time) error {
	observed, err := g.Observed(ctx)
	if err != nil {
		return err
	}
	seen := last
	if observed.After(seen) {
		seen = observed
	}
	g.started, g.wall, g.mono, g.observed = true, now, g.Monotonic(), observed
	switch {
	case seen.IsZero():
	case now.Sub(seen) > maxAbsence:
		g.doubt = fmt.Sprintf("at start the clock said %s, more than 7 days after the ledger was last seen at work (%s)", stamp(now), stamp(seen))
	case seen.Sub(now) > maxBehind:
		g.doubt = fmt.Sprintf("at start the clock said %s, which is before the ledger was last seen at work (%s)", stamp(now), stamp(seen))
	}
	return nil
}

// running compares the wall clock with monotonic time since both were known to
// agree.
func (g *Guard) running(now, last time.Time) string {
	ahead := now.Sub(g.wall) - (g.Monotonic() - g.mono)
	switch {
	case ahead > maxAhead:
		return fmt.Sprintf("the clock says %s and has run ahead of elapsed time by %s", stamp(now), ahead.Round(time.Second))
	case last.Sub(now) > maxBehind:
		return fmt.Sprintf("the clock says %s, which is before the last event (%s)", stamp(now), stamp(last))
	}
	return ""
}

func (g *Guard) observe(ctx context.Context, now time.Time) error {
	if now.Sub(g.observed) < observeEvery {
		return nil
	}
	if err := g.Observe(ctx, now); err != nil {
		return err
	}
	g.observed = now
	return nil
}

// Doubt says why the clock is not trusted; it is empty if it is.
func (g *Guard) Doubt() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.doubt
}

// Confirm makes the guard trust the clock as it is now. Call it when an
// operator's confirmation has been recorded.
func (g *Guard) Confirm() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.started, g.wall, g.mono, g.doubt = true, g.Now(), g.Monotonic(), ""
	g.observed = time.Time{}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
