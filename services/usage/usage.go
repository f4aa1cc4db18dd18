// Package usage records what became of every request that named an access key:
// it packs access records into messages of the USED log.
//
// The way in is [New] and [Recorder.Record]. Packing is by natural batching: when
// nothing is under way a record that somebody waits for is published at once; what gathers meanwhile goes
// together in the next message. An idle ledger answers after one write to the disk, a
// busy one shares it. What nobody waits for gathers for Config.Gather, or until somebody waits.
//
// In the durable mode Record returns when the log has acknowledged the record's
// message. In the async mode it returns at once; what [Stats.Waiting] counts, never
// more than Config.Queue records and never of more than Config.Window, is lost if the
// process dies. While the log takes no writes for longer than the window no record is taken;
// those that were are kept, and written when it does.
//
// The limits: attempts on a key beyond a bound in a second are counted and
// recorded as one summary, for which nobody waits: it is lost if the process dies before. Requests that name no key of ours are counted by source, in
// memory only ([Recorder.Strangers]). What does not fit into the queue is shed with
// [ErrOverloaded] before memory grows. It decides nothing.
package usage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
)

// ErrOverloaded says that a record was not taken: more wait than may. Nothing
// was recorded.
var ErrOverloaded = errors.New("usage: more access records wait than may; try again")

// errClosed says that the recorder takes no records any more.
var errClosed = &events.UnavailableError{Reason: "the ledger is stopping"}

// Defaults of Config.
const (
	DefaultQueue    = 50_000
	DefaultAttempts = 20
	DefaultWindow   = 5 * time.Second
	DefaultGather   = 20 * time.Millisecond
)

// Config is what a Recorder stands on. Log, Draw and Now are required.
type Config struct {
	Log access.Log
	// Draw gives IDs to records and names to batches.
	Draw interface {
		UseID(at time.Time) ([16]byte, error)
		EventID() (events.EventID, error)
	}
	Now func() time.Time // by which records are timed
	// Admit is why the log takes no records now, or nil; always nil if it is left out. It is asked
	// before anything is looked at, so that what is answered then does not depend on the key.
	Admit func() error
	// Async answers before the log does.
	Async bool
	// Window is how long the oldest record may wait in the async mode before no more are
	// taken; DefaultWindow if zero.
	Window time.Duration
	// Gather is how long a record that nobody waits for waits for others to share a message with;
	// DefaultGather if zero.
	Gather time.Duration
	// Queue is how many records may wait; DefaultQueue if zero.
	Queue int
	// Attempts is how many attempts on one key are recorded one by one in a
	// second; DefaultAttempts if zero.
	Attempts int
	Logger   *slog.Logger // silent if nil

	doubtful time.Duration // what tests turn
}

// A Recorder records. It may be used by many goroutines at once.
type Recorder struct {
	Config
	surplus   surplus
	pace      pace // under mu
	strangers strangers

	mu         sync.Mutex
	line       []*batch // first come first; the last is being filled
	underway   *batch   // nil if none is
	gathering  bool     // a timer runs that makes due what is in line
	waiting    int      // records in line and under way
	closing    bool
	size       int // of the last batch's data
	stats      Stats
	complained time.Time     // when it was last logged that records are lost
	wake       chan struct{} // holds one token when there is something to do

	at    access.Position // the last message of this recorder's, or where the log ended before; belongs to run
	begun bool            // at is known

	ctx  context.Context // ends when nobody waits for Close any more
	end  context.CancelFunc
	done chan struct{} // closed when the packer has ended
}

// Stats are counts since New.
type Stats struct {
	Recorded   uint64 // records that the log has acknowledged
	Messages   uint64 // that they were in
	Shed       uint64 // refused because more waited than may, or for longer
	Uncertain  uint64 // of which it is not known whether they were recorded
	Failed     uint64 // that were not recorded because the log took no writes
	Summarised uint64 // attempts that were counted and not recorded one by one
	Unknown    uint64 // requests that named no key of this ledger, counted by source only
	Waiting    int    // records that wait now
	// Oldest is how long the oldest of them has waited, and Window how long one may before no
	// more are taken; zero if they are taken whatever waits.
	Oldest, Window time.Duration
}

// New starts a recorder. Close ends it.
func New(c Config) *Recorder {
	if c.Queue == 0 {
		c.Queue = DefaultQueue
	}
	if c.Window == 0 {
		c.Window = DefaultWindow
	}
	if c.Gather == 0 {
		c.Gather = DefaultGather
	}
	if c.doubtful == 0 {
		c.doubtful = doubtful
	}
	if c.Attempts == 0 {
		c.Attempts = DefaultAttempts
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Recorder{Config: c, wake: make(chan struct{}, 1), done: make(chan struct{})}
	r.surplus.bound = c.Attempts
	r.ctx, r.end = context.WithCancel(context.Background())
	go r.run()
	return r
}

// Stats are the counts now.
func (r *Recorder) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.Waiting, s.Oldest = r.waiting, r.oldest()
	if r.Async {
		s.Window = r.Window
	}
	s.Unknown = r.strangers.all()
	return s
}

