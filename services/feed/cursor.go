package feed

import (
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
)

// A Cursor names what a reader is sent next, in both streams. All before it has
// been read, or was none of the reader's business. Cursors name places, not readers: they
// grant nothing, and one may be used with another filter.
type Cursor struct {
	Ledger Point
	Used   Point
}

// A Point is a place in one stream: an event of a message.
type Point struct {
	Message uint64 // its position; from 1
	Index   int    // of the event in it, from 0
	// Mark is that of the last message that was read, at least in part: where it is another one now, the log is not the
	// one that was read, but an older copy that went on otherwise. Zero if it is not known.
	Mark uint32
}

// markOf is a message's mark; never zero.
func markOf(data []byte) uint32 {
	return max(1, crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
}

// last is the position of the message that the mark is of; zero if nothing was read.
func (p Point) last() uint64 {
	if p.Index > 0 {
		return p.Message
	}
	return p.Message - 1
}

// cursorFormat begins the text of a cursor, so that another form can be told apart.
const cursorFormat = "1"

// maxIndex is more events than any message has.
const maxIndex = 1 << 20

// String is "1-<position>.<index>.<mark>-<position>.<index>.<mark>", LEDGER first and without a mark that is not known: it can stand in
// a URL, a header and a file name as it is.
func (c Cursor) String() string {
	return cursorFormat + "-" + c.Ledger.String() + "-" + c.Used.String()
}

func (p Point) String() string {
	text := strconv.FormatUint(p.Message, 10) + "." + strconv.Itoa(p.Index)
	if p.Mark != 0 {
		text += fmt.Sprintf(".%08x", p.Mark)
	}
	return text
}

// ParseCursor is the inverse of String. It refuses everything else.
func ParseCursor(text string) (Cursor, error) {
	parts := strings.Split(text, "-")
	if len(parts) != 3 || parts[0] != cursorFormat {
		return Cursor{}, fmt.Errorf("feed: a cursor is 1-<position>.<index>.<mark>-<position>.<index>.<mark>")
	}
	ledger, err := parsePoint(parts[1])
	if err != nil {
		return Cursor{}, err
	}
	used, err := parsePoint(parts[2])
	return Cursor{Ledger: ledger, Used: used}, err
}

func parsePoint(text string) (Point, error) {
	message, rest, _ := strings.Cut(text, ".")
	index, mark, marked := strings.Cut(rest, ".")
	m, err := strconv.ParseUint(message, 10, 64)
	if err != nil || m == 0 {
		return Point{}, fmt.Errorf("feed: the position in a cursor is a number from 1")
	}
	i, err := strconv.Atoi(index)
	if err != nil || i < 0 || i > maxIndex {
		return Point{}, fmt.Errorf("feed: the index in a cursor is a number from 0")
	}
	p := Point{Message: m, Index: i}
	if marked {
		n, err := strconv.ParseUint(mark, 16, 32)
		if err != nil || n == 0 {
			return Point{}, fmt.Errorf("feed: the mark in a cursor is 8 hexadecimal digits")
		}
		p.Mark = uint32(n)
	}
	if p.String() == text {
		return p, nil
	}
	return Point{}, fmt.Errorf("feed: a number in a cursor is not in its shortest form")
}

// after is the place behind event i of n of a message.
func after(message uint64, i, n int, mark uint32) Point {
	if i+1 < n {
		return Point{message, i + 1, mark}
	}
	return Point{message + 1, 0, mark}
}

// ledger is the position to follow LEDGER from.
func (c Cursor) ledger() events.Position { return events.Position(c.Ledger.Message - 1) }

// used is the position to follow USED from.
func (c Cursor) used() access.Position { return access.Position(c.Used.Message - 1) }
