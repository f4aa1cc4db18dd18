package access

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// pending is rows to be written together. They go to the store in the order of their keys:
// a memtable takes rows in order for half of what it takes for them in any order.
type pending struct {
	rows  []pendingRow
	bytes []byte // keys and values, one behind the other
}

// A pendingRow is a row and what its key begins with, as numbers in the same order.
type pendingRow struct {
	high, low       uint64
	key, value, end uint32 // where in bytes key and value begin, and the value ends
}

func (p *pending) set(key, value []byte) {
	var head [16]byte
	copy(head[:], key)
	at := uint32(len(p.bytes))
	p.bytes = append(append(p.bytes, key...), value...)
	p.rows = append(p.rows, pendingRow{
		binary.BigEndian.Uint64(head[:8]), binary.BigEndian.Uint64(head[8:]), at, at + uint32(len(key)), uint32(len(p.bytes)),
	})
}

func (p *pending) reset() { p.rows, p.bytes = p.rows[:0], p.bytes[:0] }

// writeTo writes the rows to b.
func (p *pending) writeTo(b *pebble.Batch) error {
	slices.SortFunc(p.rows, func(x, y pendingRow) int {
		if x.high != y.high {
			return cmp.Compare(x.high, y.high)
		}
		if x.low != y.low {
			return cmp.Compare(x.low, y.low)
		}
		return bytes.Compare(p.bytes[x.key:x.value], p.bytes[y.key:y.value])
	})
	for _, r := range p.rows {
		if err := b.Set(p.bytes[r.key:r.value], p.bytes[r.value:r.end], nil); err != nil {
			return err
		}
	}
	return nil
}
