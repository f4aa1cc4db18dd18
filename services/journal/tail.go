package journal

import (
	"context"
	"sync"
	"time"

	"github.com/keyledger/keyledger/events"
)

// What a tail keeps for its followers, and asks for at once for one that is further behind.
const (
	tailKept  = 256
	tailBytes = 4 << 20
	tailBatch = 256
)

// A tail is the end of a stream as many follow it at once: one follower for all of them,
// who hears what is new. Whoever has come to the end waits here; whoever is behind reads what
// is past by itself. It works while somebody follows.
type tail struct {
	j       *Journal
	stream  string
	fresh   *handover
	trimmed bool

	mu      sync.Mutex
	users   int
	stop    context.CancelFunc
	done    chan struct{} // closed when the follower of now has ended
	last    events.Position
	kept    []events.Message // the latest, without a gap
	bytes   int
	changed chan struct{} // closed when any of this changes
	err     error         // why it follows no more
}

func newTail(j *Journal, stream string, fresh *handover, trimmed bool) *tail {
	return &tail{j: j, stream: stream, fresh: fresh, trimmed: trimmed, changed: make(chan struct{})}
}

// join has the tail work until leave is called. One that has failed begins anew.
func (t *tail) join() (leave func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.users++; t.users == 1 || t.err != nil {
		before := t.done
		ctx, stop := context.WithCancel(t.j.ctx)
		t.stop, t.done = stop, make(chan struct{})
		t.last, t.kept, t.bytes, t.err = 0, nil, 0, nil
		go t.run(ctx, before, t.done)
	}
	return t.leave
}

func (t *tail) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.users--; t.users == 0 {
		t.stop()
	}
}

// run follows until ctx ends, once the follower before it is gone.
func (t *tail) run(ctx context.Context, before, done chan struct{}) {
	defer close(done)
	if before != nil {
		<-before
	}
	s, err := t.j.state(ctx, t.stream)
	if err == nil {
		t.update(ctx, func() { t.last = events.Position(s.State.Last) })
		at := events.Position(s.State.Last)
		f := &follower{j: t.j, stream: t.stream, fresh: t.fresh, trimmed: t.trimmed, narrow: true, at: at, mark: at}
		err = f.follow(ctx, func(m events.Message, _ error) bool {
			t.update(ctx, func() { t.keep(m) })
			return true
		})
	}
	if err == nil {
		err = errClosed
	}
	t.update(ctx, func() { t.err = err })
}

// update changes what all look at, unless another follower has taken over.
func (t *tail) update(ctx context.Context, change func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ctx.Err() != nil && t.j.ctx.Err() == nil {
		return
	}
	change()
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *tail) keep(m events.Message) {
	if m.Position != t.last+1 { // the front was trimmed up to the end
		t.kept, t.bytes = nil, 0
	}
	t.last, t.kept, t.bytes = m.Position, append(t.kept, m), t.bytes+len(m.Data)
	for len(t.kept) > tailKept || t.bytes > tailBytes && len(t.kept) > 1 {
		t.bytes -= len(t.kept[0].Data)
		t.kept = t.kept[1:]
	}
}

// next is the message behind p, if it is kept; last is where the stream ends as far as is
// known, and changed is closed when more is.
func (t *tail) next(p events.Position) (m events.Message, last events.Position, changed <-chan struct{}, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.kept); n > 0 && p >= t.kept[0].Position-1 && p < t.last {
		m = t.kept[p+1-t.kept[0].Position]
	}
	return m, t.last, t.changed, t.err
}

// shared yields what the tail knows of, and reads what is further back.
func (f *follower) shared(ctx context.Context, yield func(events.Message, error) bool) error {
	defer f.tail.join()()
	for {
		m, last, changed, err := f.tail.next(f.at)
		switch {
		case m.Position != 0:
			f.at, f.since = m.Position, time.Now()
			if !yield(m, nil) {
				return errStopped
			}
		case f.at < last:
			if err := f.catchUp(ctx, last, yield); err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			select {
			case <-changed:
				f.since = time.Now()
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// catchUp reads some of what lies between f.at and last.
func (f *follower) catchUp(ctx context.Context, last events.Position, yield func(events.Message, error) bool) error {
	some, err := f.past(ctx)
	if err != nil {
		return err
	}
	if len(some) == 0 {
		return f.skipped(ctx, last+1)
	}
	for _, m := range some {
		if m.Position != f.at+1 {
			return f.skipped(ctx, m.Position)
		}
		f.at, f.since = m.Position, time.Now()
		if !yield(m, nil) {
			return errStopped
		}
	}
	return nil
}

// past are the messages behind f.at, as many as are asked for at once. They are on disk
// as far as the profile promises.
func (f *follower) past(ctx context.Context) (out []events.Message, err error) {
	ctx, cancel := f.j.host.bounded(ctx, askWithin)
	defer cancel()
	for m, err := range f.j.got(ctx, f.stream, question{Seq: f.at + 1, Batch: tailBatch, MaxBytes: narrowWindow}) {
		if err != nil {
			return nil, err
		}
		if m.Header.Get("Status") != "" {
			break
		}
		if err := f.j.onDisk(ctx, m.Header.Get(headerBatchID)); err != nil {
			return nil, err
		}
		read, err := readMessage(m)
		if err != nil {
			return nil, err
		}
		out = append(out, read)
	}
	return out, nil
}
