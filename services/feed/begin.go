package feed

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
)

// A From is where a reader begins: at a cursor, behind a position of LEDGER, at a
// time, at the earliest there is or, if it is zero, now.
type From struct {
	cursor   *Cursor
	position *events.Position
	time     time.Time
	earliest bool
}

// ParseFrom reads "now" (or nothing), "earliest", a time in RFC 3339, a position of
// LEDGER or a cursor. The error is a *RefusedError.
func ParseFrom(text string) (From, error) {
	switch text {
	case "", "now":
		return From{}, nil
	case "earliest":
		return From{earliest: true}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return From{time: at}, nil
	}
	if p, err := strconv.ParseUint(text, 10, 63); err == nil {
		return From{position: (*events.Position)(&p)}, nil
	}
	if c, err := ParseCursor(text); err == nil {
		return From{cursor: &c}, nil
	}
	return From{}, refuse(Malformed, "where to begin is none of these: now, earliest, a time (RFC 3339), a position, a cursor as it came with an event")
}

const (
	// skew is how much a reader's clock may be ahead.
	skew = 5 * time.Minute
	// disorder is how much later than it was decided a use may be recorded, or earlier by
	// a clock that was set: where to begin by time is looked for so much earlier.
	disorder = time.Minute
)

// begin finds where the reader begins, and where it ends if it does not follow.
func (r *Reader) begin(ctx context.Context) error {
	first, err := r.feed.Uses.FirstUse(ctx)
	if err != nil {
		return err
	}
	if r.until, err = r.feed.ends(ctx); err != nil {
		return err
	}
	s := start{Reader: r, floor: r.feed.Now().Add(-access.Kept), firstUse: uint64(first)}
	if !r.Until.IsZero() && !r.Until.After(s.floor) {
		return refuse(Expired, "events until %s are not told any more; the earliest are of %s", rfc(r.Until), rfc(s.floor))
	}
	if err := s.find(ctx, r.From); err != nil {
		return err
	}
	s.mark(ctx)
	if !r.past() {
		return nil
	}
	return s.end(ctx)
}

