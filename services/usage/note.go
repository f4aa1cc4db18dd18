package usage

import (
	"context"
	"time"

	"github.com/keyledger/keyledger/events/access"
)

// Note is Submit for a record that nobody waits for in either mode. It goes with the next that somebody
// waits for, or when it has waited for Config.Gather. Until then it is lost if the process dies;
// Close records it.
func (r *Recorder) Note(rec access.Record) error {
	if rec.Outcome == access.Attempt && r.surplus.counts(rec) {
		return nil
	}
	return r.gather(&rec)
}

// gather puts a record in line that nobody waits for, and has all that gather be due after a while.
func (r *Recorder) gather(rec *access.Record) error {
	if _, err := r.enqueue(rec, false); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.gathering {
		r.gathering = true
		time.AfterFunc(r.Gather, r.gathered)
	}
	return nil
}

// gathered ends what gather began.
func (r *Recorder) gathered() {
	r.mu.Lock()
	r.gathering = false
	r.mu.Unlock()
	r.hurry()
}

// hurry has all that is in line be published, and is the last batch of it; what is under way if
// nothing is in line, and nil if nothing is.
func (r *Recorder) hurry() *batch {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := r.last()
	if last == nil {
		return r.underway
	}
	last.due = true
	r.signal()
	return last
}

// Flush returns when it is known what became of every record that was taken before it. The error is
// what Record would say to the last of them.
func (r *Recorder) Flush(ctx context.Context) error {
	if last := r.hurry(); last != nil {
		return last.wait(ctx)
	}
	return nil
}
