package access

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"github.com/keyledger/keyledger/events"
	uses "github.com/keyledger/keyledger/events/access"
)

// A folder folds messages into a batch. Last uses and counters are gathered in what it
// remembers of keys and written once a batch.
type folder struct {
	store   *Store
	pending pending
	filing  filing
	batch   int // how many were written before, and 1
	recall  recall
	seen    seen
	touched []*known
	months  []month // that had no row before
	latest  day     // that has counters, written or gathered
	days    calendar

	records    []uses.Record // buffers
	key, value []byte
}

func newFolder(s *Store) *folder {
	return &folder{store: s, batch: 1, filing: newFiling(), recall: newRecall(), seen: newSeen(), latest: s.latest}
}

// reset forgets everything that is not in the store, and all that was remembered of it.
func (f *folder) reset() {
	f.written()
	f.recall, f.seen, f.touched, f.months, f.latest = newRecall(), newSeen(), nil, nil, f.store.latest
}

// read parses a message. The error says what is wrong with it.
func (f *folder) read(m uses.Message) (err error) {
	f.records, err = uses.Parse(f.records[:0], m.Data)
	if err == nil && len(f.records) > math.MaxUint16+1 {
		err = &uses.MalformedError{Reason: fmt.Sprintf("%d records; want at most %d", len(f.records), math.MaxUint16+1)}
	}
	return err
}

// add folds the records that were read. An error is a fault of the store.
func (f *folder) add(p uses.Position) error {
	low := month(f.store.low.Load())
	for i := range f.records {
		r := &f.records[i]
		at := place{r.Time.UnixMicro(), p, uint16(i)}
		k := f.recall.of(r.Key)
		if err := f.last(k, at, r); err != nil {
			return err
		}
		d := dayOf(at.micros)
		m := f.days.monthOf(d)
		if m < low {
			continue // dropped; only when the key was last used outlives it
		}
		if err := f.record(k, m, d, at, r); err != nil {
			return err
		}
	}
	f.timeline()
	return nil
}

// record writes what a month has of a record.
func (f *folder) record(k *known, m month, d day, at place, r *uses.Record) error {
	f.note(m)
	f.filing.add(r.Account, m, mention{at, r.Key, r.Outcome})
	f.key = appendPlace(appendRecords(f.key[:0], m, r.Account, r.Key), at)
	f.value = appendRecord(f.value[:0], r)
	f.pending.push(k.rows(f.batch, m), at, f.key, f.value)
	f.address(k, m, r)
	return f.count(k, m, d, at.position, r)
}

// note remembers a month that has no rows yet.
func (f *folder) note(m month) {
	if !slices.Contains(*f.store.months.Load(), m) && !slices.Contains(f.months, m) {
		f.months = append(f.months, m)
	}
}

// last gathers when a key was last used, whatever the order in which that is told.
func (f *folder) last(k *known, at place, r *uses.Record) error {
	if !r.Outcome.Use() {
		return nil
	}
	if err := f.load(k); err != nil {
		return err
	}
	kind := &k.used
	if r.Outcome == uses.Denied {
		kind = &k.refused
	}
	if len(*kind) > 0 && at.compare(placeOfUse(*kind)) <= 0 {
		return nil
	}
	*kind = appendUse((*kind)[:0], at, r)
	k.changed = true
	f.touch(k)
	return nil
}

// load reads what the store has of a key's last uses, once.
func (f *folder) load(k *known) error {
	if k.loaded {
		return nil
	}
	f.key = lastKey(f.key[:0], k.key)
	_, err := f.store.lookup(f.key, func(value []byte) error {
		used, refused, err := splitLast(value)
		k.used, k.refused = slices.Clone(used), slices.Clone(refused)
		return err
	})
	k.loaded = err == nil
	return err
}

func (f *folder) touch(k *known) {
	if !k.listed {
		k.listed = true
		f.touched = append(f.touched, k)
	}
}

