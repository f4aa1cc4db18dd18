package access

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/keyledger/keyledger/events"
	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/projections"
)

// Dump is every row of the store, one a line.
func (s *Store) Dump() (out []string) {
	it, err := s.db.NewIter(nil)
	if err != nil {
		panic(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		out = append(out, fmt.Sprintf("%x = %x", it.Key(), it.Value()))
	}
	if err := it.Close(); err != nil {
		panic(err)
	}
	return out
}

// MonthRows is how many rows lie in months.
func (s *Store) MonthRows() (n int) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{spaceMonths}, UpperBound: []byte{spaceMonths + 1}})
	if err != nil {
		panic(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		n++
	}
	if err := it.Close(); err != nil {
		panic(err)
	}
	return n
}

// Forget makes the folder forget what it remembers of the store.
func (s *Store) Forget() { s.fold.reset() }

// Damage makes the row of a key's last use unreadable until it is undone.
func (s *Store) Damage(k events.AccessKeyID) (undo func()) {
	key, was := lastKey(nil, k), []byte(nil)
	if _, err := s.lookup(key, func(value []byte) error { was = bytes.Clone(value); return nil }); err != nil {
		panic(err)
	}
	set := func(value []byte) {
		if err := s.db.Set(key, value, nil); err != nil {
			panic(err)
		}
	}
	set([]byte{0xff})
	return func() { set(was) }
}

// Settle waits until what is written is flushed and compacted as far as it would be.
func (s *Store) Settle() error {
	if err := s.db.Flush(); err != nil {
		return err
	}
	for quiet := 0; quiet < 5; quiet++ {
		time.Sleep(10 * time.Millisecond)
		if s.db.Metrics().Compact.NumInProgress > 0 {
			quiet = 0
		}
	}
	return nil
}

// LiveBytes is what the tables take.
func (s *Store) LiveBytes() int64 { t := s.db.Metrics().Total(); return t.TablesSize }

// Codecs for fuzzing.
var (
	AppendRecord = appendRecord
	ParseRecord  = parseRecord
	ParseCounts  = parseCounts
	ParseLast    = parseLast
	ManyKeys     = manyKeys
)

func AppendCounts(c any) []byte { d := c.(dayRow); return appendDayRow(nil, &d) }

func AppendLast(l Last) []byte { return appendLast(nil, l.Used.append(nil), l.Refused.append(nil)) }

// Mentions reads a row of a timeline and writes it again.
func Mentions(value []byte, newest int64, position uses.Position) (again []byte, n int, err error) {
	var all []mention
	everything := window{newest: place{1<<63 - 1, 1<<64 - 1, 1<<16 - 1}, oldest: place{micros: -1 << 63}}
	err = parseMentions(value, newest, position, everything, func(m mention) { all = append(all, m) })
	if err != nil || len(all) == 0 {
		return nil, len(all), err
	}
	return appendMentions(nil, all), len(all), nil
}

// Raw writes rows with keys and values of a record's size, one a record, in batches, to a bare
// Pebble with the store's options: what Apply is compared with.
func Raw(dir string, batches iter.Seq[[]uses.Record]) (err error) {
	db, err := openDB(dir, projections.Options{})
	if err != nil {
		return err
	}
	s := &Store{db: db}
	var key, value []byte
	position := uses.Position(0)
	for records := range batches {
		b := db.NewBatch()
		position++
		for i := range records {
			r := &records[i]
			at := place{r.Time.UnixMicro(), position, uint16(i)}
			key = appendPlace(appendRecords(key[:0], monthOf(at.micros), r.Account, r.Key), at)
			value = appendRecord(value[:0], r)
			if err := b.Set(key, value, nil); err != nil {
				return err
			}
		}
		if err := errors.Join(b.Commit(pebble.NoSync), b.Close()); err != nil {
			return err
		}
	}
	return errors.Join(s.Settle(), db.Close())
}

// Written is the keys, in the order in which a batch has them, of rows that came in the order given: each of a stack, with a time.
func Written(db *Store, stacks []byte, micros []int64) (keys [][]byte) {
	var p pending
	of := map[byte]*stack{}
	for i, s := range stacks {
		if of[s] == nil {
			of[s] = &stack{}
		}
		at := place{micros[i], 1, uint16(i)}
		p.push(of[s], at, appendPlace([]byte{s}, at), []byte("value"))
	}
	b := db.db.NewBatchWithSize(p.size())
	if err := p.writeTo(b); err != nil {
		panic(err)
	}
	for r := b.Reader(); len(r) > 0; {
		_, key, _, _, err := r.Next()
		if err != nil {
			panic(err)
		}
		keys = append(keys, bytes.Clone(key))
	}
	return keys
}
