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
	rows  []pendingRow // to be sorted: rows by themselves, and the tops of stacks
	under []pendingRow // what lies under a top, in order already
	bytes []byte       // keys and values, one behind the other
}

// A pendingRow is a row and what its key begins with, as numbers in the same order.
type pendingRow struct {
	high, low       uint64
	key, value, end uint32 // where in bytes key and value begin, and the value ends
	below           uint32 // what comes next in its stack: its index in under and 1, or 0
}

// A stack is rows that have no other between them and whose keys end with a place, such as the records of a
// key. Those that come the newest last need not be sorted, for the newest is the first. The zero value is empty.
type stack struct {
	top    int // its index in rows, and 1
	newest place
}

func (p *pending) set(key, value []byte) { p.rows = append(p.rows, p.row(key, value)) }

// push is set for a row of a stack. If it does not belong on top, another stack begins, and what was in the
// first is written in its order.
func (p *pending) push(s *stack, at place, key, value []byte) {
	r := p.row(key, value)
	if s.top > 0 && at.compare(s.newest) > 0 {
		p.under = append(p.under, p.rows[s.top-1])
		r.below = uint32(len(p.under))
		p.rows[s.top-1] = r
	} else {
		p.rows = append(p.rows, r)
		s.top = len(p.rows)
	}
	s.newest = at
}

func (p *pending) row(key, value []byte) pendingRow {
	var head [16]byte
	copy(head[:], key)
	at := uint32(len(p.bytes))
	p.bytes = append(append(p.bytes, key...), value...)
	return pendingRow{
		high: binary.BigEndian.Uint64(head[:8]), low: binary.BigEndian.Uint64(head[8:]),
		key: at, value: at + uint32(len(key)), end: uint32(len(p.bytes)),
	}
}

func (p *pending) key(r *pendingRow) []byte { return p.bytes[r.key:r.value] }

func (p *pending) reset() {
	p.rows, p.under, p.bytes = emptied(p.rows), emptied(p.under), emptied(p.bytes)
}

// emptied is s without elements, and without its room if that was made for much more: a store that was behind once
// does not hold on to it.
func emptied[T any](s []T) []T {
	if cap(s) > 1<<10 && len(s) < cap(s)/16 {
		return nil
	}
	return s[:0]
}

// size is how many bytes a batch of the rows takes at most.
func (p *pending) size() int { return len(p.bytes) + rowOverhead*(len(p.rows)+len(p.under)) }

// rowOverhead is what a batch may have of a row beside key and value: its kind and two lengths.
const rowOverhead = 1 + 2*binary.MaxVarintLen32

// writeTo writes the rows to b.
func (p *pending) writeTo(b *pebble.Batch) error {
	slices.SortFunc(p.rows, func(x, y pendingRow) int {
		if x.high != y.high {
			return cmp.Compare(x.high, y.high)
		}
		if x.low != y.low {
			return cmp.Compare(x.low, y.low)
		}
		return bytes.Compare(p.key(&x), p.key(&y))
	})
	for i := range p.rows {
		for r := &p.rows[i]; ; r = &p.under[r.below-1] {
			if err := b.Set(p.key(r), p.bytes[r.value:r.end], nil); err != nil {
				return err
			}
			if r.below == 0 {
				break
			}
		}
	}
	return nil
}
