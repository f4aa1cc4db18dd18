package projections

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Schema is the version of how keys are laid out. Raising it starts an empty
// store beside the old one, which is removed: the log is the truth.
const Schema = 1

// Options are how a store is opened. The zero value is fit for a server of one
// million keys.
type Options struct {
	FS            vfs.FS       // the file system of the machine if nil
	Files         int          // tables held open at most; 1000 if zero
	CacheBytes    int64        // blocks and memtables kept in memory; 320 MiB if zero
	MemTableBytes int64        // of one memtable, of which there are at most three; 64 MiB if zero
	Health        func(Health) // told what the store noticed about itself; must not block
	// BulkRecords is how many records a projection must be behind for their rows to be
	// brought in by bulk; 20,000 if zero. BulkBytes is about how much memory that takes at most,
	// beside the cache; 160 MiB if zero.
	BulkRecords int
	BulkBytes   int64
	// Full is called when a write meets a full disk. Writing waits until it
	// returns, and then tries that write once more; a second failure ends the process, as
	// any other failure to write the store's own log may. Nil: the first one does.
	Full func()
}

// A Store holds the rows of every projection. It may be used by many
// goroutines at once, and is a Reader whose every read is of its own moment.
type Store struct {
	db   *pebble.DB
	live atomic.Pointer[generations]
	bulk *bulk
	// between is called by a test between taking the map of generations and
	// reading by it.
	between func()
}

// generations is the map to read by; whoever has read must look whether it is
// still the same.
func (s *Store) generations() *generations {
	g := s.live.Load()
	if s.between != nil {
		s.between()
	}
	return g
}

// Open opens the store in dir/v<schema>, or makes an empty one there. Only one
// process can have it open.
func Open(dir string, o Options) (*Store, error) {
	var complete *pebble.Options
	db, err := OpenDB(dir, Schema, o, func(p *pebble.Options) {
		p.L0CompactionThreshold = 8 // each stretch of a rebuild is one: half as much is rewritten as with 4
		p.EnsureDefaults()
		complete = p
	})
	if err != nil {
		return nil, err
	}
	s := &Store{db: db}
	if s.bulk, err = openBulk(dir, o, complete); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.live.Store(&generations{})
	return s, nil
}

// Check reads every row there is, and returns why one cannot be read. The store
// holds checksums of its own.
func (s *Store) Check(ctx context.Context) error { return CheckRows(ctx, s.db) }

// CheckRows is Check for a store that [OpenDB] has opened.
func CheckRows(ctx context.Context, db *pebble.DB) error {
	it, err := db.NewIter(nil)
	if err != nil {
		return fmt.Errorf("projections: read the store: %w", err)
	}
	defer it.Close()
	for ok := it.First(); ok && ctx.Err() == nil; ok = it.Next() {
		if _, err := it.ValueAndErr(); err != nil {
			return fmt.Errorf("projections: read a row: %w", err)
		}
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("projections: read the store: %w", err)
	}
	return ctx.Err()
}

// Close closes the store. Every view must be closed and no runner may run.
func (s *Store) Close() error { return s.db.Close() }

// Flush makes what is written so far durable. It is never needed for
// correctness; it shortens what the next start must read from the log.
func (s *Store) Flush() error { return s.db.Flush() }

// FlushSoon begins what Flush does, and gives a channel that is closed when it is done.
func (s *Store) FlushSoon() (done <-chan struct{}, err error) {
	err = Guarded(func() (err error) {
		done, err = s.db.AsyncFlush()
		return err
	})
	return done, err
}

// Unflushed is how many bytes of the store's own log the next start would replay if the
// process were killed now.
func (s *Store) Unflushed() uint64 { return s.db.Metrics().WAL.Size }

// DiskBytes is what the store takes on disk.
func (s *Store) DiskBytes() uint64 { return s.db.Metrics().DiskSpaceUsage() }

// A Reader is where queries read: the Store, or a View of it.
type Reader interface {
	// lookup finds the row at key, whose generation byte it fills in. The value
	// may be used until release, if it is not nil, is closed.
	Getter
	// iterate is an iterator over the rows within [low, high), whose generation
	// bytes it fills in.
	iterate(low, high []byte) (*pebble.Iterator, error)
}

// A View is all the rows at one moment. It must be closed.
type View struct {
	snapshot *pebble.Snapshot
	live     *generations
}

// View is all the rows as they are now.
func (s *Store) View() *View {
	for {
		g := s.generations()
		snapshot := s.db.NewSnapshot()
		if s.live.Load() == g {
			return &View{snapshot: snapshot, live: g}
		}
		_ = snapshot.Close()
	}
}

// Close ends the view; it never fails.
func (v *View) Close() { _ = v.snapshot.Close() }

func (v *View) lookup(key []byte) ([]byte, io.Closer, bool, error) {
	key[1] = v.live[key[0]]
	return get(v.snapshot, key)
}

func (v *View) iterate(low, high []byte) (*pebble.Iterator, error) {
	high = within(low, high, v.live[low[0]])
	return v.snapshot.NewIter(&pebble.IterOptions{LowerBound: low, UpperBound: high})
}

func (s *Store) lookup(key []byte) ([]byte, io.Closer, bool, error) {
	for {
		g := s.generations()
		key[1] = g[key[0]]
		value, release, found, err := get(s.db, key)
		if s.live.Load() == g {
			return value, release, found, err
		}
		if found {
			_ = release.Close()
		}
	}
}

func (s *Store) iterate(low, high []byte) (*pebble.Iterator, error) {
	for {
		g := s.generations()
		upper := within(low, slices.Clone(high), g[low[0]])
		it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: low, UpperBound: upper})
		if err != nil || s.live.Load() == g {
			return it, err
		}
		_ = it.Close()
	}
}

func get(r pebble.Reader, key []byte) ([]byte, io.Closer, bool, error) {
	value, release, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil, false, nil
	}
	return value, release, err == nil, err
}

// commit writes b without waiting for the disk.
func (s *Store) commit(b *pebble.Batch) error {
	return Guarded(func() error { return b.Commit(pebble.NoSync) })
}
