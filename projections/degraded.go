package projections

import (
	"fmt"

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

// release sends every degraded member of the main lane that has leave by now
// on a lane of its own: it meets the same record again, passes it, and comes back. The
// caller holds applying.
func (r *Runner) release() {
	var stay []*member
	for _, m := range r.main.members {
		if m.degraded == nil || !r.mayPass(m.name, m.degraded.Position) {
			stay = append(stay, m)
			continue
		}
		r.launch(r.resume(m))
	}
	r.main.members = stay
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
