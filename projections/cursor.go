package projections

import (
	"encoding/base64"
	"hash/fnv"
	"strings"

	"github.com/keyledger/keyledger/projections/row"
)

// A CursorError says that a cursor cannot be gone on from.
type CursorError struct{ Reason string }

func (e *CursorError) Error() string { return "the cursor is not valid: " + e.Reason }

// A Query names a list together with its filters. A cursor belongs to one
// query: what a client sends with another one is refused.
type Query uint64

// QueryOf is the query of a list with filters. Every filter that the list
// knows must be given, set or not, in one order.
func QueryOf(list string, filters ...string) Query {
	h := fnv.New64a()
	b := row.AppendString(nil, list)
	for _, f := range filters {
		b = row.AppendString(b, f)
	}
	_, _ = h.Write(b)
	return Query(h.Sum64())
}

// cursorText is the one way a cursor is written.
var cursorText = base64.RawURLEncoding.Strict()

// Bounds of what is written in a cursor.
const (
	cursorVersion = 1
	maxCursor     = 1024 // characters
)

// Cursor is the text of a place in the query's order: the suffix of the last
// row given.
func (q Query) Cursor(suffix []byte) string {
	b := row.AppendUint64([]byte{cursorVersion}, uint64(q))
	return cursorText.EncodeToString(append(b, suffix...))
}

// Resume is the place that a cursor of this query names, nil if text is empty.
// The error is a *CursorError. Rows that came or went since do not matter.
func (q Query) Resume(text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	if len(text) > maxCursor {
		return nil, &CursorError{"it is too long"}
	}
	b, err := cursorText.DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") || len(b) < 10 || b[0] != cursorVersion {
		return nil, &CursorError{"it was not made by this server"}
	}
	p := row.Parse(b[1:9])
	if Query(p.Uint64()) != q {
		return nil, &CursorError{"it belongs to a list with other filters"}
	}
	return b[9:], nil
}
