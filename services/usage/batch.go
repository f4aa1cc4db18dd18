package usage

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
)

const (
	// doubtful is how long a batch of which nobody knows what became of it is sent
	// again: the log knows its name for two minutes.
	doubtful = 100 * time.Second
	// complainEvery is how often at most it is logged that records are lost.
	complainEvery = 10 * time.Second
	// unwritten is how often a log is tried that takes no writes.
	unwritten = 200 * time.Millisecond
)

// A batch is records that go in one message.
type batch struct {
	data    []byte
	records int
	due     bool          // it has to go: somebody waits for it, it has gathered for long enough, or it is full
	since   time.Time     // when its first record came
	awaited time.Time     // when the first came that somebody waits for
	done    chan struct{} // closed when err says what became of it
	err     error
	wait    func(context.Context) error // outcome: made once for all that wait
}

func newBatch(size int) *batch {
	b := &batch{done: make(chan struct{}), data: make([]byte, 0, size), since: time.Now()}
	b.wait = b.outcome
	return b
}

// add takes a record. Messages of protobuf are joined by joining their bytes.
func (b *batch) add(record []byte) {
	b.data = append(b.data, record...)
	b.records++
}

// outcome returns what became of the batch, when it is known.
func (b *batch) outcome(ctx context.Context) error {
	select {
	case <-b.done:
		return b.err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", events.ErrUncertain, context.Cause(ctx))
	}
}

// run is the packer: one message is under way at a time.
func (r *Recorder) run() {
	defer close(r.done)
	tick := time.NewTicker(secondly)
	defer tick.Stop()
	for {
		runtime.Gosched() // whoever can run now may have a record that fits into the next message
		b, closing := r.take()
		switch {
		case b != nil:
			r.publish(b)
			select {
			case <-tick.C: // a busy log is no reason for a summary to wait: a crash would lose it
				r.summarise(false)
			default:
			}
			continue
		case closing && !r.summarise(true):
			return
		case closing:
			continue
		}
		select {
		case <-r.wake:
		case <-tick.C:
			r.summarise(false)
		}
	}
}

// take is the first batch in line, if it is to go now, and whether no more will come.
func (r *Recorder) take() (b *batch, closing bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.line) > 0 && (r.line[0].due || r.closing) {
		b, r.line = r.line[0], r.line[1:]
	}
	r.underway = b
	return b, r.closing
}

// last is the batch that is being filled; nil if none is. The caller holds mu.
func (r *Recorder) last() *batch {
	if n := len(r.line); n > 0 {
		return r.line[n-1]
	}
	return nil
}

// publish brings a batch into the log and tells those who wait for it.
func (r *Recorder) publish(b *batch) {
	id, err := r.Draw.EventID()
	switch {
	case err == nil && r.Async:
		err = r.insist(string(id), b)
	case err == nil:
		err = r.append(string(id), b)
	}
	r.settle(b, err)
	b.err = err
	if b.records > 1 {
		go close(b.done) // waking so many takes as long as a tenth of a publish, and the next one need not wait for it
	} else {
		close(b.done)
	}
}

// append sends a batch under one name until it is known what became of it.
func (r *Recorder) append(id string, b *batch) error {
	ctx, cancel := context.WithTimeout(r.ctx, r.doubtful)
	defer cancel()
	doubt := false
	for {
		_, err := r.Log.AppendUses(ctx, id, b.data)
		var off *events.UnavailableError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &off) && !doubt:
			return err
		case errors.Is(err, events.ErrUncertain):
			doubt = true
		case off == nil:
			return err
		}
		select {
		case <-ctx.Done():
			if !doubt {
				return err
			}
			return fmt.Errorf("%w: %w", events.ErrUncertain, err)
		case <-time.After(unwritten):
		}
	}
}

// insist sends a batch under one name until the log has it: whoever made its records has been
// answered. When the log may no longer know the name, it is looked whether the batch is there before it is sent
// again. It ends without when nobody waits any more.
func (r *Recorder) insist(id string, b *batch) error {
	for doubt := (time.Time{}); ; {
		began := time.Now()
		p, err := r.send(id, b)
		if err != nil && errors.Is(err, events.ErrUncertain) && doubt.IsZero() {
			doubt = began
		}
		if err != nil && !doubt.IsZero() && time.Since(doubt) > r.doubtful {
			var lookErr error
			if p, lookErr = r.Log.SettleUses(r.ctx, id, r.at); lookErr == nil {
				doubt = time.Time{} // and if it is nowhere, it is sent as if for the first time
			}
			if lookErr == nil && p > 0 {
				err = nil
			}
		}
		if err == nil {
			r.at = max(r.at, p)
			return nil
		}
		select {
		case <-r.ctx.Done():
			if !doubt.IsZero() {
				err = fmt.Errorf("%w: %w", events.ErrUncertain, err)
			}
			return err
		case <-time.After(unwritten):
		}
	}
}

// send sends a batch once. Where the log ended before the first is what SettleUses has to know.
func (r *Recorder) send(id string, b *batch) (access.Position, error) {
	if !r.begun {
		last, err := r.Log.LastUse(r.ctx)
		if err != nil {
			return 0, err
		}
		r.begun, r.at = true, last
	}
	return r.Log.AppendUses(r.ctx, id, b.data)
}

// settle counts what became of a batch.
func (r *Recorder) settle(b *batch, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting -= b.records
	r.underway = nil
	r.size = len(b.data) + len(b.data)/8
	n := uint64(b.records)
	switch {
	case err == nil:
		r.stats.Recorded += n
		r.stats.Messages++
		if !b.awaited.IsZero() {
			r.pace.saw(time.Since(b.awaited))
		}
	case errors.Is(err, events.ErrUncertain):
		r.stats.Uncertain += n
		r.complain("it is not known whether some access records were recorded", r.stats.Uncertain, err)
	default:
		r.stats.Failed += n
		r.complain("some access records were not recorded", r.stats.Failed, err)
	}
}

// complain logs at most once in a while. The caller holds mu.
func (r *Recorder) complain(what string, records uint64, err error) {
	if time.Since(r.complained) < complainEvery {
		return
	}
	r.complained = time.Now()
	r.Logger.Error("usage: "+what, "records_so_far", records, "error", err)
}
