package node

import (
	"context"
	"time"
)

// replayAtMost is about how many bytes of the projections' own log a start after a
// kill has to replay, which it does before it serves. The store by itself would keep
// several times as much.
var replayAtMost uint64 = 16 << 20 // tests have less

const (
	// replayEvery is how often that is looked at.
	replayEvery = 10 * time.Second
	// flushPatience is how long a start waits for what it has caught up with to be on
	// disk. A disk that is full would make it wait for ever.
	flushPatience = 10 * time.Second
)

// keepReplayShort has the projections flushed before too much waits, until ctx ends.
func (n *Node) keepReplayShort(ctx context.Context) {
	t := time.NewTicker(replayEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		n.shortenReplay(ctx, replayEvery)
	}
}

// shortenReplay flushes the projections if much waits, and waits for it for some time.
func (n *Node) shortenReplay(ctx context.Context, patience time.Duration) {
	if n.store.Unflushed() < replayAtMost {
		return
	}
	done, err := n.store.FlushSoon()
	if err != nil {
		n.config.Logger.Warn("the projections could not be flushed: the next start takes longer", "error", err)
		return
	}
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
	case <-ctx.Done():
	}
}
