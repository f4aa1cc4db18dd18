package projections

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/keyledger/keyledger/events"
)

// A lane brings its members through the log together: records in order, many
// of them in one batch of the store's, with the positions that they lead to. Each member
// gathers its rows in a Batch of its own.
type lane struct {
	r        *Runner
	main     bool
	position events.Position // of the last record taken
	members  []*member
	seen     []acknowledgement // in the items under way

	// until is how far the lane gathers rows and brings them in by bulk; zero if it writes
	// them batch by batch. Rows are gathered that follow from the items since gathered was
	// last false.
	until    events.Position
	gathered bool
}

func newLane(r *Runner, at events.Position) *lane {
	return &lane{r: r, position: at}
}

// apply takes items, writes what follows from them and shows it. What was
// delivered before is passed over. After a gap it has written what came before and returns
// a *GapError.
func (l *lane) apply(items []item) error {
	for len(items) > 0 && items[0].position <= l.position {
		items = items[1:]
	}
	if len(items) == 0 {
		return nil
	}
	if !l.gathered {
		l.begin(len(items))
	}
	next, gap := l.dense(items)
	l.fold(next)
	if l.until > 0 {
		l.gathered = true
		if gap == nil && l.gathers() {
			return nil
		}
		return errors.Join(l.settle(), gap)
	}
	if err := l.commit(); err != nil {
		return err
	}
	l.r.onApply(records(next))
	l.r.publish(l)
	return gap
}

// begin empties what the lane collects for a number of items.
func (l *lane) begin(items int) {
	l.seen = l.seen[:0]
	if l.until > 0 {
		items = maxItems // there are more to come
	}
	for _, m := range l.members {
		m.begin(l.r.store, items)
		if l.until > 0 && m.position == 0 { // it has no row so far
			m.batch.earlier = &filter{}
		}
	}
}

// goBulk lets the lane gather rows on its way to a position that the log has, if that
// is a long way.
func (l *lane) goBulk(target events.Position) {
	if target > l.position && uint64(target-l.position) >= l.r.store.bulk.records {
		l.until = target
	}
}

// gathers says whether a lane that goes by bulk need not yet write what it has.
func (l *lane) gathers() bool {
	memory := 0
	for _, m := range l.members {
		memory += m.batch.memory()
	}
	return l.position < l.until && memory < l.r.store.bulk.bytes && l.healthy()
}

// settle writes what was gathered, if anything, and shows it. Whoever rests on the rows
// of a lane, or on its members, settles it first.
func (l *lane) settle() error {
	if !l.gathered {
		return nil
	}
	batches := make([]*Batch, len(l.members))
	for i, m := range l.members {
		batches[i] = m.batch
	}
	if err := l.r.store.ingest(l.r.running, batches, l.writeMeta); err != nil {
		return err
	}
	if l.gathered = false; l.position >= l.until {
		l.until = 0
		for _, m := range l.members {
			m.batch = nil // gives back what it took
		}
	}
	l.r.onApply(nil)
	l.r.publish(l)
	return nil
}

// records are those of the items that could be decoded.
func records(items []item) iter.Seq[*events.Record] {
	return func(yield func(*events.Record) bool) {
		for i := range items {
			if items[i].err == nil && !yield(&items[i].record) {
				return
			}
		}
	}
}

// dense is the items up to a gap, and takes down what they mean for the lane. Some
// may have been delivered before.
func (l *lane) dense(items []item) ([]item, error) {
	for i := range items {
		it := &items[i]
		if it.position <= l.position {
			continue
		}
		if it.position != l.position+1 {
			return items[:i], &GapError{After: l.position, Got: it.position}
		}
		l.note(it)
		l.position = it.position
	}
	return items, nil
}

// apart is how many items are worth more than one goroutine.
const apart = 256

