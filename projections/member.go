package projections

import (
	"fmt"

	"github.com/keyledger/keyledger/events"
)

// A member is a projection as the runner has it. The lane that it is in owns
// it; what others may see is the shown part, under Runner.mu.
type member struct {
	standing
	projection Projection
	name       string
	want       int // the version of the projection's code
	critical   bool
	tables     []TableID
	owns       [256]bool
	batch      *Batch  // of the items under way; nil before the first
	before     int     // rows in the batch before
	of         *member // whose place this rebuild is to take; nil unless it is one

	shown    standing
	building *member // its rebuild, if one is under way
}

func newMembers(parts []Part) ([]*member, error) {
	names, tables := map[string]bool{"": true, "*": true}, map[TableID]string{tableMeta: "the store"}
	var out []*member
	for _, p := range parts {
		m := newMember(p)
		if names[m.name] {
			return nil, fmt.Errorf("projections: the name %q is taken or reserved", m.name)
		}
		names[m.name] = true
		for _, t := range m.tables {
			if owner, taken := tables[t]; taken {
				return nil, fmt.Errorf("projections: the table %s of %s belongs to %s", t, m.name, owner)
			}
			tables[t] = m.name
		}
		out = append(out, m)
	}
	return out, nil
}

func newMember(p Part) *member {
	m := &member{projection: p.Projection, name: p.Projection.Name(), want: p.Projection.Version(), critical: p.Critical, tables: p.Projection.Tables()}
	m.standing = standing{version: m.want, generation: firstGeneration}
	for _, t := range m.tables {
		m.owns[t] = true
	}
	return m
}

// stale says that the rows were written by another version of the projection:
// they answer until the rebuild is done, and nothing is added to them.
func (m *member) stale() bool { return m.version != m.want }

// written says of a member of the main lane that its row needs no change: it goes
// along, or it stopped before.
func (m *member) written() bool {
	if m.degraded != nil {
		return m.shown.degraded != nil
	}
	return m.along
}

func (m *member) show() { m.shown = m.standing }

// shadow is a rebuild of m, in the next generation, from the first record.
func (m *member) shadow() *member {
	s := *m
	s.of, s.building = m, nil
	s.batch, s.before = nil, 0
	s.standing = standing{version: m.want, generation: nextGeneration(m.generation)}
	s.show()
	return &s
}

// begin readies m's batch for a number of records.
func (m *member) begin(s *Store, records int) {
	if m.batch == nil {
		m.batch = newBatch(s)
		m.batch.owner = m
	}
	m.before = len(m.batch.rows)
	m.batch.reset(records)
}

// weight is about how much there is to do for m, beside others.
func (m *member) weight() int { return max(m.before, len(m.batch.rows)) }

// fold lets m fold an item in.
func (m *member) fold(it *item) error {
	if it.err != nil {
		return it.err
	}
	m.batch.err = nil
	err := m.apply(m.batch, it.record)
	if err == nil {
		err = m.batch.err
	}
	if err != nil {
		m.batch.takeBack()
		return err
	}
	m.batch.keep()
	return nil
}

// apply turns a panic into an error: a fold that cannot cope with a record
// stops there and lets the others go on.
func (m *member) apply(b *Batch, r events.Record) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return m.projection.Apply(b, r)
}
