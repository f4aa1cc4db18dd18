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
	mark  int     // rows before the current record
	index []int32 // open addressing by hash: a row's place and one, zero if there is none
	found int     // rows in index
	large int     // the most that index has held
	bytes blocks  // keys and values of rows
	order []ranked
	runs  []run // of order, as sort left it: one for each table
	undo  []undone
	seed  maphash.Seed
	// earlier is the keys that former stretches of the log wrote, so that the store need not
	// be asked for others; nil if it may have more.
	earlier *filter
	owner   *member // whose rows they are
	err     error   // the first wrong use by owner in the current record
	key     []byte  // buffers of Table
	value   []byte
}

// A pending row is a key and what becomes of it.
type pending struct {
	key, value part
	hash       uint64 // of the key, if the row is in index
	state      byte
	fresh      bool // the store has no row there
}

// What becomes of a pending row.
const (
	absent  byte = iota // nothing: what was written was taken back, or was looked for only
	written             // it is set to value
	removed             // it is deleted
)

// A part is a place in blocks: the block's number and the place in it, together.
type part struct{ at, length uint32 }

// blocks are bytes that are never moved, as many as there come to be: up to 4 GiB.
type blocks struct {
	all  [][]byte
	last int // the one that is being filled
	held int // bytes in all
}

// Blocks have this many bytes; a part that needs more has one for itself.
const blockBits, blockBytes = 20, 1 << 20

func (b *blocks) hold(data []byte) part {
	for b.last < len(b.all) && len(b.all[b.last])+len(data) > cap(b.all[b.last]) {
		b.last++
	}
	if b.last == len(b.all) {
		size := blockBytes
		if b.last == 0 {
			size = 16 << 10 // most batches are small
		}
		b.all = append(b.all, make([]byte, 0, max(size, len(data))))
	}
	block := &b.all[b.last]
	p := part{uint32(b.last)<<blockBits | uint32(len(*block)), uint32(len(data))}
	*block = append(*block, data...)
	b.held += len(data)
	return p
}

func (b *blocks) of(p part) []byte {
	return b.all[p.at>>blockBits][p.at&(blockBytes-1):][:p.length]
}

func (b *blocks) clear() {
	for i := range b.all {
		b.all[i] = b.all[i][:0]
	}
	b.last, b.held = 0, 0
}

// An undone row is one that was there before the current record, as it was.
type undone struct {
	row int32
	was pending
}

func newBatch(s *Store) *Batch {
	return &Batch{store: s, seed: maphash.MakeSeed()}
}

// reset empties the batch for a number of records. An index that was large stays
// slow to clear, so that small batches after large ones get a new one, and give back what
// the large ones took.
func (b *Batch) reset(records int) {
	b.remember()
	b.large = max(b.large, len(b.rows))
	if b.large > 4096 && records < 256 {
		b.large = 0
		b.index, b.rows, b.bytes, b.undo, b.order = nil, nil, blocks{}, nil, nil
	}
	b.rows, b.undo, b.order, b.runs = b.rows[:0], b.undo[:0], b.order[:0], b.runs[:0]
	b.bytes.clear()
	b.mark, b.found = 0, 0
	clear(b.index)
}

// remember adds what is written to the keys of former stretches.
func (b *Batch) remember() {
	if b.earlier == nil {
		return
	}
	for _, entry := range b.index {
		if entry != 0 && b.rows[entry-1].state == written {
			b.earlier.add(b.rows[entry-1].hash)
		}
	}
}

// keep makes what the current record wrote stay.
func (b *Batch) keep() { b.undo, b.mark = b.undo[:0], len(b.rows) }

// takeBack undoes what the current record wrote.
func (b *Batch) takeBack() {
	for i := len(b.undo) - 1; i >= 0; i-- {
		u := b.undo[i]
		b.rows[u.row] = u.was
	}
	for i := b.mark; i < len(b.rows); i++ {
		b.rows[i].state = absent
	}
	b.keep()
}

func (b *Batch) of(p part) []byte { return b.bytes.of(p) }

func (b *Batch) hold(data []byte) part { return b.bytes.hold(data) }

// find is the pending row of key, or -1, and the hash of key.
func (b *Batch) find(key []byte) (int32, uint64) {
	h := maphash.Bytes(b.seed, key)
	if len(b.index) == 0 {
		return -1, h
	}
	for at := h; ; at++ {
		i := b.index[at&uint64(len(b.index)-1)] - 1
		if i < 0 || b.rows[i].hash == h && bytes.Equal(b.of(b.rows[i].key), key) {
			return i, h
		}
	}
}

// add adds a row of which find knows the hash, and that it is not there.
func (b *Batch) add(key []byte, h uint64) int32 {
	b.rows = append(b.rows, pending{key: b.hold(key), hash: h})
	if b.found++; 4*b.found > 3*len(b.index) {
		b.grow()
	}
	i := int32(len(b.rows))
	b.enter(i, h)
	return i - 1
}

func (b *Batch) enter(entry int32, h uint64) {
	mask := uint64(len(b.index) - 1)
	for b.index[h&mask] != 0 {
		h++
	}
	b.index[h&mask] = entry
}

func (b *Batch) grow() {
	old := b.index
	b.index = make([]int32, max(64, 2*len(old)))
	for _, entry := range old {
		if entry != 0 {
			b.enter(entry, b.rows[entry-1].hash)
		}
	}
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
	if !b.owned(key) {
		return
	}
	row := b.change(key)
	if row.state = removed; row.fresh {
		row.state = absent
	}
}