func rfc(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// past is whether all is recorded of before the time that the reader reads until.
func (r *Reader) past() bool {
	return !r.Until.IsZero() && !r.feed.Now().Before(r.Until.Add(disorder))
}

// bound has the reader end where the streams end now.
func (r *Reader) bound(ctx context.Context) error {
	ends, err := r.feed.ends(ctx)
	if err == nil {
		r.until, r.bounded = ends, true
	}
	return err
}

// ends is where the streams end now.
func (f *Feed) ends(ctx context.Context) (Cursor, error) {
	last, err := f.Ledger.Last(ctx)
	if err != nil {
		return Cursor{}, err
	}
	lastUse, err := f.Uses.LastUse(ctx)
	return Cursor{Ledger: Point{Message: uint64(last) + 1}, Used: Point{Message: uint64(lastUse) + 1}}, err
}

// end has the reader end where what is of a time in the past ends.
func (s *start) end(ctx context.Context) error {
	s.bounded = true
	if s.Filter.wantsLedger() {
		p, err := s.feed.LedgerAt(s.Until.Add(disorder))
		if err != nil {
			return err
		}
		s.until.Ledger.Message = min(s.until.Ledger.Message, uint64(p)+1)
	}
	if !s.Filter.wantsUsed() {
		return nil
	}
	p, err := search(s.firstUse, s.until.Used.Message, s.Until.Add(disorder), s.newest(ctx))
	s.until.Used.Message = p
	return err
}

// A start finds where a reader begins.
type start struct {
	*Reader
	floor    time.Time // nothing before it is told
	firstUse uint64
}

func (s *start) find(ctx context.Context, f From) error {
	switch {
	case f.cursor != nil:
		s.at = *f.cursor
		return s.check(ctx)
	case f.position != nil:
		return s.behind(ctx, *f.position)
	case f.earliest:
		return s.since(ctx, s.floor)
	case f.time.IsZero():
		s.at = s.until
		return nil
	case f.time.Before(s.floor):
		return refuse(Expired, "events of %s are not told any more; the earliest are of %s", rfc(f.time), rfc(s.floor))
	case f.time.After(s.feed.Now().Add(skew)):
		return refuse(Ahead, "%s is yet to come; now is %s", rfc(f.time), rfc(s.feed.Now()))
	}
	return s.since(ctx, f.time)
}

// since begins at the first event of a time or later, in both streams: the cursor names the
// place in the one that is not wanted, too, and another filter may go on from it.
func (s *start) since(ctx context.Context, t time.Time) error {
	before, err := s.feed.LedgerAt(t.Add(-time.Nanosecond))
	if err != nil {
		return err
	}
	p, err := search(s.firstUse, s.until.Used.Message, t.Add(-disorder), s.newest(ctx))
	s.at, s.notBefore = Cursor{Ledger: Point{Message: uint64(before) + 1}, Used: Point{Message: p}}, t
	return err
}

// behind begins behind a position of LEDGER, with the uses since then.
func (s *start) behind(ctx context.Context, p events.Position) error {
	if uint64(p) >= s.until.Ledger.Message {
		return refuse(Ahead, "the log ends at position %d", s.until.Ledger.Message-1)
	}
	t, err := s.timeAt(ctx, p)
	if err != nil {
		return err
	}
	if err := s.since(ctx, t); err != nil {
		return err
	}
	s.at.Ledger, s.notBefore = Point{Message: uint64(p) + 1}, time.Time{}
	return s.checkLedger(ctx)
}

// timeAt is the time of a position of LEDGER, but not before anything is told. Of one that
// cannot be read and that an operator let pass, it is that of the last before it.
func (s *start) timeAt(ctx context.Context, p events.Position) (time.Time, error) {
	for ; p > 0; p-- {
		rec, err := s.decode(ctx, uint64(p))
		switch {
		case err == nil && rec.Meta.Time.Before(s.floor):
			return s.floor, nil
		case err == nil:
			return rec.Meta.Time, nil
		case !unreadable(err):
			return time.Time{}, err
		case !s.feed.Excused(p):
			return time.Time{}, refuse(Unreadable, "position %d of LEDGER cannot be read; an operator has to look at the log (/readyz). Begin at another position, at a time or at a cursor", p)
		}
	}
	return s.floor, nil
}

// search is the first message from first on, before end, of which something is of t or later;
// end if there is none. One that was trimmed is an earlier one. One that cannot be read is
// passed over to the next that can, and comes before what is found if that is of t or later:
// what it held may be, and reading it says so.
func search(first, end uint64, t time.Time, newest func(p uint64) (time.Time, error)) (uint64, error) {
	for first < end {
		middle := first + (end-first)/2
		at, err := newest(middle)
		known := middle
		for unreadable(err) && known+1 < end {
			known++
			at, err = newest(known)
		}
		switch {
		case err == nil && at.Before(t) || errors.Is(err, errTrimmed):
			first = known + 1
		case err == nil || unreadable(err):
			end = middle
		default:
			return 0, err
		}
	}
	return first, nil
}

// newest is the time of the latest record of a message of USED.
func (s *start) newest(ctx context.Context) func(p uint64) (time.Time, error) {
	return func(p uint64) (time.Time, error) {
		records, err := s.records(ctx, p)
		return latest(records), err
	}
}

// errTrimmed says that a message of USED lies before what is kept.
var errTrimmed = errors.New("feed: the message is not kept any more")

// unreadable is whether a message has to be there and cannot be read.
func unreadable(err error) bool {
	return errors.Is(err, events.ErrLost) || errors.As(err, new(*events.PoisonedError)) || errors.As(err, new(*access.MalformedError))
}

// records are those of a message of USED before its end. The error is errTrimmed, one that
// is unreadable, or a fault.
func (s *start) records(ctx context.Context, p uint64) ([]access.Record, error) {
	m, err := s.use(ctx, p)
	if err != nil {
		return nil, err
	}
	return access.Parse(nil, m.Data)
}

func (s *start) use(ctx context.Context, p uint64) (access.Message, error) {
	m, err := s.feed.Uses.UsesAt(ctx, access.Position(p))
	if errors.Is(err, events.ErrNone) {
		err = s.gone(ctx, p)
	}
	return m, err
}

// gone is why there is no message p. The front is asked for after the message, so
// that one that was trimmed in between is not taken for a lost one.
func (s *start) gone(ctx context.Context, p uint64) error {
	first, err := s.feed.Uses.FirstUse(ctx)
	if err != nil {
		return err
	}
	if p < uint64(first) {
		return errTrimmed
	}
	return fmt.Errorf("%w: position %d of USED", events.ErrLost, p)
}

func latest(records []access.Record) (t time.Time) {
	for i := range records {
		if records[i].Time.After(t) {
			t = records[i].Time
		}
	}
	return t
}

func (s *start) decode(ctx context.Context, p uint64) (events.Record, error) {
	m, err := s.message(ctx, p)
	if err != nil {
		return events.Record{}, err
	}
	return events.Decode(m)
}

func (s *start) message(ctx context.Context, p uint64) (events.Message, error) {
	m, err := s.feed.Ledger.At(ctx, events.Position(p))
	if errors.Is(err, events.ErrNone) {
		err = fmt.Errorf("%w: position %d of LEDGER", events.ErrLost, p)
	}
	return m, err
}

// check holds a cursor to the streams that are wanted. The other place is carried
// along as it is.
func (s *start) check(ctx context.Context) error {
	if s.Filter.wantsLedger() {
		if err := s.checkLedger(ctx); err != nil {
			return err
		}
	}
	if s.Filter.wantsUsed() {
		return s.checkUsed(ctx)
	}
	return nil
}

func (s *start) checkLedger(ctx context.Context) error {
	here, err := checkEnd("LEDGER", s.at.Ledger, s.until.Ledger)
	if err == nil {
		err = checkMark("LEDGER", s.at.Ledger, s.ledgerMark(ctx))
	}
	if err != nil || !here {
		return err
	}
	rec, err := s.decode(ctx, s.at.Ledger.Message)
	if unreadable(err) {
		return nil // reading it says so, or passes over it
	}
	if err != nil {
		return err
	}
	return s.checkMessage("LEDGER", s.at.Ledger, len(rec.Events), rec.Meta.Time)
}

func (s *start) checkUsed(ctx context.Context) error {
	here, err := checkEnd("USED", s.at.Used, s.until.Used)
	if err == nil {
		err = checkMark("USED", s.at.Used, s.usedMark(ctx))
	}
	if err != nil || !here {
		return err
	}
	records, err := s.records(ctx, s.at.Used.Message)
	if errors.Is(err, errTrimmed) {
		return refuse(Expired, "the cursor's place in USED, %d, is not kept any more; from=earliest is the oldest there is", s.at.Used.Message)
	}
	if unreadable(err) {
		return nil // reading it says so
	}
	if err != nil {
		return err
	}
	return s.checkMessage("USED", s.at.Used, len(records), latest(records))
}

// checkEnd is whether there is a message at a place yet.
func checkEnd(stream string, at, end Point) (here bool, err error) {
	if at.Message > end.Message || at.Message == end.Message && at.Index > 0 {
		return false, refuse(Ahead, "the cursor's place in %s, %s, is yet to come: the stream ends at %d", stream, at, end.Message-1)
	}
	return at.Message < end.Message, nil
}

func (s *start) checkMessage(stream string, at Point, size int, t time.Time) error {
	if at.Index > 0 && at.Index >= size {
		return refuse(Malformed, "the cursor's place in %s, %s, is behind the end of that message", stream, at)
	}
	if t.Before(s.floor) {
		return refuse(Expired, "the cursor's place in %s, %s, is of %s; the earliest that is told is of %s", stream, at, rfc(t), rfc(s.floor))
	}
	return nil
}
