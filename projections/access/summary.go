package access

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/keyledger/keyledger/events"
	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/projections/row"
)

// A KeySummary is what outlives the log of a key that was named on some days.
type KeySummary struct {
	Last
	Days []DaySummary // the earliest first
}

// A DaySummary is the counts of a day, and the last message that is counted in them: what is
// at or before it in the log must not be counted again.
type DaySummary struct {
	DayCounts
	Through uses.Position
}

// Bounds of a page of summaries.
const (
	pageKeys  = 1000
	pageBytes = 256 << 10 // after which it ends
)

// summaryVersion is the version of a page.
const summaryVersion = 1

// Summaries yields what must outlive the log of the days that begin at or after first and
// before end, as pages that ApplySummary and ParseSummary read: of each key that was named on them the
// days' counts, and when it was last used at all. A page is at most a little more than 256 KiB. An error
// ends it.
func (s *Store) Summaries(first, end time.Time) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		var page []byte
		keys := 0
		for k, err := range s.keySummaries(ceilingDay(first), ceilingDay(end)) {
			if err != nil {
				yield(nil, err)
				return
			}
			page = appendKeySummary(openPage(page), k)
			if keys++; keys < pageKeys && len(page) < pageBytes {
				continue
			}
			if !yield(page, nil) {
				return
			}
			page, keys = nil, 0
		}
		if keys > 0 {
			yield(page, nil)
		}
	}
}

// keySummaries yields the keys that were named on days from first to before end, with those
// days. A key of several months comes once for each.
func (s *Store) keySummaries(first, end day) iter.Seq2[KeySummary, error] {
	return func(yield func(KeySummary, error) bool) {
		months := s.monthsWithin(first.month(), (end - 1).month())
		for _, m := range slices.Backward(months) {
			if !s.keySummariesOf(m, first, end, yield) {
				return
			}
		}
	}
}

// keySummariesOf yields those of a month, and is false if that was the end.
func (s *Store) keySummariesOf(m month, first, end day, yield func(KeySummary, error) bool) bool {
	var k KeySummary
	for c, err := range s.counted(m) {
		if err == nil && (c.day < first || c.day >= end) {
			continue
		}
		if err == nil && c.key != k.Key {
			if k.Key != "" && !yield(k, nil) {
				return false
			}
			k = KeySummary{}
			k.Last, err = s.Last(c.key)
		}
		if err != nil {
			yield(k, err)
			return false
		}
		k.Days = append(k.Days, DaySummary{DayCounts{c.day.time(), c.Counts}, c.through})
	}
	return k.Key == "" || yield(k, nil)
}

// A countedDay is the counters of a key and day, and the key.
type countedDay struct {
	key events.AccessKeyID
	dayRow
}

// counted yields the counters of a month, those of a key together.
func (s *Store) counted(m month) iter.Seq2[countedDay, error] {
	return func(yield func(countedDay, error) bool) {
		prefix := append(appendMonth(nil, m), tableCounts)
		it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: behind(prefix)})
		if err != nil {
			yield(countedDay{}, err)
			return
		}
		defer it.Close()
		for ok := it.First(); ok; ok = it.Next() {
			c, err := parseCounted(it.Key()[len(prefix):], it.Value())
			if !yield(c, err) || err != nil {
				return
			}
		}
		if err := it.Error(); err != nil {
			yield(countedDay{}, err)
		}
	}
}

func parseCounted(key, value []byte) (countedDay, error) {
	p := row.Parse(key)
	c := countedDay{key: events.AccessKeyID(p.Text())}
	if p.Left() != 4 {
		return c, fmt.Errorf("access: a key of a counter: %w", row.ErrMalformed)
	}
	var err error
	if c.dayRow, err = parseCounts(value); err != nil {
		return c, fmt.Errorf("access: counts of %s: %w", c.key, err)
	}
	c.day = parseDay(key[len(key)-4:])
	return c, nil
}

// AppendSummary appends a page with the keys. What it reads back is the same keys.
func AppendSummary(dst []byte, keys []KeySummary) []byte {
	dst = append(dst, summaryVersion)
	for _, k := range keys {
		dst = appendKeySummary(dst, k)
	}
	return dst
}

