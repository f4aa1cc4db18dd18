package feed

import (
	"fmt"
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
}

// cursorFormat begins the text of a cursor, so that another form can be told apart.
const cursorFormat = "1"

// maxIndex is more events than any message has.
const maxIndex = 1 << 20

// String is "1-<position>.<index>-<position>.<index>", LEDGER first: it can stand in
// a URL, a header and a file name as it is.
func (c Cursor) String() string {
	return cursorFormat + "-" + c.Ledger.String() + "-" + c.Used.String()
}

func (p Point) String() string {
	return strconv.FormatUint(p.Message, 10) + "." + strconv.Itoa(p.Index)
}

// ParseCursor is the inverse of String. It refuses everything else.
func ParseCursor(text string) (Cursor, error) {
	parts := strings.Split(text, "-")
	if len(parts) != 3 || parts[0] != cursorFormat {
		return Cursor{}, fmt.Errorf("feed: a cursor is 1-<position>.<index>-<position>.<index>")
	}
	ledger, err := parsePoint(parts[1])
	if err != nil {
		return Cursor{}, err
	}
	used, err := parsePoint(parts[2])
	return Cursor{Ledger: ledger, Used: used}, err
}

func parsePoint(text string) (Point, error) {
	message, index, _ := strings.Cut(text, ".")
	m, err := strconv.ParseUint(message, 10, 64)
	if err != nil || m == 0 {
		return Point{}, fmt.Errorf("feed: the position in a cursor is a number from 1")
	}
	i, err := strconv.Atoi(index)
	if err != nil || i < 0 || i > maxIndex {
		return Point{}, fmt.Errorf("feed: the index in a cursor is a number from 0")
	}
	if p := (Point{Message: m, Index: i}); p.String() == text {
		return p, nil
	}
	return Point{}, fmt.Errorf("feed: a number in a cursor is not in its shortest form")
}

// after is the place behind event i of n of a message.
func after(message uint64, i, n int) Point {
	if i+1 < n {
		return Point{Message: message, Index: i + 1}
	}
	return Point{Message: message + 1}
}

// ledger is the position to follow LEDGER from.
func (c Cursor) ledger() events.Position { return events.Position(c.Ledger.Message - 1) }

// used is the position to follow USED from.
func (c Cursor) used() access.Position { return access.Position(c.Used.Message - 1) }
