package access

import (
	"cmp"
	"encoding/binary"
	"math"
	"time"

	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/projections/row"
)

// A place is where a record is among all others: its time, then its message, then its
// index there. In bytes, the newest comes first.
type place struct {
	micros   int64 // since 1970
	position uses.Position
	index    uint16
}

// compare is positive if p is newer than q.
func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.micros, q.micros), cmp.Compare(p.position, q.position), cmp.Compare(p.index, q.index))
}

func (p place) time() time.Time { return time.UnixMicro(p.micros).UTC() }

// before is the next older place. Before the oldest is the oldest; no record is there, for
// positions begin at 1.
func (p place) before() place {
	switch {
	case p.index > 0:
		p.index--
	case p.position > 0:
		p.position, p.index = p.position-1, math.MaxUint16
	case p.micros > math.MinInt64:
		p.micros, p.position, p.index = p.micros-1, math.MaxUint64, math.MaxUint16
	}
	return p
}

func appendPlace(dst []byte, p place) []byte {
	dst = appendMicros(dst, p.micros)
	dst = row.AppendDescending(dst, uint64(p.position))
	return binary.BigEndian.AppendUint16(dst, ^p.index)
}

func readPlace(p *row.Parser) place {
	return place{readMicros(p), uses.Position(p.Descending()), ^(uint16(p.Byte())<<8 | uint16(p.Byte()))}
}

// appendMicros appends a time so that the latest comes first, those before 1970 last.
func appendMicros(dst []byte, micros int64) []byte {
	return row.AppendDescending(dst, uint64(micros)^1<<63)
}

func readMicros(p *row.Parser) int64 { return int64(p.Descending() ^ 1<<63) }
