package access

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/keyledger/keyledger/projections"
)

// Schema is the version of how keys are laid out. Raising it starts an empty store beside
// the old one, which is removed: it is built again from SUMMARY and USED.
const Schema = 1

// pebbleFormat is pinned: a store is not upgraded by a new version of Pebble.
const pebbleFormat = pebble.FormatValueSeparation

// Open opens the store in dir/v<schema>, or makes an empty one there, for the log with
// this identity. The directory is the store's own: not that of projections.Open. A store that was filled from another log is refused
// with a *projections.IdentityError.
func Open(dir, identity string, o projections.Options) (*Store, error) {
	if identity == "" {
		return nil, errors.New("access: Open needs the log's identity")
	}
	fs := o.FS
	if fs == nil {
		fs = vfs.Default
	}
	own := fs.PathJoin(dir, "v"+strconv.Itoa(Schema))
	if err := makeDirs(fs, dir, own); err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	if err := removeOlder(fs, dir); err != nil {
		return nil, fmt.Errorf("access: remove an older store: %w", err)
	}
	db, err := openPebble(own, o)
	if err != nil {
		return nil, fmt.Errorf("access: open %s: %w", own, err)
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

// openPebble turns a panic of the logger's Fatalf into an error.
func openPebble(dir string, o projections.Options) (db *pebble.DB, err error) {
	defer recoverFatal(&err)
	return pebble.Open(dir, pebbleOptions(o))
}

func pebbleOptions(o projections.Options) *pebble.Options {
	cache, memtable, fs := o.CacheBytes, o.MemTableBytes, o.FS
	if cache == 0 {
		cache = 320 << 20
	}
	if memtable == 0 {
		memtable = 64 << 20
	}
	if fs == nil {
		fs = vfs.Default
	}
	if o.Full != nil {
		fs = vfs.OnDiskFull(fs, o.Full)
	}
	p := &pebble.Options{
		FS: fs, FormatMajorVersion: pebbleFormat, CacheSize: cache,
		MemTableSize: uint64(memtable), MemTableStopWritesThreshold: 3,
		L0CompactionThreshold: 8, L0StopWritesThreshold: 40, LBaseMaxBytes: 256 << 20,
		CompactionConcurrencyRange: func() (int, int) { return 1, 2 },
		Logger:                     logger{o.Health}, EventListener: listener(o.Health),
	}
	p.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionBalanced })
	for i := range p.Levels {
		p.Levels[i].BlockSize = 16 << 10
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	p.TargetFileSizes[0] = 8 << 20
	return p
}

// makeDirs makes the directories and makes them outlive a power cut.
func makeDirs(fs vfs.FS, dir, own string) error {
	if err := fs.MkdirAll(own, 0o700); err != nil {
		return err
	}
	for _, d := range []string{fs.PathDir(dir), dir} {
		f, err := fs.OpenDir(d)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// removeOlder removes the stores of lower schemas. A higher one is left alone.
func removeOlder(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		digits, ok := strings.CutPrefix(name, "v")
		n, err := strconv.Atoi(digits)
		if !ok || err != nil || strconv.Itoa(n) != digits || n >= Schema {
			continue
		}
		if err := fs.RemoveAll(fs.PathJoin(dir, name)); err != nil {
			return err
		}
	}
	return nil
}
