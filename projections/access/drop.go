package access

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/keyledger/keyledger/projections"
)

// Drop forgets every month that ended at or before a time: its records, where they came from
// and its counts. When keys were last used stays. What is dropped does not come back, though
// the log be read again from its beginning. A store never drops less than it did before.
func (s *Store) Drop(before time.Time) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	low := max(monthOf(before.UnixMicro()), month(s.low.Load()))
	if err := s.raise(low); err != nil {
		return fmt.Errorf("access: drop: %w", err)
	}
	if err := s.excise(); err != nil {
		return fmt.Errorf("access: drop: %w", err)
	}
	s.keepMonths(low)
	return nil
}

// raise writes the lowest live month before anything is removed, and waits for the disk: a
// store that lost rows but not what says so would fold some of them in again.
func (s *Store) raise(low month) error {
	if low == month(s.low.Load()) {
		return nil
	}
	b := s.db.NewBatch()
	defer b.Close()
	if err := setNumber(b, metaLow, uint64(low)); err != nil {
		return err
	}
	if err := s.commit(b, pebble.Sync); err != nil {
		return err
	}
	s.low.Store(uint32(low))
	return nil
}

// excise removes what is below the lowest live month. It writes no row: it takes files away.
func (s *Store) excise() error {
	low := month(s.low.Load())
	if low == 0 {
		return nil
	}
	dropped := pebble.KeyRange{Start: []byte{spaceMonths}, End: appendMonth(nil, low)}
	return projections.Guarded(func() error { return s.db.Excise(context.Background(), dropped) })
}

// loadMonths finds the months that have rows.
func (s *Store) loadMonths() error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{spaceMonths}, UpperBound: []byte{spaceMonths + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	months := []month{}
	for ok := it.Last(); ok; {
		m := month(binary.BigEndian.Uint16(it.Key()[1:]))
		months = append(months, m)
		ok = it.SeekLT(appendMonth(nil, m))
	}
	s.months.Store(&months)
	return it.Error()
}

func (s *Store) addMonths(added []month) {
	if len(added) == 0 {
		return
	}
	months := append(slices.Clone(*s.months.Load()), added...)
	slices.SortFunc(months, func(a, b month) int { return int(b) - int(a) })
	s.months.Store(&months)
}

func (s *Store) keepMonths(low month) {
	months := slices.DeleteFunc(slices.Clone(*s.months.Load()), func(m month) bool { return m < low })
	s.months.Store(&months)
}

// monthsWithin are the live months with rows from first to last, the latest first.
func (s *Store) monthsWithin(first, last month) []month {
	first = max(first, month(s.low.Load()))
	months := *s.months.Load()
	from, to := 0, len(months)
	for from < to && months[from] > last {
		from++
	}
	for to > from && months[to-1] < first {
		to--
	}
	return months[from:to]
}