// address writes that a key was named from an address in a month, if that is not known.
func (f *folder) address(k *known, m month, r *uses.Record) {
	if !r.SourceIP.IsValid() || k.address == r.SourceIP && k.addressMonth == m && k.account == r.Account {
		return
	}
	f.key = append(appendAddress(f.key[:0], m, r.SourceIP, r.Account), k.key...)
	k.address, k.addressMonth = r.SourceIP, m
	if k.account != r.Account {
		k.account = events.AccountID(strings.Clone(string(r.Account)))
	}
	if f.seen.add(f.key) {
		f.pending.set(f.key, nil)
	}
}

// count gathers how often a key was named on a day. What the counters hold already, by a
// summary, is not counted again.
func (f *folder) count(k *known, m month, d day, p uses.Position, r *uses.Record) error {
	c, err := f.day(k, m, d)
	if err != nil {
		return err
	}
	if p <= c.through && !slices.Contains(k.dirty, d) {
		return nil
	}
	f.dirty(k, d)
	c.add(r)
	c.through = p
	return nil
}

// day is the counters of a key and day as they are remembered, or read. Of days that are later than
// any that was counted there is nothing to read: that is most of them, where the log is of the past.
func (f *folder) day(k *known, m month, d day) (*dayRow, error) {
	for i := range k.days {
		if k.days[i].day == d {
			return &k.days[i], nil
		}
	}
	var c dayRow
	var err error
	if d <= f.store.latest {
		f.key = appendDay(appendCounts(f.key[:0], m, k.key), d)
		_, err = f.store.lookup(f.key, func(value []byte) (err error) {
			c, err = parseCounts(value)
			return err
		})
	}
	c.day = d
	k.days = append(k.days, c)
	return &k.days[len(k.days)-1], err
}

// dirty notes that counters are newer than in the store.
func (f *folder) dirty(k *known, d day) {
	f.latest = max(f.latest, d)
	if !slices.Contains(k.dirty, d) {
		k.dirty = append(k.dirty, d)
		f.touch(k)
	}
}

// timeline writes the rows of the accounts that the message has records of.
func (f *folder) timeline() {
	f.filing.each(func(of *file) {
		eachRow(of.mentions, func(class byte, mentions []mention) {
			f.key = timelineKey(f.key[:0], of.month, of.account, class, mentions[0].place)
			f.value = appendMentions(f.value[:0], mentions)
			f.pending.push(&of.stacks[class], mentions[0].place, f.key, f.value)
		})
	})
}

// commit writes what was folded and that it is all up to p.
func (f *folder) commit(p uses.Position) error {
	for _, k := range f.touched {
		f.gathered(k)
	}
	if err := f.write(p); err != nil {
		return err
	}
	for _, k := range f.touched {
		k.settle()
	}
	f.store.addMonths(f.months)
	f.store.latest = f.latest
	f.touched, f.months = f.touched[:0], f.months[:0]
	f.written()
	f.recall.age()
	f.store.position.Store(uint64(p))
	return nil
}

// write commits the rows that are pending, as those of all that is up to p.
func (f *folder) write(p uses.Position) error {
	b := f.store.db.NewBatchWithSize(f.pending.size() + metaBytes)
	defer func() { _ = b.Close() }()
	if err := f.pending.writeTo(b); err != nil {
		return err
	}
	if err := setPosition(b, p); err != nil {
		return err
	}
	if f.latest != f.store.latest {
		if err := setNumber(b, metaLatest, f.latest.number()); err != nil {
			return err
		}
	}
	return f.store.commit(b, pebble.NoSync)
}

// metaBytes is more than a batch has beside the rows that are pending.
const metaBytes = 128

// written forgets what was to be written: it is, or never will be.
func (f *folder) written() {
	f.batch++
	f.pending.reset()
	f.filing.reset()
}

// gathered writes what was gathered of a key.
func (f *folder) gathered(k *known) {
	if k.changed {
		f.key = lastKey(f.key[:0], k.key)
		f.value = appendLast(f.value[:0], k.used, k.refused)
		f.pending.set(f.key, f.value)
	}
	for i := range k.days {
		c := &k.days[i]
		if slices.Contains(k.dirty, c.day) {
			f.key = appendDay(appendCounts(f.key[:0], c.day.month(), k.key), c.day)
			f.value = appendDayRow(f.value[:0], c)
			f.pending.set(f.key, f.value)
		}
	}
}
