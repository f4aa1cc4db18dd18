package access

import (
	"bytes"
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2"

	"github.com/keyledger/keyledger/events"
	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/projections/row"
)

// fetchCost is what fetching a record by its place costs, in rows of a scan.
const fetchCost = 10

// walkTimeline offers the records of an account in a month by its timeline. The rows of all
// classes are read from the newest that may hold something wanted; mentions wait until no
// row that is still to be read can hold a newer one.
func (s *Store) walkTimeline(m month, q Query, w window, visit visitor) (more bool, err error) {
	t := timeline{window: w}
	defer t.close()
	for class := range spans {
		if err := t.open(s.db, m, q.Account, byte(class)); err != nil {
			return false, err
		}
	}
	for {
		next, ok, err := t.next()
		if err != nil || !ok {
			return err == nil, err
		}
		more, err := s.offer(m, q, next, visit)
		if err != nil || !more {
			return false, err
		}
	}
}

// offer fetches what is mentioned, unless it cannot match, and offers it.
func (s *Store) offer(m month, q Query, of mention, visit visitor) (more bool, err error) {
	c := candidate{place: of.place, account: q.Account, key: of.key, cost: 1}
	if !q.Which.holds(of.outcome) {
		return visit(c)
	}
	c.cost = fetchCost
	key := appendPlace(appendRecords(make([]byte, 0, 64), m, q.Account, of.key), of.place)
	found, err := s.lookup(key, func(value []byte) error {
		c.value = value
		more, err = visit(c)
		return err
	})
	if err == nil && !found { // dropped since
		return true, nil
	}
	return more, err
}

// A timeline is the mentions of an account in a month, within a window.
type timeline struct {
	window  window
	lines   []*line
	waiting heap
}

// A line is the rows of a class.
type line struct {
	it       *pebble.Iterator
	prefix   []byte
	newest   int64 // time of the row that is next
	position uses.Position
	ended    bool
}

func (t *timeline) close() {
	for _, l := range t.lines {
		_ = l.it.Close()
	}
}

// open begins a class at the first row that may hold something wanted.
func (t *timeline) open(db *pebble.DB, m month, a events.AccountID, class byte) error {
	prefix := appendTimeline(nil, m, a, class)
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: behind(prefix)})
	if err != nil {
		return err
	}
	l := &line{it: it, prefix: prefix}
	t.lines = append(t.lines, l)
	from := t.window.newest.micros
	if from > math.MaxInt64-spans[class] {
		from = math.MaxInt64 - spans[class]
	}
	return l.advance(it.SeekGE(appendMicros(prefix[:len(prefix):len(prefix)], from+spans[class])), t.window.oldest.micros)
}

// advance notes which row is next. Those whose newest time is too old hold nothing wanted.
func (l *line) advance(ok bool, oldest int64) error {
	if !ok {
		l.ended = true
		return l.it.Error()
	}
	p := row.Parse(bytes.TrimPrefix(l.it.Key(), l.prefix))
	l.newest, l.position = readMicros(&p), uses.Position(p.Descending())
	l.ended = l.newest < oldest
	if err := p.Done(); err != nil {
		return fmt.Errorf("access: a key of a timeline: %w", err)
	}
	return nil
}

// next is the newest mention that is left.
func (t *timeline) next() (m mention, ok bool, err error) {
	for {
		l := t.line()
		if len(t.waiting) > 0 && (l == nil || t.waiting[0].micros > l.newest) {
			return t.waiting.pop(), true, nil
		}
		if l == nil {
			return m, false, nil
		}
		if err := t.read(l); err != nil {
			return m, false, err
		}
	}
}

// line is the one whose next row is the newest; nil if there is no more.
func (t *timeline) line() (newest *line) {
	for _, l := range t.lines {
		if !l.ended && (newest == nil || l.newest > newest.newest) {
			newest = l
		}
	}
	return newest
}

// read lets the mentions of a line's next row wait.
func (t *timeline) read(l *line) error {
	err := parseMentions(l.it.Value(), l.newest, l.position, t.window, t.waiting.push)
	if err != nil {
		return fmt.Errorf("access: a row of a timeline: %w", err)
	}
	return l.advance(l.it.Next(), t.window.oldest.micros)
}

// A heap is mentions of which the newest is the first.
type heap []mention

func (h *heap) push(m mention) {
	*h = append(*h, m)
	s := *h
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if s[i].compare(s[up].place) <= 0 {
			return
		}
		s[i], s[up] = s[up], s[i]
		i = up
	}
}

func (h *heap) pop() mention {
	s := *h
	top, end := s[0], len(s)-1
	s[0] = s[end]
	s[end] = mention{}
	s = s[:end]
	*h = s
	for i := 0; ; {
		c := 2*i + 1
		if c+1 < end && s[c+1].compare(s[c].place) > 0 {
			c++
		}
		if c >= end || s[c].compare(s[i].place) <= 0 {
			return top
		}
		s[i], s[c] = s[c], s[i]
		i = c
	}
}
