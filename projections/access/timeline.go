package access

import (
	"cmp"
	"slices"
	"time"

	"github.com/keyledger/keyledger/events"
	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/projections/row"
)

// The timeline of an account says which records of which keys it has, in the order of
// time. It has one row for what a message holds of the account, not one for each record. What
// follows a place in time can be in a row that begins before it, by no more than the row
// spans; so rows have a class by their span, and a reader begins that much earlier: the rows of
// traffic that is dense are short, those that span much hold little.

// spans are the longest spans of the classes, in microseconds.
var spans = [...]int64{
	(100 * time.Millisecond).Microseconds(),
	(10 * time.Second).Microseconds(),
	(1000 * time.Second).Microseconds(),
}

// crowd is how many records within the shortest span get a row of their own. Fewer share a
// row with what is farther away.
const crowd = 8

// A mention is a record as the timeline has it.
type mention struct {
	place
	key     events.AccessKeyID
	outcome uses.Outcome
}

// eachRow calls emit with the rows that the mentions of an account in one month and
// message make. The mentions are sorted, the newest first.
func eachRow(mentions []mention, emit func(class byte, row []mention)) {
	loose := mentions[:0]
	for from := 0; from < len(mentions); {
		to := from + within(mentions[from:], spans[0])
		if to-from < crowd {
			loose = append(loose, mentions[from:to]...)
		} else {
			emit(0, mentions[from:to])
		}
		from = to
	}
	for len(loose) > 0 {
		n := within(loose, spans[len(spans)-1])
		emit(classOf(loose[0].micros-loose[n-1].micros), loose[:n])
		loose = loose[n:]
	}
}

// within is how many of the mentions are within span of the first.
func within(mentions []mention, span int64) int {
	newest := uint64(mentions[0].micros)
	n := 1
	for n < len(mentions) && newest-uint64(mentions[n].micros) <= uint64(span) {
		n++
	}
	return n
}

func classOf(span int64) byte {
	c, _ := slices.BinarySearch(spans[:], span)
	return byte(c)
}

func newestFirst(a, b mention) int { return b.compare(a.place) }

// timelineVersion is the version of a row's value.
const timelineVersion = 1

// appendMentions appends the value of a row. Its newest time and position are in its key.
func appendMentions(dst []byte, mentions []mention) []byte {
	dst = append(dst, timelineVersion)
	was := mention{place: mentions[0].place}
	for _, m := range mentions {
		dst = row.AppendUvarint(dst, uint64(was.micros-m.micros))
		dst = row.AppendUvarint(dst, uint64(m.index)<<2|uint64(m.outcome))
		if m.key == was.key {
			dst = append(dst, 0)
		} else {
			dst = row.AppendString(dst, m.key)
		}
		was = m
	}
	return dst
}

// parseMentions calls visit with the mentions of a row that are within w, the newest first.
func parseMentions(value []byte, newest int64, position uses.Position, w window, visit func(mention)) error {
	f := fields{Parser: row.Parse(value)}
	f.Version(timelineVersion)
	m := mention{place: place{newest, position, 0}}
	var at, length int // the key's
	for f.Left() > 0 {
		m.micros -= int64(f.Uvarint())
		n := f.Uvarint()
		m.index, m.outcome = uint16(n>>2), uses.Outcome(n&3)
		if key := f.Bytes(); len(key) > 0 {
			at, length = len(value)-f.Left()-len(key), len(key)
		}
		if n>>2 > 1<<16-1 || m.outcome > uses.Allowed || length == 0 {
			f.Fail("a mention that cannot be")
		}
		if f.Err() != nil || !w.holds(m.place) {
			continue
		}
		if f.text == "" {
			f.text = string(value)
		}
		m.key = events.AccessKeyID(f.text[at : at+length])
		visit(m)
	}
	return f.Done()
}

// timelineKey is the whole key of a row.
func timelineKey(dst []byte, m month, a events.AccountID, class byte, newest place) []byte {
	dst = appendMicros(appendTimeline(dst, m, a, class), newest.micros)
	return row.AppendDescending(dst, uint64(newest.position))
}

// byAccount orders the records of a message by account and month, the newest first.
func byAccount(a, b filed) int {
	return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(b.month, a.month), newestFirst(a.mention, b.mention))
}

// A filed mention is one with what its row is found by.
type filed struct {
	mention
	account events.AccountID
	month   month
}
