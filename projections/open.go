package projections

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// format is pinned: a store is not upgraded by a new version of Pebble.
const format = pebble.FormatValueSeparation

// OpenDB opens a Pebble store in dir/v<schema>, or makes an empty one there, and removes
// the ones of lower schemas. The directory is the store's own. adjust changes what
// does not fit it of the options that every store here has. For a projection with
// a store of its own; all others are in the one that [Open] opens.
func OpenDB(dir string, schema int, o Options, adjust func(*pebble.Options)) (*pebble.DB, error) {
	fs := o.fileSystem()
	own := fs.PathJoin(dir, "v"+strconv.Itoa(schema))
	if err := makeDirs(fs, dir, own); err != nil {
		return nil, fmt.Errorf("projections: %w", err)
	}
	if err := removeOlder(fs, dir, schema); err != nil {
		return nil, fmt.Errorf("projections: remove an older store: %w", err)
	}
	p := pebbleOptions(o)
	adjust(p)
	var db *pebble.DB
	err := Guarded(func() (err error) {
		db, err = pebble.Open(own, p)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("projections: open %s: %w", own, err)
	}
	return db, nil
}

// Guarded runs f, which works on a store that OpenDB has opened: what Pebble calls
// fatal is a *StoreError.
func Guarded(f func() error) (err error) {
	defer recoverFatal(&err)
	return f()
}

func (o Options) fileSystem() vfs.FS {
	if o.FS == nil {
		return vfs.Default
	}
	return o.FS
}

func pebbleOptions(o Options) *pebble.Options {
	cache, memtable := o.CacheBytes, o.MemTableBytes
	if cache == 0 {
		cache = 320 << 20
	}
	if memtable == 0 {
		memtable = 64 << 20
	}
	fs := o.fileSystem()
	if o.Full != nil {
		fs = vfs.OnDiskFull(fs, o.Full)
	}
	p := &pebble.Options{
		FS: fs, FormatMajorVersion: format, CacheSize: cache, MaxOpenFiles: o.Files,
		MemTableSize: uint64(memtable), MemTableStopWritesThreshold: 3,
		L0CompactionThreshold: 4, L0StopWritesThreshold: 40, LBaseMaxBytes: 256 << 20,
		CompactionConcurrencyRange: func() (int, int) { return 1, 2 },
		Logger:                     logger{o.Health},
		EventListener:              listener(o.Health),
	}
	p.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionBalanced })
	for i := range p.Levels {
		p.Levels[i].BlockSize = 16 << 10
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	p.TargetFileSizes[0] = 8 << 20
	return p
}

// makeDirs makes the directories and makes them outlive a power cut; a store
// whose directory is lost is built anew.
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
func removeOlder(fs vfs.FS, dir string, schema int) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		digits, ok := strings.CutPrefix(name, "v")
		n, err := strconv.Atoi(digits)
		if !ok || err != nil || strconv.Itoa(n) != digits || n >= schema {
			continue
		}
		if err := fs.RemoveAll(fs.PathJoin(dir, name)); err != nil {
			return err
		}
	}
	return nil
}