// openPage begins a page, if it is not begun.
func openPage(page []byte) []byte {
	if len(page) == 0 {
		page = append(page, summaryVersion)
	}
	return page
}

func appendKeySummary(dst []byte, k KeySummary) []byte {
	dst = row.AppendString(dst, k.Key)
	dst = row.AppendBytes(dst, k.Used.append(nil))
	dst = row.AppendBytes(dst, k.Refused.append(nil))
	dst = row.AppendUvarint(dst, uint64(len(k.Days)))
	for _, c := range k.Days {
		dst = appendDay(dst, dayOf(c.Day.UnixMicro()))
		dst = appendDayRow(dst, &dayRow{Counts: c.Counts, through: c.Through})
	}
	return dst
}

// ParseSummary reads a page. The error is row.ErrMalformed.
func ParseSummary(page []byte) ([]KeySummary, error) {
	var out []KeySummary
	p := row.Parse(page)
	p.Version(summaryVersion)
	for p.Left() > 0 {
		k, err := readKeySummary(&p)
		if err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	return out, p.Done()
}

func readKeySummary(p *row.Parser) (k KeySummary, err error) {
	k.Key = events.AccessKeyID(p.Str())
	if k.Used, err = parseUse(p.Bytes()); err != nil {
		return k, err
	}
	if k.Refused, err = parseUse(p.Bytes()); err != nil {
		return k, err
	}
	var last day
	for n := p.Uvarint(); n > 0 && p.Err() == nil; n-- {
		d := day(p.Byte())<<24 | day(p.Byte())<<16 | day(p.Byte())<<8 | day(p.Byte())
		d ^= math.MinInt32
		if d <= last && len(k.Days) > 0 || !d.fits() {
			p.Fail("days out of order, or out of time")
		}
		last = d
		c := readCounts(p)
		k.Days = append(k.Days, DaySummary{DayCounts{d.time(), c.Counts}, c.through})
	}
	if k.Key == "" || len(k.Days) == 0 {
		p.Fail("a summary of nothing")
	}
	return k, p.Err()
}

// ApplySummary folds a page of Summaries in, any number of times and in any order, but
// before the messages that are left of the log. A key's last use only moves on; counts take the place of
// those that count less of the log; those of dropped months are passed over. Position does not
// move. The error is row.ErrMalformed, and nothing was written; or a fault.
func (s *Store) ApplySummary(page []byte) error {
	keys, err := ParseSummary(page)
	if err != nil {
		return fmt.Errorf("access: a summary: %w", err)
	}
	s.applying.Lock()
	defer s.applying.Unlock()
	for i := range keys {
		if err = s.fold.summary(&keys[i]); err != nil {
			break
		}
	}
	if err == nil {
		err = s.fold.commit(s.Position())
	}
	if err != nil {
		s.fold.reset()
		return fmt.Errorf("access: apply a summary: %w", err)
	}
	return nil
}

// summary folds a key's summary in.
func (f *folder) summary(s *KeySummary) error {
	k := f.recall.of(s.Key)
	if err := f.load(k); err != nil {
		return err
	}
	f.newer(k, &k.used, s.Used)
	f.newer(k, &k.refused, s.Refused)
	for i := range s.Days {
		if err := f.summaryDay(k, &s.Days[i]); err != nil {
			return err
		}
	}
	return nil
}

// newer takes a use that is newer than what is known.
func (f *folder) newer(k *known, kind *[]byte, u *Use) {
	if u == nil || len(*kind) > 0 && u.place().compare(placeOfUse(*kind)) <= 0 {
		return
	}
	*kind = u.append((*kind)[:0])
	k.changed = true
	f.touch(k)
}

// summaryDay takes counts that count more of the log than those that are there.
func (f *folder) summaryDay(k *known, s *DaySummary) error {
	d := dayOf(s.Day.UnixMicro())
	m := d.month()
	if m < month(f.store.low.Load()) {
		return nil
	}
	c, err := f.day(k, m, d)
	if err != nil || c.through >= s.Through {
		return err
	}
	f.note(m)
	*c = dayRow{day: d, Counts: s.Counts, through: s.Through}
	f.dirty(k, d)
	return nil
}