// fold lets every member fold the items in. Members share no table, so that they
// need not do it one after the other.
func (l *lane) fold(items []item) {
	workers := min(runtime.GOMAXPROCS(0), len(l.members))
	if len(items) < apart || workers < 2 {
		for _, m := range l.members {
			l.foldInto(m, items)
		}
		return
	}
	dear := slices.SortedFunc(slices.Values(l.members), func(a, b *member) int { return cmp.Compare(b.weight(), a.weight()) })
	var taken atomic.Int64
	var done sync.WaitGroup
	for range workers {
		done.Go(func() {
			for i := taken.Add(1); i <= int64(len(dear)); i = taken.Add(1) {
				l.foldInto(dear[i-1], items)
			}
		})
	}
	done.Wait()
}

// foldInto lets a healthy member fold the items in that it has not seen. What it
// cannot fold it may pass only with leave; else it stops there.
func (l *lane) foldInto(m *member, items []item) {
	for i := range items {
		it := &items[i]
		if m.degraded != nil {
			break
		}
		if it.position <= m.position {
			continue
		}
		if err := m.fold(it); err != nil && !l.mayPass(m.name, it.position) {
			m.degraded = &Degradation{Position: it.position, Reason: err.Error()}
			break
		}
		m.position = it.position
	}
	if l.until == 0 {
		m.batch.sort()
	}
}

// note remembers the acknowledgements in an item.
func (l *lane) note(it *item) {
	for i := range it.record.Events {
		if a, ok := it.record.Events[i].Event.(events.RecordAcknowledged); ok {
			l.seen = append(l.seen, acknowledgement{projection: a.Projection, position: a.Position})
		}
	}
}

func (l *lane) mayPass(name string, at events.Position) bool {
	for _, a := range l.seen {
		if a.position == at && (a.projection == name || a.projection == "*") {
			return true
		}
	}
	return l.r.mayPass(name, at)
}

// healthy says whether a member can still go on.
func (l *lane) healthy() bool {
	for _, m := range l.members {
		if m.degraded == nil {
			return true
		}
	}
	return false
}

// commit writes the members' rows together with every position that changed; the projections
// that go along with the main lane share one. A rebuild's position is not written: an
// interrupted one begins again.
func (l *lane) commit() error {
	size := 1024
	for _, m := range l.members {
		size += m.batch.size()
	}
	out := l.r.store.db.NewBatchWithSize(size)
	defer out.Close()
	for _, m := range l.members {
		if err := m.batch.writeTo(out); err != nil {
			return err
		}
	}
	if err := l.writeMeta(inBatch{out}); err != nil {
		return err
	}
	return l.r.store.commit(out)
}

// writeMeta writes the rows of the meta table, in the order of their keys.
func (l *lane) writeMeta(out rowWriter) error {
	if err := setAcknowledged(out, l.seen); err != nil {
		return err
	}
	var value [64]byte
	for _, m := range slices.SortedFunc(slices.Values(l.members), func(a, b *member) int { return cmp.Compare(a.name, b.name) }) {
		if m.of != nil || l.main && m.written() {
			continue
		}
		m.along = l.main && m.degraded == nil
		if err := out.Set(projectionKey(m.name), appendStanding(value[:0], m.standing)); err != nil {
			return err
		}
	}
	if l.main {
		return setReached(out, l.position)
	}
	return nil
}

// readTo brings the lane to target, which the log has.
func (l *lane) readTo(ctx context.Context, target events.Position) error {
	if l.position >= target || !l.healthy() {
		return nil
	}
	l.goBulk(target)
	f := newFeed(ctx, l.position, l.r.source.Read)
	defer f.stop()
	var items []item
	for l.position < target && l.healthy() {
		var err error
		if items, err = f.take(items, l.position); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if items == nil {
			return fmt.Errorf("projections: the log ended at %d before position %d, which was read before", l.position, target)
		}
		if err := l.apply(upTo(items, target)); err != nil {
			return err
		}
	}
	return l.settle()
}

// upTo is the items that are not beyond target.
func upTo(items []item, target events.Position) []item {
	for i := range items {
		if items[i].position > target {
			return items[:i]
		}
	}
	return items
}
