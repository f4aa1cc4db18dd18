package audit

import (
	"encoding/binary"
	"errors"
	"iter"
	"strings"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/row"
)

// A Filter says which events are listed. Zero fields do not filter; the others
// must all hold.
type Filter struct {
	Account events.AccountID
	User    events.UserID // events on its keyring, and about itself; needs Account
	Actor   events.Actor
	Key     events.AccessKeyID
	Action  string    // the event's name, e.g. "key.created"
	Since   time.Time // this time or later
	Until   time.Time // before this time
}

// ErrUserWithoutAccount says that a filter names a user but not its account.
var ErrUserWithoutAccount = errors.New("audit: a filter by user needs the account")

// scanned bounds the records that one page looks at. Tests set it lower.
var scanned = 2000

// List is a page of the events that f lets through, newest first. Errors are
// ErrUserWithoutAccount, a *projections.CursorError, or a fault.
func List(r projections.Reader, f Filter, cursor string, limit int) (projections.Page[Entry], error) {
	if f.User != "" && f.Account == "" {
		return projections.Page[Entry]{}, ErrUserWithoutAccount
	}
	q := f.query()
	after, err := resume(q, cursor)
	if err != nil {
		return projections.Page[Entry]{}, err
	}
	p := page{q: q, after: after, limit: projections.Limit(limit), budget: scanned}
	f, some, err := f.narrow(r)
	if err != nil || !some {
		return projections.Page[Entry]{}, err
	}
	for at, err := range f.places(r, after) {
		if err != nil {
			return projections.Page[Entry]{}, err
		}
		if p.full() {
			break
		}
		record, found, err := records.Get(r, at)
		if err != nil {
			return projections.Page[Entry]{}, err
		}
		if found {
			p.add(f, record.Record)
		}
		if p.out.Next != "" {
			break
		}
		p.pass(at)
	}
	return p.out, nil
}

// A page is being filled, from the newest entry to older ones.
type page struct {
	q      projections.Query
	after  *mark
	limit  int
	budget int
	last   mark // the oldest entry looked at
	out    projections.Page[Entry]
}

// A mark is a place between entries: behind the entry with this index of the
// record there. Entries of one record are listed the last one first.
type mark struct {
	at    place
	index uint32
}

// full says whether nothing more fits; what is there has a rest then.
func (p *page) full() bool {
	if len(p.out.Items) < p.limit && p.budget > 0 {
		return false
	}
	p.rest()
	return true
}

// rest notes that there is more behind the last entry looked at.
func (p *page) rest() { p.out.Next = p.q.Cursor(appendMark(nil, p.last)) }

// pass leaves a record behind, unless the page was full within it.
func (p *page) pass(at place) {
	p.budget--
	if p.last.at != at || len(p.out.Items) < p.limit {
		p.last = mark{at: at, index: 0}
	}
}

func (p *page) add(f Filter, r events.Record) {
	at := place{row.Instant(r.Meta.Time), r.Position}
	for i := len(r.Events) - 1; i >= 0; i-- {
		if p.after != nil && p.after.at == at && uint32(i) >= p.after.index {
			continue // on an earlier page
		}
		if !f.matches(r, r.Events[i].Event) {
			continue
		}
		if len(p.out.Items) == p.limit {
			p.rest()
			return
		}
		p.out.Items = append(p.out.Items, Entry{Position: r.Position, Index: i, ID: r.Events[i].ID, Subject: r.Subject, Meta: r.Meta, Event: r.Events[i].Event})
		p.last = mark{at, uint32(i)}
	}
}

// matches says whether f lets an event through.
func (f Filter) matches(r events.Record, e events.Event) bool {
	owner := r.Owner()
	return (f.Account == "" || f.Account == owner.Account) &&
		(f.User == "" || f.User == owner.User || owner.User == "" && strings.HasPrefix(e.Kind(), "user.") && e.About() == string(f.User)) &&
		(f.Actor == "" || f.Actor == r.Meta.Actor) &&
		(f.Key == "" || strings.HasPrefix(e.Kind(), "key.") && e.About() == string(f.Key)) &&
		(f.Action == "" || f.Action == e.Kind()) &&
		(f.Since.IsZero() || !r.Meta.Time.Before(f.Since)) &&
		(f.Until.IsZero() || r.Meta.Time.Before(f.Until))
}

// narrow adds the keyring of the key that is asked for; some is false if
// nothing can match.
func (f Filter) narrow(r projections.Reader) (_ Filter, some bool, err error) {
	if f.Key == "" {
		return f, true, nil
	}
	s, found, err := keyrings.Get(r, f.Key)
	if !found || f.Account != "" && f.Account != s.Account || f.User != "" && f.User != s.User {
		return f, false, err
	}
	f.Account, f.User = s.Account, s.User
	return f, true, nil
}

// places are where the records are that may match, newest first, behind after:
// from the index that is the most selective of those that the filter allows.
func (f Filter) places(r projections.Reader, after *mark) iter.Seq2[place, error] {
	g := f.between(after)
	switch {
	case f.User != "":
		return pointers(r, &bySubject, g, events.KeyringSubject(f.Account, f.User))
	case f.Actor != "":
		return pointers(r, &byActor, g, f.Actor)
	case f.Action != "" && rare(f.Action):
		return pointers(r, &byAction, g, f.Action)
	case f.Account != "":
		return pointers(r, &byAccount, g, f.Account)
	}
	return func(yield func(place, error) bool) {
		for row, err := range recordPlaces.Scan(r, g) {
			if !yield(row.Key, err) {
				return
			}
		}
	}
}

// pointers are the places that one value of an index points to.
func pointers[D any](r projections.Reader, t *projections.Table[entry[D], projections.None], g projections.Range, of D) iter.Seq2[place, error] {
	g.Prefix = t.AppendKey(nil, entry[D]{of: of})
	g.Prefix = g.Prefix[:len(g.Prefix)-placeBytes]
	return func(yield func(place, error) bool) {
		for row, err := range t.Scan(r, g) {
			if !yield(row.Key.at, err) {
				return
			}
		}
	}
}

// between are the suffixes that the filter's times and the cursor leave. The
// cursor's record is among them if entries of it are still to come.
func (f Filter) between(after *mark) projections.Range {
	var g projections.Range
	if until := row.Instant(f.Until); !f.Until.IsZero() && until > 0 {
		g.From = row.AppendDescending(nil, until-1)
	}
	if since := row.Instant(f.Since); !f.Since.IsZero() && since > 0 {
		g.To = row.AppendDescending(nil, since-1)
	}
	if after != nil {
		g.From = appendPlace(nil, after.at)
		if after.index == 0 {
			g.From = append(g.From, 0)
		}
	}
	return g
}

func (f Filter) query() projections.Query {
	return projections.QueryOf("audit", string(f.Account), string(f.User), string(f.Actor), string(f.Key), f.Action, instant(f.Since), instant(f.Until))
}

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return string(row.AppendTime(nil, t))
}

func appendMark(dst []byte, m mark) []byte {
	return binary.BigEndian.AppendUint32(appendPlace(dst, m.at), m.index)
}

func resume(q projections.Query, cursor string) (*mark, error) {
	b, err := q.Resume(cursor)
	if err != nil || b == nil {
		return nil, err
	}
	if len(b) != placeBytes+4 {
		return nil, &projections.CursorError{Reason: "it was not made by this server"}
	}
	at, err := parsePlace(b[:placeBytes])
	return &mark{at, binary.BigEndian.Uint32(b[placeBytes:])}, err
}
