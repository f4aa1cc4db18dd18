package projections

import (
	"fmt"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections/row"
)

// A Fold is a projection made of a pure function: one row per key, which holds
// the state that the events of the key lead to and the position of the last record
// folded in. With the function that rules use for Evolve, a rule's state is folded by
// one function only.
type Fold[S any] struct {
	FoldName    string
	FoldVersion int // raise it when Evolve, Key or Append changes what it gives
	Table       TableID
	// Key appends the key of the row that an event of a subject belongs to;
	// false if it belongs to none.
	Key func(dst []byte, s events.Subject, e events.Event) ([]byte, bool)
	// Evolve is the state after e; the zero S is before the first event.
	Evolve func(s S, e events.Event) S
	// Ends says that with e the row is over: it is deleted, and a later event
	// of the key begins again with the zero S. Nil means never.
	Ends func(e events.Event) bool
	// Append writes a state, Parse reads it back and keeps nothing of b. The
	// first byte should be a version.
	Append func(dst []byte, s S) []byte
	Parse  func(b []byte) (S, error)
}

// Name is FoldName.
func (f *Fold[S]) Name() string { return f.FoldName }

// Version is FoldVersion.
func (f *Fold[S]) Version() int { return f.FoldVersion }

// Tables is the one table.
func (f *Fold[S]) Tables() []TableID { return []TableID{f.Table} }

// Apply folds each of r's events into the row it belongs to.
func (f *Fold[S]) Apply(b *Batch, r events.Record) error {
	for i := range r.Events {
		if err := f.fold(b, r.Position, r.Subject, r.Events[i].Event); err != nil {
			return err
		}
	}
	return nil
}

func (f *Fold[S]) fold(b *Batch, at events.Position, s events.Subject, e events.Event) error {
	key, ok := f.Key(append(b.key[:0], byte(f.Table), 0), s, e)
	if !ok {
		return nil
	}
	b.key = key
	if f.Ends != nil && f.Ends(e) {
		b.remove(key)
		return nil
	}
	state, _, err := f.load(b, key)
	if err != nil {
		return err
	}
	b.value = row.AppendUint64(b.value[:0], uint64(at))
	b.value = f.Append(b.value, f.Evolve(state, e))
	b.set(key, b.value)
	return nil
}

// Load is the state at a key, as Key appends it, and the position of the last
// record in it: the zero S and zero if there is no row.
func (f *Fold[S]) Load(from Getter, key []byte) (S, events.Position, error) {
	return f.load(from, append(append(make([]byte, 0, 2+len(key)), byte(f.Table), 0), key...))
}

func (f *Fold[S]) load(from Getter, key []byte) (s S, at events.Position, err error) {
	value, release, found, err := from.lookup(key)
	if err != nil || !found {
		return s, 0, err
	}
	if release != nil {
		defer release.Close()
	}
	if s, at, err = f.parse(value); err != nil {
		err = fmt.Errorf("projections: a row of %s: %w", f.Table, err)
	}
	return s, at, err
}

func (f *Fold[S]) parse(value []byte) (s S, at events.Position, err error) {
	if len(value) < 8 {
		return s, 0, row.ErrMalformed
	}
	p := row.Parse(value[:8])
	at = events.Position(p.Uint64())
	s, err = f.Parse(value[8:])
	return s, at, err
}
