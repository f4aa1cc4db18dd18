package access

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"

	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/row"
)

// What the store keeps of itself.
const (
	metaIdentity = 'i' // of the log
	metaPosition = 'p' // of the last message in the rows
	metaLow      = 'l' // the lowest live month
	metaLatest   = 'd' // the latest day that has counters
)

func metaKey(kind byte) []byte { return []byte{spaceMeta, kind} }

// lookup calls read with the value of the row at key, if there is one; read keeps nothing of it.
func (s *Store) lookup(key []byte, read func(value []byte) error) (found bool, err error) {
	value, release, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	err = read(value)
	return err == nil, errors.Join(err, release.Close())
}

// claim writes the log's identity into a new store and compares it in another.
func (s *Store) claim(identity string) error {
	stored := ""
	found, err := s.lookup(metaKey(metaIdentity), func(value []byte) error {
		p := row.Parse(value)
		p.Version(1)
		stored = p.Str()
		return p.Done()
	})
	switch {
	case err != nil:
		return err
	case found && stored != identity:
		return &projections.IdentityError{Stored: stored, Given: identity}
	case found:
		return nil
	}
	b := s.db.NewBatch()
	defer b.Close()
	if err := b.Set(metaKey(metaIdentity), row.AppendString([]byte{1}, identity), nil); err != nil {
		return err
	}
	return s.commit(b, pebble.NoSync)
}

func (s *Store) loadMeta() error {
	position, err := s.number(metaPosition)
	if err != nil {
		return err
	}
	low, err := s.number(metaLow)
	if err != nil {
		return err
	}
	latest, err := s.number(metaLatest)
	s.position.Store(position)
	s.low.Store(uint32(low))
	s.latest = dayOfNumber(latest)
	return err
}

// number is a row of the store's own that holds a number; zero if there is none.
func (s *Store) number(kind byte) (n uint64, err error) {
	_, err = s.lookup(metaKey(kind), func(value []byte) error {
		p := row.Parse(value)
		p.Version(1)
		n = p.Uvarint()
		return p.Done()
	})
	return n, err
}

func setNumber(b *pebble.Batch, kind byte, n uint64) error {
	return b.Set(metaKey(kind), row.AppendUvarint([]byte{1}, n), nil)
}

func setPosition(b *pebble.Batch, p uses.Position) error {
	return setNumber(b, metaPosition, uint64(p))
}
