package projections

import (
	"bytes"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/keyledger/keyledger/events"
)

// A foresight is what follows from messages that are still on their way into the log,
// worked out while the disk is waited for. Nothing of it is written, shown or counted
// until they have come: exactly they, and exactly there.
type foresight struct {
	messages []events.Message
	items    []item
	rows     *pebble.Batch
	after    laneState
}

// A laneState is what folding changes about a lane besides its members' batches.
type laneState struct {
	position  events.Position
	seen      []acknowledgement
	standings []standing
}

func (l *lane) state() laneState {
	s := laneState{position: l.position, seen: slices.Clone(l.seen), standings: make([]standing, len(l.members))}
	for i, m := range l.members {
		s.standings[i] = m.standing
	}
	return s
}

func (l *lane) restore(s laneState) {
	l.position, l.seen = s.position, append(l.seen[:0], s.seen...)
	for i, m := range l.members {
		m.standing = s.standings[i]
	}
}

// foresee works out what follows from the messages that the source is about to have,
// if they come next, and gives what is foreseen; nil if nothing is. What cannot be folded
// in is left for when it has come.
func (r *Runner) foresee(coming []events.Message) *foresight {
	r.applying.Lock()
	defer r.applying.Unlock()
	if r.main.until > 0 {
		return nil // it gathers rows, and does not wait for a disk
	}
	if len(coming) == 0 || coming[0].Position != r.main.position+1 || r.foreseen != nil && same(r.foreseen.messages, coming) {
		return r.foreseen
	}
	r.dropForeseen()
	f := &foresight{messages: coming, items: make([]item, len(coming))}
	for i, m := range coming {
		if f.items[i] = decode(m); f.items[i].err != nil {
			return nil
		}
	}
	if r.main.foresee(f) {
		r.foreseen = f
	}
	return r.foreseen
}

// lookAway drops what was foreseen, because nobody applies any more.
func (r *Runner) lookAway() {
	r.applying.Lock()
	defer r.applying.Unlock()
	r.dropForeseen()
}

// foresee fills in rows and after, and leaves the lane as it was.
func (l *lane) foresee(f *foresight) bool {
	before := l.state()
	defer l.restore(before)
	l.begin(len(f.items))
	if _, gap := l.dense(f.items); gap != nil {
		return false
	}
	l.fold(f.items)
	for i, m := range l.members {
		if m.degraded != before.standings[i].degraded {
			return false
		}
	}
	var err error
	f.rows, err = l.rows()
	f.after = l.state()
	return err == nil
}

// dropForeseen drops what was foreseen. The caller holds applying.
func (r *Runner) dropForeseen() {
	if r.foreseen != nil {
		_ = r.foreseen.rows.Close()
		r.foreseen = nil
	}
}

// cameTrue is what was foreseen, if it is of these items; else it is dropped. The caller
// holds applying.
func (r *Runner) cameTrue(items []item) *foresight {
	f := r.foreseen
	if f == nil || len(items) != len(f.items) || slices.ContainsFunc(items, func(it item) bool { return it.foreseen != f }) {
		r.dropForeseen()
		return nil
	}
	r.foreseen = nil
	return f
}

// fulfil writes what was foreseen, and shows it.
func (l *lane) fulfil(f *foresight) error {
	l.restore(f.after)
	if err := l.write(f.rows); err != nil {
		return err
	}
	l.show(f.items)
	return nil
}

// known is the item of a message that was foreseen, so that it is not decoded twice.
func (f *foresight) known(m events.Message) (item, bool) {
	if f == nil || m.Position < f.messages[0].Position {
		return item{}, false
	}
	i := int(m.Position - f.messages[0].Position)
	if i >= len(f.messages) || !equal(f.messages[i], m) {
		return item{}, false
	}
	it := f.items[i]
	it.foreseen = f
	return it, true
}

func same(a, b []events.Message) bool { return slices.EqualFunc(a, b, equal) }

func equal(a, b events.Message) bool {
	return a.Position == b.Position && a.Subject == b.Subject && bytes.Equal(a.Data, b.Data)
}
