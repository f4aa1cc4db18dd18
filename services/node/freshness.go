package node

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/verify"
)

const (
	// maxStaleness is how old the newest knowledge of the log's end may be when
	// something is decided.
	maxStaleness = time.Second
	// askEvery is how often the log is asked where it ends.
	askEvery = 200 * time.Millisecond
)

// freshness holds that what is known had reached the log's end at most
// maxStaleness ago. It is measured by monotonic time.
type freshness struct {
	last  func(context.Context) (events.Position, error)
	wait  func(context.Context, events.Position) error
	start time.Time
	at    atomic.Int64 // nanoseconds since start at which the log was asked, and what is known has reached its answer
}

func newFreshness(last func(context.Context) (events.Position, error), wait func(context.Context, events.Position) error) *freshness {
	f := &freshness{last: last, wait: wait, start: time.Now()}
	f.at.Store(-int64(time.Hour))
	return f
}

// run keeps asking until ctx ends.
func (f *freshness) run(ctx context.Context) {
	t := time.NewTicker(askEvery)
	defer t.Stop()
	for {
		f.ask(ctx)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

func (f *freshness) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, maxStaleness)
	defer cancel()
	asked := time.Since(f.start)
	last, err := f.last(ctx)
	if err == nil && f.wait(ctx, last) == nil {
		f.at.Store(int64(asked))
	}
}

// age is how long ago what is known had last reached the log's end.
func (f *freshness) age() time.Duration { return time.Since(f.start) - time.Duration(f.at.Load()) }

// check is verify.ErrStale unless what is known is fresh.
func (f *freshness) check(context.Context) error {
	if f.age() > maxStaleness {
		return verify.ErrStale
	}
	return nil
}
