package projections

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"slices"
)

// A Table is rows of one type in the order of their keys' bytes. The functions
// are set once and never change what they wrote before: other bytes need another version
// byte in the value, or another table.
type Table[K, V any] struct {
	ID TableID
	// AppendKey appends the key's parts; it cannot fail. ParseKey is its
	// inverse, and an error for all it could not have written.
	AppendKey func(dst []byte, k K) []byte
	ParseKey  func(b []byte) (K, error)
	// AppendValue and ParseValue are the same of the value; what ParseValue
	// returns keeps nothing of b. Both are nil in a table whose keys say everything.
	AppendValue func(dst []byte, v V) []byte
	ParseValue  func(b []byte) (V, error)
	// WriteOnly says that no Apply looks for a row: rows of such a table cost least. To
	// Get one from a batch is an error.
	WriteOnly bool
}

// None is the value of a table whose keys say everything.
type None struct{}

// A Row is a row found by Scan.
type Row[K, V any] struct {
	Key    K
	Value  V
	Suffix []byte // the key's bytes behind the range's prefix; valid until the next row
}

// A Getter is where Get looks: a Store, a View or a Batch.
type Getter interface {
	lookup(key []byte) (value []byte, release io.Closer, found bool, err error)
}

// Get is the row at k. In a batch it is the row as this batch leaves it. The
// error is a fault of the store or a row that cannot be read.
func (t *Table[K, V]) Get(from Getter, k K) (v V, found bool, err error) {
	value, release, found, err := t.lookup(from, k)
	if err != nil || !found {
		return v, false, err
	}
	v, err = t.parseValue(value)
	if release != nil {
		_ = release.Close()
	}
	return v, err == nil, err
}

// Has says whether there is a row at k.
func (t *Table[K, V]) Has(from Getter, k K) (bool, error) {
	_, release, found, err := t.lookup(from, k)
	if release != nil {
		_ = release.Close()
	}
	return found, err
}

// lookup is what the getter has at k.
func (t *Table[K, V]) lookup(from Getter, k K) ([]byte, io.Closer, bool, error) {
	if b, ok := from.(*Batch); ok && t.WriteOnly {
		b.err = fmt.Errorf("projections: %s looks for a row of %s, which is only written", b.owner.name, t.ID)
		return nil, nil, false, b.err
	}
	return from.lookup(t.key(from, k))
}

// key is k's key with room for the generation, in the batch's buffer if it is
// for a batch.
func (t *Table[K, V]) key(from Getter, k K) []byte {
	if b, ok := from.(*Batch); ok {
		b.key = t.AppendKey(append(b.key[:0], byte(t.ID), 0), k)
		return b.key
	}
	return t.AppendKey(append(make([]byte, 0, 64), byte(t.ID), 0), k)
}

func (t *Table[K, V]) parseValue(b []byte) (v V, err error) {
	if t.ParseValue == nil {
		return v, nil
	}
	if v, err = t.ParseValue(b); err != nil {
		return v, fmt.Errorf("projections: a row of %s: %w", t.ID, err)
	}
	return v, nil
}

// Put writes the row at k.
func (t *Table[K, V]) Put(b *Batch, k K, v V) {
	b.key = t.AppendKey(append(b.key[:0], byte(t.ID), 0), k)
	b.value = b.value[:0]
	if t.AppendValue != nil {
		b.value = t.AppendValue(b.value, v)
	}
	if t.WriteOnly {
		b.log(b.key, b.value, written)
		return
	}
	b.set(b.key, b.value)
}

// Delete removes the row at k, if there is one.
func (t *Table[K, V]) Delete(b *Batch, k K) {
	b.key = t.AppendKey(append(b.key[:0], byte(t.ID), 0), k)
	if t.WriteOnly {
		b.log(b.key, nil, removed)
		return
	}
	b.remove(b.key)
}

// A Range is the rows whose keys begin with Prefix, between two suffixes.
type Range struct {
	Prefix []byte // whole parts of the key
	From   []byte // the first suffix wanted; nil for all
	To     []byte // the first suffix no longer wanted; nil for all
	// Backward yields the last row first.
	Backward bool
}