// Record records what became of a request. The record's ID is drawn here, and its texts
// are cut to their bounds. Errors are ErrOverloaded and a *events.UnavailableError
// (nothing was recorded), and events.ErrUncertain; in the async mode the first two alone.
func (r *Recorder) Record(ctx context.Context, rec access.Record) error {
	wait, err := r.Submit(rec)
	if err != nil {
		return err
	}
	return wait(ctx)
}

// Submit is Record in two: the record is on its way when it returns, and wait
// returns when Record would.
func (r *Recorder) Submit(rec access.Record) (wait func(context.Context) error, err error) {
	if off := r.able(); off != nil {
		r.refused(off)
		return nil, off
	}
	if rec.Outcome == access.Attempt && r.surplus.counts(rec) {
		return r.unrecorded(), nil
	}
	if r.Async {
		return nothing, r.gather(&rec)
	}
	b, err := r.enqueue(&rec, true)
	if err != nil {
		return nil, err
	}
	r.signal()
	return r.held(&rec, b.wait), nil
}

// able is why no record is taken now, whichever key it is of.
func (r *Recorder) able() error {
	if off := r.behind(); off != nil {
		return off
	}
	if r.Async || r.Admit == nil { // the async mode has its window
		return nil
	}
	return r.Admit()
}

// refused counts a record that the log would take no write for. What is refused because of the async mode's window is
// counted where that is looked at.
func (r *Recorder) refused(off error) {
	if r.Async {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Failed++
	r.complain("access records are not recorded", r.stats.Failed, off)
}

// stalled is how long a durable write may take before whoever names no key of ours is told
// that nothing can be decided, as those who do will be.
const stalled = time.Second

// crowded is why a record would not be taken, or not be answered for in time.
func (r *Recorder) crowded() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closing:
		return errClosed
	case r.waiting >= r.Queue:
		return ErrOverloaded
	case !r.Async && r.underway != nil && time.Since(r.underway.since) > stalled:
		return &events.UnavailableError{Reason: "access records wait for the log"}
	}
	return nil
}

// behind is why no record is taken in the async mode: more would be lost in a crash than
// was declared.
func (r *Recorder) behind() error {
	if !r.Async {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	waits := r.oldest()
	if waits <= r.Window {
		return nil
	}
	off := &events.UnavailableError{Reason: "access records cannot be written and wait for the log: no more are taken until it takes writes"}
	r.stats.Shed++
	r.complain("access records wait for the log, and no more are taken", r.stats.Shed, off)
	return off
}

// oldest is how long the first record in line, or under way, has waited. The caller holds mu.
func (r *Recorder) oldest() time.Duration {
	switch {
	case r.underway != nil:
		return time.Since(r.underway.since)
	case len(r.line) > 0:
		return time.Since(r.line[0].since)
	}
	return 0
}

func nothing(context.Context) error { return nil }

// enqueue puts a record in line. It is encoded before the line is locked, on the stack if it
// is of the usual size: what a record costs here bounds how many a second there are. Its batch is due if
// somebody waits for it.
func (r *Recorder) enqueue(rec *access.Record, waited bool) (*batch, error) {
	var err error
	if rec.ID, err = r.Draw.UseID(rec.Time); err != nil {
		return nil, err
	}
	bound(rec)
	one := [1]access.Record{*rec}
	var room [512]byte
	data := access.Append(room[:0], one[:])
	r.mu.Lock()
	switch {
	case r.closing:
		r.mu.Unlock()
		return nil, errClosed
	case r.waiting >= r.Queue:
		defer r.mu.Unlock()
		r.stats.Shed++
		r.complain("more access records wait than may", r.stats.Shed, ErrOverloaded)
		return nil, ErrOverloaded
	}
	b := r.filling()
	b.add(data)
	b.due = b.due || waited
	if waited && b.awaited.IsZero() {
		b.awaited = time.Now()
	}
	r.waiting++
	r.mu.Unlock()
	return b, nil
}

// filling is the batch that takes the next record. The caller holds mu.
func (r *Recorder) filling() *batch {
	last := r.last()
	switch {
	case last != nil && last.records < access.MaxRecords:
		return last
	case last != nil && !last.due:
		last.due = true
		r.signal()
	}
	b := newBatch(r.size)
	r.line = append(r.line, b)
	return b
}

func (r *Recorder) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Close takes no more records, records what waits and ends. If ctx ends before,
// what is left is uncertain.
func (r *Recorder) Close(ctx context.Context) error {
	r.mu.Lock()
	r.closing = true
	before := r.stats
	r.mu.Unlock()
	r.signal()
	defer r.end()
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
	}
	r.end()
	<-r.done
	left := r.Stats()
	if n := left.Failed + left.Uncertain - before.Failed - before.Uncertain; n > 0 && r.Async {
		return fmt.Errorf("usage: %d access records, whose requests were answered, are not in the log: it took no writes (%w)", n, ctx.Err())
	}
	return ctx.Err()
}

// secondly is how often what was counted is recorded as summaries.
const secondly = time.Second
