// Package feed brings what happened to those outside, as it happens: lifecycle events
// out of LEDGER and uses of keys out of USED, from a place in the past on and joined to
// what is still to come.
//
// The way in: [New] makes a [Feed]; [Feed.Open] finds where a reader begins and gives
// a [Reader], whose [Reader.Items] are the events. A [Cursor] is where to go on.
//
// The limits: it reads the logs and no projection, but for finding a position by
// time. Who may read what is decided by its callers, who ask again and again while a
// reader reads ([Query.Still]). Order is kept within each stream, not between the two. What is
// sealed never leaves.
package feed

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
)

// Ledger is LEDGER as a feed reads it; an [events.Log] is one.
type Ledger interface {
	Last(ctx context.Context) (events.Position, error)
	At(ctx context.Context, p events.Position) (events.Message, error)
	Follow(ctx context.Context, after events.Position) iter.Seq2[events.Message, error]
}

// Uses is USED as a feed reads it.
type Uses interface {
	// FirstUse is the position of the first message that was not trimmed, be it lost; where all
	// were, the one that the next will have. LastUse is that of the last message there ever was.
	FirstUse(ctx context.Context) (access.Position, error)
	LastUse(ctx context.Context) (access.Position, error)
	// UsesAt is the message at p, or events.ErrNone.
	UsesAt(ctx context.Context, p access.Position) (access.Message, error)
	FollowUses(ctx context.Context, after access.Position) iter.Seq2[access.Message, error]
}

// Config is what a feed stands on. What has no default is required.
type Config struct {
	Ledger Ledger
	Uses   Uses
	// LedgerAt is the end of the longest prefix of LEDGER whose times are all at or
	// before t, or something before that.
	LedgerAt func(t time.Time) (events.Position, error)
	// Excused is whether an operator let a message of LEDGER pass that cannot be read.
	Excused func(events.Position) bool
	// ExcusedUse is the same for a message of USED, or for one that is lost; none if it is nil.
	ExcusedUse func(access.Position) bool
	Now        func() time.Time

	Readers    int           // at once; MaxReaders if zero
	PerAccount int           // of them for one account's callers, and set aside for the operator's; MaxPerAccount if zero
	PerUser    int           // of them for one user; MaxPerUser if zero
	Heartbeat  time.Duration // how long a reader hears nothing at most; 10 s if zero
	Recheck    time.Duration // how often Query.Still is asked; 1 s if zero

	// Ended is told why a reader gets no more, or could not begin for want of a place: the
	// code of an End, or CodeCrowded. Nothing if it is nil.
	Ended func(code string)
}

// tick is how often a reader is looked after: often enough that the looks around a sign of life are near it.
func (c *Config) tick() time.Duration { return min(c.Recheck, c.Heartbeat/4) }

// CodeCrowded is what Config.Ended is told of a reader for which there was no place.
const CodeCrowded = "events.crowded"

// A Feed may be used by many goroutines at once.
type Feed struct {
	Config
	ctx  context.Context // ends when Close is called
	stop context.CancelFunc

	places places

	mu      sync.Mutex
	readers map[*Reader]bool
}

// New makes a feed.
func New(c Config) *Feed {
	if c.Readers == 0 {
		c.Readers = MaxReaders
	}
	if c.PerAccount == 0 {
		c.PerAccount = MaxPerAccount
	}
	if c.PerUser == 0 {
		c.PerUser = MaxPerUser
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = 10 * time.Second
	}
	if c.Recheck == 0 {
		c.Recheck = time.Second
	}
	if c.Ended == nil {
		c.Ended = func(string) {}
	}
	f := &Feed{Config: c, places: newPlaces(c), readers: map[*Reader]bool{}}
	f.ctx, f.stop = context.WithCancel(context.Background())
	return f
}

// Close ends every reader with EndStopping and lets no other begin.
func (f *Feed) Close() { f.stop() }

// A Query is who wants what from where.
type Query struct {
	Caller Caller // whose place among the readers it takes
	Filter Filter
	From   From
	Follow bool // go on with what is still to come
	// Until ends the reader with EndUntil when it has been told all there is of before; zero:
	// it does not.
	Until time.Time
	// Still is asked while the reader reads. ErrNoLonger ends it with EndDenied, any other
	// error with EndUnavailable.
	Still func() error
}

// ErrNoLonger says that a reader may not read any more what it reads.
var ErrNoLonger = errors.New("feed: the reader's key or role has changed")

// Open admits a reader and finds where it begins. The error is a *RefusedError or a
// fault. The reader must be closed.
func (f *Feed) Open(ctx context.Context, q Query) (*Reader, error) {
	if f.ctx.Err() != nil {
		return nil, refuse(Crowded, "the server is stopping; try again")
	}
	if err := f.places.take(q.Caller); err != nil {
		f.Ended(CodeCrowded)
		return nil, err
	}
	r := &Reader{feed: f, Query: q}
	r.release = sync.OnceFunc(func() { f.leave(r) })
	if err := r.begin(ctx); err != nil {
		r.Close()
		return nil, err
	}
	r.tellWhere()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readers[r] = true
	return r, nil
}

func (f *Feed) leave(r *Reader) {
	f.places.leave(r.Caller)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.readers, r)
}

// Lag is how many readers there are and, of the one that is furthest behind in a
// stream, how many messages it has before it if the stream ends at a position.
func (f *Feed) Lag(ledgerEnd, usedEnd uint64) (readers int, ledger, used uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for r := range f.readers {
		if at := r.told[0].Load(); r.Filter.wantsLedger() && at <= ledgerEnd {
			ledger = max(ledger, ledgerEnd+1-at)
		}
		if at := r.told[1].Load(); r.Filter.wantsUsed() && at <= usedEnd {
			used = max(used, usedEnd+1-at)
		}
	}
	return len(f.readers), ledger, used
}
