package projections

import (
	"context"
	"fmt"
	"iter"

	"github.com/keyledger/keyledger/events"
)

// A lane brings its members through the log together: records in order, many
// of them in one batch of the store's, with the positions that they lead to.
type lane struct {
	r        *Runner
	main     bool
	position events.Position // of the last record taken
	members  []*member
	batch    *Batch
	seen     []acknowledgement // in the records of the current batch
}

func newLane(r *Runner, at events.Position) *lane {
	return &lane{r: r, position: at, batch: newBatch(r.store)}
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
	l.batch.reset(len(items))
	l.seen = l.seen[:0]
	gap := l.take(items)
	if err := l.commit(); err != nil {
		return err
	}
	l.r.onApply(records(items))
	l.r.publish(l)
	return gap
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

func (l *lane) take(items []item) error {
	for i := range items {
		it := &items[i]
		if it.position <= l.position {
			continue
		}
		if it.position != l.position+1 {
			return &GapError{After: l.position, Got: it.position}
		}
		l.note(it)
		for _, m := range l.members {
			l.fold(m, it)
		}
		l.position = it.position
	}
	return nil
}

// fold lets a healthy member fold an item in. What it cannot fold it may pass
// only with leave; else it stops there.
func (l *lane) fold(m *member, it *item) {
	if m.degraded != nil {
		return
	}
	if err := m.fold(l.batch, it); err != nil && !l.mayPass(m.name, it.position) {
		m.degraded = &Degradation{Position: it.position, Reason: err.Error()}
		return
	}
	m.position = it.position
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

// commit writes the batch's rows together with every position that changed;
// the projections that go along with the main lane share one. A rebuild's position is not
// written: an interrupted one begins again.
func (l *lane) commit() error {
	out := l.r.store.db.NewBatchWithSize(len(l.batch.bytes) + 16*len(l.batch.rows) + 1024)
	defer out.Close()
	if err := l.batch.writeTo(out); err != nil {
		return err
	}
	var value [64]byte
	for _, m := range l.members {
		if m.of != nil || l.main && m.written() {
			continue
		}
		m.along = l.main && m.degraded == nil
		if err := out.Set(projectionKey(m.name), appendStanding(value[:0], m.standing), nil); err != nil {
			return err
		}
	}
	for _, a := range l.seen {
		if err := setAcknowledged(out, a); err != nil {
			return err
		}
	}
	if l.main {
		if err := setReached(out, l.position); err != nil {
			return err
		}
	}
	return l.r.store.commit(out)
}

// readTo brings the lane to target, which the log has.
func (l *lane) readTo(ctx context.Context, target events.Position) error {
	if l.position >= target || !l.healthy() {
		return nil
	}
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
	return nil
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
