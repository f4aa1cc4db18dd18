package projections

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections/row"
)

// The meta table. Its generation byte is zero; a kind follows.
const (
	metaIdentity     = 'i' // of the log
	metaReached      = 'r' // the position to which the log was followed
	metaProjection   = 'p' // and a name: how far it is and which generation is live
	metaAcknowledged = 'a' // position, name: a record that may be passed
)

func metaKey(kind byte) []byte { return []byte{byte(tableMeta), 0, kind} }

// A Degradation is where a projection stopped and why.
type Degradation struct {
	Position events.Position // of the record that it could not apply
	Reason   string
}

// A standing is the meta row of a projection.
type standing struct {
	version    int // of the projection that wrote the rows
	generation byte
	position   events.Position // of the last record in the rows
	degraded   *Degradation
	// along says that the row leaves the position out: it is the one to which the log
	// was followed, as long as the projection goes along. So the row need not be written
	// with every batch.
	along bool
}

// Versions of a standing's row.
const (
	standsAlone byte = 1
	goesAlong   byte = 2
)

func appendStanding(dst []byte, s standing) []byte {
	if s.along {
		return append(row.AppendUvarint(append(dst, goesAlong), uint64(s.version)), s.generation)
	}
	dst = append(dst, standsAlone)
	dst = row.AppendUvarint(dst, uint64(s.version))
	dst = append(dst, s.generation)
	dst = row.AppendUvarint(dst, uint64(s.position))
	dst = row.AppendBool(dst, s.degraded != nil)
	if s.degraded != nil {
		dst = row.AppendUvarint(dst, uint64(s.degraded.Position))
		dst = row.AppendString(dst, s.degraded.Reason)
	}
	return dst
}

// parseStanding is the standing in a row, without the position of one that goes
// along.
func parseStanding(b []byte) (standing, error) {
	p := row.Parse(b)
	s := standing{along: p.Version(standsAlone, goesAlong) == goesAlong, version: int(p.Uvarint()), generation: p.Byte()}
	if !s.along {
		s.position = events.Position(p.Uvarint())
		if p.Bool() {
			s.degraded = &Degradation{Position: events.Position(p.Uvarint()), Reason: p.Str()}
		}
	}
	if s.generation == 0 {
		p.Fail("generation zero")
	}
	return s, p.Done()
}

func projectionKey(name string) []byte { return append(metaKey(metaProjection), name...) }

// standingOf is how a projection stands; found is false if it never stood.
func standingOf(r pebble.Reader, name string) (st standing, found bool, err error) {
	value, release, found, err := get(r, projectionKey(name))
	if err != nil || !found {
		return st, false, err
	}
	st, err = parseStanding(value)
	_ = release.Close()
	if err == nil && st.along {
		st.position, err = reached(r)
	}
	if err != nil {
		return st, false, fmt.Errorf("projections: the standing of %s: %w", name, err)
	}
	return st, true, nil
}

// pin writes down the positions of the projections that go along no longer, from
// a moment at which they did: those that stay accepts not.
func (s *Store) pin(stays func(name string) bool) error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: metaKey(metaProjection), UpperBound: metaKey(metaProjection + 1)})
	if err != nil {
		return err
	}
	defer it.Close()
	b := s.db.NewBatch()
	defer b.Close()
	for ok := it.First(); ok; ok = it.Next() {
		name := string(it.Key()[3:])
		st, _, err := standingOf(s.db, name)
		if err != nil {
			return err
		}
		if !st.along || stays(name) {
			continue
		}
		st.along = false
		if err := b.Set(projectionKey(name), appendStanding(nil, st), nil); err != nil {
			return err
		}
	}
	if err := it.Error(); err != nil || b.Empty() {
		return err
	}
	return s.commit(b)
}

// Position is the last record that is in the rows of the named projection as
// the view shows them; zero if there is none.
func (v *View) Position(name string) (events.Position, error) {
	st, _, err := standingOf(v.snapshot, name)
	return st.position, err
}

func (s *Store) identity() (string, bool, error) {
	value, release, found, err := get(s.db, metaKey(metaIdentity))
	if err != nil || !found {
		return "", false, err
	}
	p := row.Parse(value)
	p.Version(1)
	id := p.Str()
	err = p.Done()
	_ = release.Close()
	return id, err == nil, err
}

func (s *Store) setIdentity(id string) error {
	b := s.db.NewBatch()
	defer b.Close()
	if err := b.Set(metaKey(metaIdentity), row.AppendString([]byte{1}, id), nil); err != nil {
		return err
	}
	return s.commit(b)
}

// reached is the position to which the log was followed.
func reached(r pebble.Reader) (events.Position, error) {
	value, release, found, err := get(r, metaKey(metaReached))
	if err != nil || !found {
		return 0, err
	}
	p := row.Parse(value)
	p.Version(1)
	at := events.Position(p.Uvarint())
	err = p.Done()
	_ = release.Close()
	return at, err
}

func setReached(out rowWriter, at events.Position) error {
	return out.Set(metaKey(metaReached), row.AppendUvarint([]byte{1}, uint64(at)))
}

// An acknowledgement is the leave to pass a record.
type acknowledgement struct {
	projection string // or "*", any
	position   events.Position
}

func (a acknowledgement) key() []byte {
	return append(row.AppendUint64(metaKey(metaAcknowledged), uint64(a.position)), a.projection...)
}

// setAcknowledged writes acknowledgements in the order of their keys, each once.
func setAcknowledged(out rowWriter, all []acknowledgement) error {
	keys := make([][]byte, len(all))
	for i, a := range all {
		keys[i] = a.key()
	}
	slices.SortFunc(keys, bytes.Compare)
	for _, key := range slices.CompactFunc(keys, bytes.Equal) {
		if err := out.Set(key, []byte{1}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) acknowledgements() (map[acknowledgement]bool, error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: metaKey(metaAcknowledged), UpperBound: metaKey(metaAcknowledged + 1)})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	found := map[acknowledgement]bool{}
	for ok := it.First(); ok; ok = it.Next() {
		p := row.Parse(it.Key()[3:])
		a := acknowledgement{position: events.Position(p.Uint64())}
		a.projection = p.Rest()
		if err := p.Done(); err != nil {
			return nil, fmt.Errorf("projections: an acknowledgement: %w", err)
		}
		found[a] = true
	}
	return found, it.Error()
}
