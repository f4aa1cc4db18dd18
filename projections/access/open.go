package access

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/keyledger/keyledger/projections"
)

// Schema is the version of how keys are laid out. Raising it starts an empty store beside
// the old one, which is removed: it is built again from SUMMARY and USED.
const Schema = 2

// Open opens the store in dir/v<schema>, or makes an empty one there, for the log with
// this identity. The directory is the store's own: not that of
// projections.Open. A store that was filled from another log is refused with a
// *projections.IdentityError.
func Open(dir, identity string, o projections.Options) (*Store, error) {
	if identity == "" {
		return nil, errors.New("access: Open needs the log's identity")
	}
	db, err := openDB(dir, o)
	if err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	s := &Store{db: db}
	if err := s.begin(identity); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// begin reads what the store knows of itself, and ends a Drop that was cut short.
func (s *Store) begin(identity string) error {
	if err := s.claim(identity); err != nil {
		return err
	}
	if err := s.loadMeta(); err != nil {
		return fmt.Errorf("access: the store's own rows: %w", err)
	}
	if err := s.excise(); err != nil {
		return fmt.Errorf("access: remove dropped months: %w", err)
	}
	if err := s.loadMonths(); err != nil {
		return fmt.Errorf("access: the months there are: %w", err)
	}
	s.fold = newFolder(s)
	return nil
}

// What the store's memory is, if its options do not say.
const (
	cacheBytes    = 96 << 20
	memTableBytes = 16 << 20
)

// openDB lets more gather before it is compacted than other stores do, and compresses all of it by the
// fast way: what the last level would save by the thorough one (a twentieth) costs a tenth of what it costs
// to apply a record, and as much again when a block is read.
func openDB(dir string, o projections.Options) (*pebble.DB, error) {
	o.CacheBytes, o.MemTableBytes = cmp.Or(o.CacheBytes, cacheBytes), cmp.Or(o.MemTableBytes, memTableBytes)
	return projections.OpenDB(dir, Schema, o, func(p *pebble.Options) {
		p.L0CompactionThreshold = 8
		p.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionFastest })
	})
}

// commit writes b; a fault of the store's own log is an error.
func (s *Store) commit(b *pebble.Batch, o *pebble.WriteOptions) error {
	return projections.Guarded(func() error { return b.Commit(o) })
}
