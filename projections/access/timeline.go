package access

import (
	"slices"
	"strings"
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

// A filing sorts what a message mentions by account and month.
type filing struct {
	files   []file // of the batch so far
	of      map[filed]int
	touched []int // those that the message at hand has something of
}

type filed struct {
	account events.AccountID
	month   month
}

// A file is what a message mentions of an account in a month, and the stacks of its rows by their class.
type file struct {
	filed
	mentions []mention
	stacks   [len(spans) + 1]stack
}

func newFiling() filing { return filing{of: map[filed]int{}} }

// add files a mention. An account's text may go with its message.
func (f *filing) add(a events.AccountID, m month, it mention) {
	i, ok := f.of[filed{a, m}]
	if !ok {
		i = f.open(filed{events.AccountID(strings.Clone(string(a))), m})
	}
	file := &f.files[i]
	if len(file.mentions) == 0 {
		f.touched = append(f.touched, i)
	}
	file.mentions = append(file.mentions, it)
}

// open makes a file, of what is left of one of an earlier batch if there is any.
func (f *filing) open(of filed) int {
	i := len(f.files)
	if i < cap(f.files) {
		f.files = f.files[:i+1]
		f.files[i] = file{filed: of, mentions: f.files[i].mentions[:0]}
	} else {
		f.files = append(f.files, file{filed: of})
	}
	f.of[of] = i
	return i
}

// each calls visit with what the message mentions in each file, the newest first, and has it forgotten.
func (f *filing) each(visit func(*file)) {
	for _, i := range f.touched {
		file := &f.files[i]
		slices.Reverse(file.mentions) // the newest came last, mostly
		if !slices.IsSortedFunc(file.mentions, newestFirst) {
			slices.SortFunc(file.mentions, newestFirst)
		}
		visit(file)
		file.mentions = file.mentions[:0]
	}
	f.touched = f.touched[:0]
}

// reset forgets the files of a batch, but for the room that they take.
func (f *filing) reset() {
	f.touched = f.touched[:0]
	if f.files = emptied(f.files); f.files == nil {
		*f = newFiling()
	}
	clear(f.of)
}
