package feed

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
)

// A Reader is sent what it asked for.
type Reader struct {
	Query
	feed    *Feed
	release func()

	at        Cursor
	until     Cursor    // where the streams ended when it began; if it is bounded, where it ends
	bounded   bool      // the time is over that it reads until, and so it is known where that is
	notBefore time.Time // nothing earlier is told to one who began at a time
	heard     time.Time // when it last heard anything
	records   []access.Record
	told      [2]atomic.Uint64 // the next messages of at, for others to look at
}

// Close gives up the reader's place.
func (r *Reader) Close() { r.release() }

// Ended tells whoever counts why the reader gets no more.
func (r *Reader) Ended(e End) { r.feed.Ended(e.Code) }

// Stopping is closed when the server is about to stop.
func (r *Reader) Stopping() <-chan struct{} { return r.feed.ctx.Done() }

// An Item is one thing that a reader is told.
type Item struct {
	Cursor Cursor // what comes next is here
	Type   string // of the event
	Event  []byte // a CloudEvents 1.0 event in JSON; nil if there is none
	Alive  bool   // it is time that the reader hears something, and where it is by now
	End    *End   // why there is no more; the last item has it
	// Flush is whether nothing else is at hand: what was held back has to go out now.
	Flush bool
}

// Items are what the reader is told, until ctx ends (which nobody is told of) or
// something else ends it (which the last item says). They can be read once.
func (r *Reader) Items(ctx context.Context) iter.Seq[Item] {
	return func(yield func(Item) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(r.feed.ctx, cancel)()
		var pumps sync.WaitGroup
		defer pumps.Wait()
		defer cancel()
		in := r.arrivals(ctx, &pumps)
		r.heard = time.Now()
		end := r.tell(yield, Item{Alive: true}) // so that it knows where to go on before anything happens
		if end == nil {
			end = r.run(ctx, in, yield)
		}
		if end == nil && r.feed.ctx.Err() != nil {
			end = &EndStopping
		}
		if end != nil && end != endLeft {
			r.Ended(*end)
			yield(Item{Cursor: r.at, End: end, Flush: true})
		}
	}
}

// endLeft says that the one who reads wants no more.
var endLeft = &End{}

// An arrival is a message of one of the streams, or why there are no more.
type arrival struct {
	ledger *events.Message
	used   *access.Message
	err    error
	ofUsed bool // the stream of err
}

// arrivals follows the streams that are wanted.
func (r *Reader) arrivals(ctx context.Context, pumps *sync.WaitGroup) <-chan arrival {
	in, at := make(chan arrival, 2), r.at // which moves as soon as one of them has something
	if r.Filter.wantsLedger() {
		pumps.Go(func() {
			pump(ctx, in, r.feed.Ledger.Follow(ctx, at.ledger()), arrival{}, func(m events.Message) arrival { return arrival{ledger: &m} })
		})
	}
	if r.Filter.wantsUsed() {
		pumps.Go(func() {
			pump(ctx, in, r.feed.Uses.FollowUses(ctx, at.used()), arrival{ofUsed: true}, func(m access.Message) arrival { return arrival{used: &m} })
		})
	}
	return in
}

func pump[M any](ctx context.Context, to chan<- arrival, from iter.Seq2[M, error], failed arrival, as func(M) arrival) {
	for m, err := range from {
		a := failed
		if a.err = err; err == nil {
			a = as(m)
		}
		select {
		case to <- a:
		case <-ctx.Done():
			return
		}
	}
}

// run tells what comes, until it ends. The end is nil if ctx is what ended.
func (r *Reader) run(ctx context.Context, in <-chan arrival, yield func(Item) bool) *End {
	tick := time.NewTicker(r.feed.tick())
	defer tick.Stop()
	for {
		if end := r.over(); end != nil {
			return end
		}
		a, end := r.next(ctx, in, tick.C, yield)
		switch {
		case end != nil || ctx.Err() != nil:
			return end
		case r.beyond(a):
			continue
		case a.err != nil:
			end = endOf(a.err)
		case a.ledger != nil:
			end = r.ledger(*a.ledger, yield)
		case a.used != nil:
			end = r.used(ctx, *a.used, yield)
		}
		if end != nil {
			return end
		}
	}
}

// over is the end of a reader that has been told all that it asked for.
func (r *Reader) over() *End {
	r.tellWhere()
	switch {
	case r.bounded && r.caughtUp():
		return &EndUntil
	case !r.Follow && r.caughtUp():
		return &EndCaughtUp
	}
	return nil
}

// tellWhere has others see how far it is.
func (r *Reader) tellWhere() {
	r.told[0].Store(r.at.Ledger.Message)
	r.told[1].Store(r.at.Used.Message)
}

// next is what arrives next. Before it waits it has what was told go out; while it
// waits, and between any two messages, it looks after the reader.
func (r *Reader) next(ctx context.Context, in <-chan arrival, tick <-chan time.Time, yield func(Item) bool) (a arrival, end *End) {
	select {
	case <-tick:
		if end = r.tend(ctx, yield); end != nil {
			return a, end
		}
	default:
	}
	select {
	case a = <-in:
		return a, nil
	default:
	}
	if end = r.tell(yield, Item{Flush: true}); end != nil {
		return a, end
	}
	for {
		select {
		case a = <-in:
			return a, nil
		case <-tick:
			if end = r.tend(ctx, yield); end != nil {
				return a, end
			}
		case <-ctx.Done():
			return a, nil
		}
	}
}