// After is the range's part that comes behind a row with the given suffix.
func (g Range) After(suffix []byte) Range {
	if suffix == nil {
		return g
	}
	if g.Backward {
		g.To = suffix
		return g
	}
	g.From = append(append(make([]byte, 0, len(suffix)+1), suffix...), 0)
	return g
}

// Scan yields the rows of a range in order. An error ends it.
func (t *Table[K, V]) Scan(r Reader, g Range) iter.Seq2[Row[K, V], error] {
	return func(yield func(Row[K, V], error) bool) {
		low, high := g.bounds(t.ID)
		it, err := r.iterate(low, high)
		if err != nil {
			yield(Row[K, V]{}, err)
			return
		}
		defer it.Close()
		step, ok := it.Next, false
		if g.Backward {
			step, ok = it.Prev, it.Last()
		} else {
			ok = it.First()
		}
		for ; ok; ok = step() {
			row, err := t.row(it.Key(), it.Value(), len(g.Prefix))
			if !yield(row, err) || err != nil {
				return
			}
		}
		if err := it.Error(); err != nil {
			yield(Row[K, V]{}, err)
		}
	}
}

func (t *Table[K, V]) row(key, value []byte, prefix int) (Row[K, V], error) {
	k, err := t.ParseKey(key[2:])
	if err != nil {
		return Row[K, V]{}, fmt.Errorf("projections: a key of %s: %w", t.ID, err)
	}
	v, err := t.parseValue(value)
	return Row[K, V]{Key: k, Value: v, Suffix: key[2+prefix:]}, err
}

// bounds are the first key of the range and the first key behind it, with room
// for the generation. A second bound of two bytes is the end of the generation.
func (g Range) bounds(t TableID) (low, high []byte) {
	low = append(make([]byte, 0, 2+len(g.Prefix)+len(g.From)), byte(t), 0)
	low = append(append(low, g.Prefix...), g.From...)
	high = append(make([]byte, 0, 2+len(g.Prefix)+len(g.To)), byte(t), 0)
	high = append(high, g.Prefix...)
	if g.To != nil {
		return low, append(high, g.To...)
	}
	for len(high) > 2 && high[len(high)-1] == 0xff {
		high = high[:len(high)-1]
	}
	if len(high) > 2 {
		high[len(high)-1]++
	}
	return low, high
}

// within fills the generation into bounds and is the second of them.
func within(low, high []byte, g byte) []byte {
	low[1] = g
	switch {
	case len(high) > 2:
		high[1] = g
	case g == 255:
		high = []byte{high[0] + 1}
	default:
		high[1] = g + 1
	}
	return high
}

// Merge yields the rows of several ranges in the order of their suffixes.
func (t *Table[K, V]) Merge(r Reader, ranges []Range) iter.Seq2[Row[K, V], error] {
	if len(ranges) == 1 {
		return t.Scan(r, ranges[0])
	}
	return func(yield func(Row[K, V], error) bool) {
		heads := make([]*head[K, V], 0, len(ranges))
		for _, g := range ranges {
			next, stop := iter.Pull2(t.Scan(r, g))
			defer stop()
			if h := (&head[K, V]{next: next}); h.advance() {
				heads = append(heads, h)
			}
		}
		for len(heads) > 0 {
			i := lowest(heads)
			h := heads[i]
			if !yield(h.row, h.err) || h.err != nil {
				return
			}
			if !h.advance() {
				heads = slices.Delete(heads, i, i+1)
			}
		}
	}
}

// A head is the next row of one of the ranges that are merged.
type head[K, V any] struct {
	next func() (Row[K, V], error, bool)
	row  Row[K, V]
	err  error
}

func (h *head[K, V]) advance() (ok bool) {
	h.row, h.err, ok = h.next()
	return ok
}

// lowest is the head to yield: one that failed, or the first in order.
func lowest[K, V any](heads []*head[K, V]) int {
	low := 0
	for i, h := range heads {
		if h.err != nil {
			return i
		}
		if bytes.Compare(h.row.Suffix, heads[low].row.Suffix) < 0 {
			low = i
		}
	}
	return low
}
