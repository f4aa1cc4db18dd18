package projections

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"io"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// A Batch is what Apply writes to, by way of the tables. It holds the pending
// rows of many records and is read through: Get finds the row as the records before
// left it. A row that is written many times is stored once.
type Batch struct {
	store *Store
	rows  []pending
	first map[uint64]int32 // hash of a key to the newest row with it, which leads to the others
	large int              // the most that first has held
	bytes []byte           // keys and values of rows, never moved within
	order []ranked         // the rows as sort left them
	undo  []undone         // what the current record changed
	seed  maphash.Seed
	owner *member // whose rows they are
	err   error   // the first wrong use by owner in the current record
	key   []byte  // buffers of Table
	value []byte
}

// A pending row is a key and what becomes of it.
type pending struct {
	key, value part
	next       int32 // another row with the same hash; -1 at the end
	state      byte
}

// What becomes of a pending row.
const (
	absent  byte = iota // nothing: what was written was taken back
	written             // it is set to value
	removed             // it is deleted
)

// A part is a place in Batch.bytes.
type part struct{ at, length int }

type undone struct {
	row int32
	was pending
}

func newBatch(s *Store) *Batch {
	return &Batch{store: s, first: map[uint64]int32{}, seed: maphash.MakeSeed()}
}

// reset empties the batch for a number of records. A map that was large stays
// slow to clear, so that small batches after large ones get a new one, and give back what
// the large ones took.
func (b *Batch) reset(records int) {
	b.large = max(b.large, len(b.first))
	if b.large > 4096 && records < 256 {
		b.first, b.large = map[uint64]int32{}, 0
		b.rows, b.bytes, b.undo, b.order = nil, nil, nil, nil
	}
	b.rows, b.bytes, b.undo, b.order = b.rows[:0], b.bytes[:0], b.undo[:0], b.order[:0]
	clear(b.first)
}

// keep makes what the current record wrote stay.
func (b *Batch) keep() { b.undo = b.undo[:0] }

// takeBack undoes what the current record wrote.
func (b *Batch) takeBack() {
	for i := len(b.undo) - 1; i >= 0; i-- {
		u := b.undo[i]
		b.rows[u.row] = u.was
	}
	b.undo = b.undo[:0]
}

func (b *Batch) of(p part) []byte { return b.bytes[p.at : p.at+p.length] }

func (b *Batch) hold(data []byte) part {
	p := part{len(b.bytes), len(data)}
	b.bytes = append(b.bytes, data...)
	return p
}

// find is the pending row of key, or -1, and the hash of key.
func (b *Batch) find(key []byte) (int32, uint64) {
	h := maphash.Bytes(b.seed, key)
	i, ok := b.first[h]
	if !ok {
		return -1, h
	}
	for i >= 0 && !bytes.Equal(b.of(b.rows[i].key), key) {
		i = b.rows[i].next
	}
	return i, h
}

// owned fills in the generation of key, whose table the owner must own.
func (b *Batch) owned(key []byte) bool {
	if !b.owner.owns[key[0]] {
		b.err = fmt.Errorf("projections: %s uses the table %s, which is not its own", b.owner.name, TableID(key[0]))
		return false
	}
	key[1] = b.owner.generation
	return true
}

func (b *Batch) set(key, value []byte) {
	if b.owned(key) {
		row := b.change(key)
		row.value, row.state = b.hold(value), written
	}
}

func (b *Batch) remove(key []byte) {
	if b.owned(key) {
		b.change(key).state = removed
	}
}

// change is the pending row of key, whose state is noted for takeBack.
func (b *Batch) change(key []byte) *pending {
	i, h := b.find(key)
	if i < 0 {
		next := int32(-1)
		if head, ok := b.first[h]; ok {
			next = head
		}
		i = int32(len(b.rows))
		b.rows = append(b.rows, pending{key: b.hold(key), next: next})
		b.first[h] = i
	}
	b.undo = append(b.undo, undone{i, b.rows[i]})
	return &b.rows[i]
}

func (b *Batch) lookup(key []byte) ([]byte, io.Closer, bool, error) {
	if !b.owned(key) {
		return nil, nil, false, b.err
	}
	if i, _ := b.find(key); i >= 0 {
		switch row := &b.rows[i]; row.state {
		case written:
			return b.of(row.value), nil, true, nil
		case removed:
			return nil, nil, false, nil
		}
	}
	return get(b.store.db, key)
}

// A ranked row has the first bytes of its key at hand, by which most rows are
// told apart without looking further.
type ranked struct {
	high, low uint64
	row       int32
}

func rank(key []byte, row int32) ranked {
	var head [16]byte
	copy(head[:], key)
	return ranked{binary.BigEndian.Uint64(head[:8]), binary.BigEndian.Uint64(head[8:]), row}
}

// sort puts the rows into the order of their keys: the store takes neighbours in
// several times as fast as strangers.
func (b *Batch) sort() {
	b.order = b.order[:0]
	for i := range b.rows {
		b.order = append(b.order, rank(b.of(b.rows[i].key), int32(i)))
	}
	slices.SortFunc(b.order, func(x, y ranked) int {
		switch {
		case x.high != y.high:
			return cmp.Compare(x.high, y.high)
		case x.low != y.low:
			return cmp.Compare(x.low, y.low)
		}
		return bytes.Compare(b.of(b.rows[x.row].key), b.of(b.rows[y.row].key))
	})
}

// size is about what the rows take in a batch of the store's.
func (b *Batch) size() int { return len(b.bytes) + 16*len(b.rows) }

// writeTo puts the rows into a batch of the store's, in the order that sort left
// them in.
func (b *Batch) writeTo(out *pebble.Batch) error {
	for _, x := range b.order {
		row := &b.rows[x.row]
		var err error
		switch row.state {
		case written:
			err = out.Set(b.of(row.key), b.of(row.value), nil)
		case removed:
			err = out.Delete(b.of(row.key), nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
