package projections

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/keyledger/keyledger/events"
)

// An item is a message, decoded ahead of being applied. If it cannot be
// decoded, err says why.
type item struct {
	position events.Position
	record   events.Record
	err      error
	bytes    int // of the message
}

// Bounds of what is decoded ahead, and so of one batch. Large batches are what
// makes a rebuild fast.
const (
	maxItems = 10_000
	maxBytes = 16 << 20 // of messages
)

// A feed reads messages and decodes them on a goroutine of its own. It is a
// bounded queue that is emptied as a whole: whoever applies takes all there is, so that
// batches grow with the load and one message alone is applied at once.
type feed struct {
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}

	recent Recent          // nil if the source has nothing at hand
	news   <-chan struct{} // of recent
	passed atomic.Uint64   // messages up to here were taken from recent: they need not be decoded again

	mu    sync.Mutex
	items []item
	bytes int
	ended bool
	err   error
	ready chan struct{} // holds one token when there may be something to take
	room  chan struct{} // holds one token when there may be room again
}

// newFeed begins to read the messages after a position.
func newFeed(ctx context.Context, after events.Position, read func(context.Context, events.Position) iter.Seq2[events.Message, error]) *feed {
	ctx, cancel := context.WithCancel(ctx)
	f := &feed{ctx: ctx, cancel: cancel, done: make(chan struct{}), ready: make(chan struct{}, 1), room: make(chan struct{}, 1)}
	go f.run(read(ctx, after))
	return f
}

// stop ends the feed and waits for its goroutine.
func (f *feed) stop() {
	f.cancel()
	<-f.done
}

func (f *feed) run(messages iter.Seq2[events.Message, error]) {
	defer close(f.done)
	for m, err := range messages {
		if err != nil {
			f.end(err)
			return
		}
		if uint64(m.Position) > f.passed.Load() && !f.push(decode(m)) {
			return
		}
	}
	f.end(nil)
}

func decode(m events.Message) item {
	r, err := events.Decode(m)
	return item{position: m.Position, record: r, err: err, bytes: len(m.Data)}
}

func (f *feed) end(err error) {
	f.mu.Lock()
	f.ended, f.err = true, err
	f.mu.Unlock()
	signal(f.ready)
}

// push adds an item, when there is room. It is false if the feed was stopped.
func (f *feed) push(it item) bool {
	for {
		f.mu.Lock()
		if len(f.items) == 0 || len(f.items) < maxItems && f.bytes+it.bytes <= maxBytes {
			f.items = append(f.items, it)
			f.bytes += it.bytes
			f.mu.Unlock()
			signal(f.ready)
			return true
		}
		f.mu.Unlock()
		select {
		case <-f.room:
		case <-f.ctx.Done():
			return false
		}
	}
}

// take is everything there is, when there is something, for somebody who has
// what comes up to a position. The slice it returned before is used again. It returns nil
// at the end, with the error that the log ended with, if any.
func (f *feed) take(spare []item, after events.Position) ([]item, error) {
	clear(spare)
	for {
		items, ended, err := f.swap(spare)
		if len(items) > 0 || ended {
			return items, err
		}
		if items = f.atHand(spare, after); len(items) > 0 {
			return items, nil
		}
		select {
		case <-f.ready:
		case <-f.news:
		case <-f.ctx.Done():
			return nil, nil
		}
	}
}

// swap is what was read ahead, for which spare is left if it is anything.
func (f *feed) swap(spare []item) (items []item, ended bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.items) == 0 {
		return nil, f.ended, f.err
	}
	items = f.items
	f.items, f.bytes = spare[:0], 0
	signal(f.room)
	return items, false, nil
}

// atHand is what the source has at hand after a position, read into spare.
func (f *feed) atHand(spare []item, after events.Position) []item {
	items := spare[:0]
	if f.recent == nil {
		return items
	}
	for size := 0; len(items) < maxItems && size < maxBytes; size += items[len(items)-1].bytes {
		m, found := f.recent.Recent(after + 1)
		if !found {
			break
		}
		after++
		f.passed.Store(uint64(after))
		items = append(items, decode(m))
	}
	return items
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