// log is set, or remove if the state says so, of a row that no Apply looks for: it
// is found by nobody, and the last one with a key counts.
func (b *Batch) log(key, value []byte, state byte) {
	if b.owned(key) {
		b.rows = append(b.rows, pending{key: b.hold(key), value: b.hold(value), state: state})
	}
}

// change is the pending row of key, whose state is noted for takeBack.
func (b *Batch) change(key []byte) *pending {
	i, h := b.find(key)
	if i < 0 {
		i = b.add(key, h)
	} else if int(i) < b.mark {
		b.undo = append(b.undo, undone{i, b.rows[i]})
	}
	return &b.rows[i]
}

// lookup remembers what the store does not have: it is mostly written next.
func (b *Batch) lookup(key []byte) ([]byte, io.Closer, bool, error) {
	if !b.owned(key) {
		return nil, nil, false, b.err
	}
	i, h := b.find(key)
	if i >= 0 {
		switch row := &b.rows[i]; {
		case row.state == written:
			return b.of(row.value), nil, true, nil
		case row.state == removed || row.fresh:
			return nil, nil, false, nil
		}
	}
	if b.earlier == nil || b.earlier.has(h) {
		value, release, found, err := get(b.store.db, key)
		if err != nil || found {
			return value, release, found, err
		}
	}
	if i < 0 {
		i = b.add(key, h)
	}
	b.rows[i].fresh = true
	return nil, nil, false, nil
}

// A ranked row has the first bytes of its key behind table and generation at hand, by
// which most rows are told apart without looking further.
type ranked struct {
	high, low uint64
	row       int32
}

func rank(key []byte, row int32) ranked {
	if key = key[2:]; len(key) >= 16 {
		return ranked{binary.BigEndian.Uint64(key), binary.BigEndian.Uint64(key[8:]), row}
	}
	var head [16]byte
	copy(head[:], key)
	return ranked{binary.BigEndian.Uint64(head[:8]), binary.BigEndian.Uint64(head[8:]), row}
}

// A run is the rows of one table in Batch.order.
type run struct {
	table    byte
	from, to int
}

// sort puts the rows that anything becomes of into the order of their keys, table by
// table: the store takes neighbours in several times as fast as strangers.
func (b *Batch) sort() {
	b.divide()
	for _, r := range b.runs {
		b.sortRun(r)
	}
}

// divide gathers the rows of each table.
func (b *Batch) divide() {
	var many [256]int
	for i := range b.rows {
		if row := &b.rows[i]; row.state != absent {
			many[b.of(row.key)[0]]++
		}
	}
	b.runs = b.runs[:0]
	var next [256]int
	total := 0
	for t, n := range many {
		if n > 0 {
			b.runs, next[t] = append(b.runs, run{byte(t), total, total + n}), total
			total += n
		}
	}
	b.order = slices.Grow(b.order[:0], total)[:total]
	for i := range b.rows {
		if row := &b.rows[i]; row.state != absent {
			key := b.of(row.key)
			b.order[next[key[0]]] = rank(key, int32(i))
			next[key[0]]++
		}
	}
}

// sortRun sorts a run; of rows with one key the one that was written last comes last.
func (b *Batch) sortRun(r run) {
	slices.SortFunc(b.order[r.from:r.to], func(x, y ranked) int {
		switch {
		case x.high != y.high:
			return cmp.Compare(x.high, y.high)
		case x.low != y.low:
			return cmp.Compare(x.low, y.low)
		}
		if c := bytes.Compare(b.of(b.rows[x.row].key), b.of(b.rows[y.row].key)); c != 0 {
			return c
		}
		return cmp.Compare(x.row, y.row)
	})
}

// size is about what the rows take in a batch of the store's.
func (b *Batch) size() int { return b.bytes.held + 16*len(b.rows) }

// memory is about what the batch takes, those of its buffers included that hold
// nothing yet but will when it is sorted.
func (b *Batch) memory() int {
	return 256 + b.bytes.held + (32+24)*len(b.rows) + 4*len(b.index)
}

// A rowWriter takes rows in the order of their keys.
type rowWriter interface {
	Set(key, value []byte) error
	Delete(key []byte) error
}

// inBatch is a batch of the store's that takes rows.
type inBatch struct{ *pebble.Batch }

func (o inBatch) Set(key, value []byte) error { return o.Batch.Set(key, value, nil) }
func (o inBatch) Delete(key []byte) error     { return o.Batch.Delete(key, nil) }

// writeTo puts the rows into a batch of the store's, in the order that sort left
// them in.
func (b *Batch) writeTo(out *pebble.Batch) error {
	for _, r := range b.runs {
		if err := b.writeRun(inBatch{out}, r); err != nil {
			return err
		}
	}
	return nil
}

func (b *Batch) writeRun(out rowWriter, r run) error {
	order := b.order[r.from:r.to]
	for i, x := range order {
		row := &b.rows[x.row]
		key := b.of(row.key)
		if i+1 < len(order) && order[i+1].high == x.high && order[i+1].low == x.low && bytes.Equal(b.of(b.rows[order[i+1].row].key), key) {
			continue // it was written once more
		}
		var err error
		if row.state == written {
			err = out.Set(key, b.of(row.value))
		} else {
			err = out.Delete(key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
