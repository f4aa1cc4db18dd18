package access

import (
	"errors"
	"math"
	"net/netip"
	"strconv"
	"time"

	"github.com/keyledger/keyledger/events"
	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/row"
)

// A Query says which records are listed. Zero fields do not filter; the others must all
// hold. The account must be given.
type Query struct {
	Account  events.AccountID
	Key      events.AccessKeyID
	SourceIP netip.Addr // exactly
	Which    Which
	Period
	// Look is how many rows a page looks at, at most: about so many if the records
	// must be fetched one by one. 20,000 if zero. A page that has looked at so many is short, even
	// empty, and has a cursor.
	Look int
}

// defaultLook is how many rows a page looks at unless its query says otherwise.
const defaultLook = 20_000

// Which says which outcomes are listed.
type Which uint8

// What can be listed.
const (
	All      Which = iota
	Allowed        // uses that were allowed
	Denied         // uses that were denied
	Attempts       // what was no use
	Failed         // whatever was not allowed
	Uses           // what was a use, allowed or denied: whatever was no attempt
)

func (w Which) holds(o uses.Outcome) bool {
	switch w {
	case Allowed:
		return o == uses.Allowed
	case Denied:
		return o == uses.Denied
	case Attempts:
		return o == uses.Attempt
	case Failed:
		return o != uses.Allowed
	case Uses:
		return o != uses.Attempt
	}
	return true
}

// An Entry is a record that is listed.
type Entry struct {
	uses.Record
	Message uses.Position // that it is of
	Index   int           // in the message
}

// ErrNoAccount says that a query does not name the account.
var ErrNoAccount = errors.New("access: a query needs the account")

// List is a page of the records that q lets through, newest first. What lies before
// q.NotBefore is not listed though it is still there; the bound may move on from page to page, everything else
// must stay as it was when the cursor was given. Errors are ErrNoAccount, a
// *projections.CursorError, or a fault.
func (s *Store) List(q Query, cursor string, limit int) (projections.Page[Entry], error) {
	if q.Account == "" {
		return projections.Page[Entry]{}, ErrNoAccount
	}
	w, err := q.window(cursor)
	if err != nil {
		return projections.Page[Entry]{}, err
	}
	p := page{query: q, id: q.id(), limit: projections.Limit(limit), look: q.Look}
	if p.look <= 0 {
		p.look = defaultLook
	}
	if err := s.walk(q, w, p.offer); err != nil {
		return projections.Page[Entry]{}, err
	}
	return p.out, nil
}

// A window is the places that are wanted.
type window struct{ newest, oldest place }

func (w window) holds(p place) bool { return p.compare(w.newest) <= 0 && p.compare(w.oldest) >= 0 }

func (w window) empty() bool { return w.newest.compare(w.oldest) < 0 }

// window is what the query's times and a cursor of it leave.
func (q Query) window(cursor string) (window, error) {
	low, high := q.bounds()
	w := window{oldest: place{micros: low}, newest: place{high, math.MaxUint64, math.MaxUint16}}
	if !q.Until.IsZero() {
		w.newest = place{micros: high}.before()
	}
	after, err := q.id().Resume(cursor)
	if err != nil || after == nil {
		return w, err
	}
	p := row.Parse(after)
	last := readPlace(&p)
	if p.Done() != nil {
		return w, &projections.CursorError{Reason: "it was not made by this server"}
	}
	if last.compare(w.newest) <= 0 {
		w.newest = last.before()
	}
	return w, nil
}

// id is what a cursor belongs to. How far back anything is told is not part of it.
func (q Query) id() projections.Query {
	ip := ""
	if q.SourceIP.IsValid() {
		ip = q.SourceIP.Unmap().String()
	}
	return projections.QueryOf("access", string(q.Account), string(q.Key), ip, strconv.Itoa(int(q.Which)), instant(q.Since), instant(q.Until))
}

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return string(row.AppendTime(nil, t))
}

// A candidate is a record that may be listed.
type candidate struct {
	place
	account events.AccountID
	key     events.AccessKeyID
	value   []byte // nil if it is known not to match
	cost    int    // of having looked at it, in rows
}

// A visitor is offered candidates, the newest first, until it wants no more.
type visitor func(candidate) (more bool, err error)

// A page is being filled.
type page struct {
	query Query
	id    projections.Query
	limit int
	look  int // how many rows may still be looked at
	last  place
	out   projections.Page[Entry]
}

// offer takes a candidate if it matches. One that comes when the page is full shows that
// there is more.
func (p *page) offer(c candidate) (more bool, err error) {
	if p.look <= 0 || len(p.out.Items) == p.limit {
		p.out.Next = p.id.Cursor(appendPlace(nil, p.last))
		return false, nil
	}
	p.look -= c.cost
	p.last = c.place
	if c.value == nil {
		return true, nil
	}
	e, err := c.entry()
	if err == nil && p.query.matches(&e.Record) {
		p.out.Items = append(p.out.Items, e)
	}
	return err == nil, err
}

func (c *candidate) entry() (Entry, error) {
	e := Entry{Message: c.position, Index: int(c.index)}
	e.Time, e.Account, e.Key = c.time(), c.account, c.key
	err := parseRecord(&e.Record, c.value)
	return e, c.wrap(err)
}

func (q *Query) matches(r *uses.Record) bool {
	return q.Which.holds(r.Outcome) && (!q.SourceIP.IsValid() || r.SourceIP.Unmap() == q.SourceIP.Unmap())
}
