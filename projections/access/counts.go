package access

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/keyledger/keyledger/events"
	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/projections/row"
)

// Counts is how often a key was named. A summary counts for the attempts that it stands for.
type Counts struct {
	Attempts uint64 // that were no use
	Denied   uint64
	Allowed  uint64
}

func (c *Counts) add(r *uses.Record) {
	n := uint64(max(r.Count, 1))
	switch r.Outcome {
	case uses.Attempt:
		c.Attempts += n
	case uses.Denied:
		c.Denied += n
	case uses.Allowed:
		c.Allowed += n
	}
}

// DayCounts is the counts of a day, which begins at midnight UTC.
type DayCounts struct {
	Day time.Time
	Counts
}

// maxDays is how many days Counts answers: the latest of those asked for.
const maxDays = 400

// A Period is what time is asked about.
type Period struct {
	Since time.Time // this time or later; any if zero
	Until time.Time // before this time; any if zero
	// NotBefore is how far back anything is told, whatever is asked for and still there.
	NotBefore time.Time
}

// Counts is how often a key was named on each day that has a moment within the period,
// the earliest first. Days on which it was not are left out; of more than 400, the earliest are.
func (s *Store) Counts(key events.AccessKeyID, p Period) ([]DayCounts, error) {
	low, high := p.bounds()
	if low >= high {
		return nil, nil
	}
	first, last := dayOf(low), dayOf(high-1)
	var out []DayCounts
	for _, m := range s.monthsWithin(first.month(), last.month()) {
		err := s.eachDay(m, key, func(c dayRow) {
			if c.day >= first && c.day <= last {
				out = append(out, DayCounts{c.day.time(), c.Counts})
			}
		})
		if err != nil {
			return nil, err
		}
		if len(out) >= maxDays {
			break
		}
	}
	slices.SortFunc(out, func(a, b DayCounts) int { return a.Day.Compare(b.Day) })
	return out[max(0, len(out)-maxDays):], nil
}

// bounds are the first microsecond of the period and the first behind it.
func (p Period) bounds() (low, high int64) {
	low, high = math.MinInt64, math.MaxInt64
	if !p.Since.IsZero() {
		low = ceiling(p.Since)
	}
	if !p.NotBefore.IsZero() {
		low = max(low, ceiling(p.NotBefore))
	}
	if !p.Until.IsZero() {
		high = ceiling(p.Until)
	}
	return low, high
}

// eachDay calls visit with the counters of a key in a month.
func (s *Store) eachDay(m month, key events.AccessKeyID, visit func(dayRow)) error {
	prefix := appendCounts(nil, m, key)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: behind(prefix)})
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		suffix, _ := bytes.CutPrefix(it.Key(), prefix)
		if len(suffix) != 4 {
			return fmt.Errorf("access: a key of a counter: %w", row.ErrMalformed)
		}
		c, err := parseCounts(it.Value())
		if err != nil {
			return fmt.Errorf("access: counts of %s: %w", key, err)
		}
		c.day = parseDay(suffix)
		visit(c)
	}
	return it.Error()
}

// A dayRow is the counters of a key and day.
type dayRow struct {
	day day
	Counts
	through uses.Position // the last message that is counted in them
}

// countsVersion is the version of the value of counters.
const countsVersion = 1

func appendDayRow(dst []byte, c *dayRow) []byte {
	dst = row.AppendUvarint(append(dst, countsVersion), c.Attempts)
	dst = row.AppendUvarint(dst, c.Denied)
	dst = row.AppendUvarint(dst, c.Allowed)
	return row.AppendUvarint(dst, uint64(c.through))
}

func parseCounts(value []byte) (dayRow, error) {
	p := row.Parse(value)
	c := readCounts(&p)
	return c, p.Done()
}

func readCounts(p *row.Parser) dayRow {
	p.Version(countsVersion)
	return dayRow{Counts: Counts{p.Uvarint(), p.Uvarint(), p.Uvarint()}, through: uses.Position(p.Uvarint())}
}
