package projections

import (
	"fmt"
	"slices"

	"github.com/keyledger/keyledger/events"
)

// A DegradedError says that a projection stopped at a record that it cannot
// apply. It goes on when the log holds an acknowledgement of that record.
type DegradedError struct {
	Projection string
	Degradation
}

func (e *DegradedError) Error() string {
	return fmt.Sprintf("projections: %s stopped at position %d: %s", e.Projection, e.Position, e.Reason)
}

// mayPass says whether the log holds leave for a projection to pass a record.
func (r *Runner) mayPass(name string, at events.Position) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.acknowledged[acknowledgement{name, at}] || r.acknowledged[acknowledgement{"*", at}]
}

// Excused says whether the log holds leave for any projection to pass the record
// at a position.
func (r *Runner) Excused(at events.Position) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.members {
		if r.acknowledged[acknowledgement{m.name, at}] {
			return true
		}
	}
	return r.acknowledged[acknowledgement{"*", at}]
}

// Acknowledged says whether the log holds leave for something that is none of the
// runner's projections, and has positions of its own, to pass one.
func (r *Runner) Acknowledged(name string, at events.Position) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.acknowledged[acknowledgement{name, at}]
}

// release sends every degraded member of the main lane that has leave by now
// on a lane of its own: it meets the same record again, passes it, and comes back. One
// that is being rebuilt stays: the rebuild passes the record, and takes its place. The
// caller holds applying.
func (r *Runner) release() {
	if !slices.ContainsFunc(r.main.members, func(m *member) bool { return m.degraded != nil }) {
		return
	}
	for _, m := range slices.Clone(r.main.members) {
		if m.degraded == nil || r.isBuilding(m) || !r.mayPass(m.name, m.degraded.Position) {
			continue
		}
		r.main.members = slices.DeleteFunc(r.main.members, func(x *member) bool { return x == m })
		r.launch(r.resume(m))
	}
}

func (r *Runner) isBuilding(m *member) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return m.building != nil
}

// resume is a lane on which m goes on.
func (r *Runner) resume(m *member) *lane {
	r.mu.Lock()
	m.degraded = nil
	m.show()
	r.mu.Unlock()
	if m.stale() {
		l := newLane(r, 0)
		l.members = []*member{m.shadow()}
		return l
	}
	l := newLane(r, m.position)
	l.members = []*member{m}
	return l
}

// A Status is how a projection is doing.
type Status struct {
	Name     string
	Version  int // of the rows that answer
	Critical bool
	Position events.Position // of the last record in the rows that answer
	Degraded *Degradation    // where it stopped; nil if it goes on
	// Rebuilding says that new rows are being built, and RebuiltTo how far.
	Rebuilding bool
	RebuiltTo  events.Position
}

// Status is how every projection is doing, in the order of Config.Parts.
func (r *Runner) Status() []Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Status, len(r.members))
	for i, m := range r.members {
		s := Status{Name: m.name, Version: m.shown.version, Critical: m.critical, Position: m.shown.position, Degraded: m.shown.degraded}
		if m.building != nil {
			s.Rebuilding, s.RebuiltTo = true, m.building.shown.position
		}
		out[i] = s
	}
	return out
}