// beyond is whether a stream has been told to where the reader ends, so that what comes
// of it is none of the reader's business.
func (r *Reader) beyond(a arrival) bool {
	if r.Follow && !r.bounded {
		return false
	}
	if a.used != nil || a.err != nil && a.ofUsed {
		return r.at.Used.Message >= r.until.Used.Message
	}
	return r.at.Ledger.Message >= r.until.Ledger.Message
}

// tend asks whether the reader may still read, and lets it hear something.
func (r *Reader) tend(ctx context.Context, yield func(Item) bool) *End {
	if err := r.still(); errors.Is(err, ErrNoLonger) {
		return &EndDenied
	} else if err != nil {
		return &EndUnavailable
	}
	if !r.bounded && r.past() {
		if err := r.bound(ctx); err != nil {
			return &EndUnavailable
		}
	}
	if r.bounded || !r.Follow { // behind the last message that is lost there is none to tell by that it was let pass
		r.pass(r.until.Used.Message)
	}
	if end := r.over(); end != nil {
		return end
	}
	if time.Since(r.heard)+2*r.feed.tick() <= r.feed.Heartbeat { // the next look comes before it is late, be it a little late itself
		return nil
	}
	r.heard = time.Now()
	return r.tell(yield, Item{Alive: true, Flush: true})
}

// wanted is whether what is of a time is told.
func (r *Reader) wanted(t time.Time) bool {
	return !t.Before(r.notBefore) && (r.Until.IsZero() || t.Before(r.Until))
}

func (r *Reader) still() error {
	if r.Still == nil {
		return nil
	}
	return r.Still()
}

func (r *Reader) tell(yield func(Item) bool, i Item) *End {
	i.Cursor = r.at
	if i.Event != nil {
		r.heard = time.Now()
	}
	if !yield(i) {
		return endLeft
	}
	return nil
}

func (r *Reader) caughtUp() bool {
	return (!r.Filter.wantsLedger() || r.at.Ledger.Message >= r.until.Ledger.Message) &&
		(!r.Filter.wantsUsed() || r.at.Used.Message >= r.until.Used.Message)
}

// endOf is how a reader hears of an error of the log.
func endOf(err error) *End {
	if unreadable(err) {
		return &EndUnreadable
	}
	return &EndUnavailable
}

// ledger tells the events of a message of LEDGER that are wanted.
func (r *Reader) ledger(m events.Message, yield func(Item) bool) *End {
	position, mark := uint64(m.Position), markOf(m.Data)
	if position != r.at.Ledger.Message {
		return &EndUnreadable // nothing of LEDGER is ever missing
	}
	if s, err := events.ParseSubject(m.Subject); err == nil && !r.Filter.subject(s) {
		r.at.Ledger = Point{position + 1, 0, mark}
		return nil
	}
	rec, err := events.Decode(m)
	if err != nil && !r.feed.Excused(m.Position) {
		return endOf(err)
	}
	from, owner := r.at.Ledger.Index, rec.Owner()
	for i := from; i < len(rec.Events); i++ {
		r.at.Ledger = after(position, i, len(rec.Events), mark)
		if !r.Filter.event(owner, rec.Events[i].Event) || !r.wanted(rec.Meta.Time) {
			continue
		}
		body, err := events.EncodePublic(rec, i)
		if err != nil {
			return &EndUnreadable
		}
		if end := r.tell(yield, Item{Type: events.TypeOf(rec.Events[i].Event), Event: body}); end != nil {
			return end
		}
	}
	r.at.Ledger = Point{position + 1, 0, mark}
	return nil
}

// leftOut is why USED goes on behind the reader's place: its front was trimmed under a
// reader that was at it, or it has lost something. Who took the one for the other
// would begin anew further on, over a gap.
func (r *Reader) leftOut(ctx context.Context) *End {
	first, err := r.feed.Uses.FirstUse(ctx)
	switch {
	case err != nil:
		return &EndUnavailable
	case r.at.Used.Message < uint64(first):
		return &EndExpired
	}
	return &EndUnreadable
}

func (r *Reader) excused(use uint64) bool {
	return r.feed.ExcusedUse != nil && r.feed.ExcusedUse(access.Position(use))
}

// pass goes on to a message of USED over those that were let pass; each is asked about: what lies behind one may have been trimmed.
func (r *Reader) pass(to uint64) {
	for r.at.Used.Message < to && r.excused(r.at.Used.Message) {
		r.at.Used = Point{Message: r.at.Used.Message + 1}
	}
}

// used tells the records of a message of USED that are wanted.
func (r *Reader) used(ctx context.Context, m access.Message, yield func(Item) bool) *End {
	position := uint64(m.Position)
	if r.pass(position); position < r.at.Used.Message {
		return nil // it was let pass while it came
	}
	if position != r.at.Used.Message {
		return r.leftOut(ctx)
	}
	var err error
	if r.records, err = access.Parse(r.records[:0], m.Data); err != nil && !r.excused(position) {
		return endOf(err)
	} else if err != nil {
		r.records = r.records[:0]
	}
	mark := markOf(m.Data)
	for i := r.at.Used.Index; i < len(r.records); i++ {
		rec := &r.records[i]
		r.at.Used = after(position, i, len(r.records), mark)
		if !r.Filter.record(rec) || !r.wanted(rec.Time) {
			continue
		}
		body, err := access.EncodeEvent(rec)
		if err != nil {
			return &EndUnreadable
		}
		if end := r.tell(yield, Item{Type: access.TypeOf(rec), Event: body}); end != nil {
			return end
		}
	}
	r.at.Used = Point{position + 1, 0, mark}
	return nil
}
