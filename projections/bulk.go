package projections

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A lane that has a long way to go brings its rows in by bulk: it gathers what follows
// from many records, writes it to files in the store's own format, one for each table and in
// the order of the keys, and hands them to the store all at once, with the positions that
// they lead to. Neither the store's log nor its memtables see those rows, and tables
// whose newest rows come first are never written a second time.
//
// Handing over is atomic and durable: after a crash the rows of a stretch of the log are there
// with their positions, or neither. What was gathered and not handed over is read from the log again.

// bulkFolder is where the files are made, beside the store. What lies there at a start was
// left by a crash.
const bulkFolder = "bulk"

// bulk is how a store makes such files.
type bulk struct {
	fs      vfs.FS
	dir     string
	options sstable.WriterOptions
	records uint64 // from here on a lane has a long way to go
	bytes   int    // of memory that a lane gathers in, about
	serial  atomic.Uint64
}

// openBulk makes the folder anew. p are the store's options, complete.
func openBulk(dir string, o Options, p *pebble.Options) (*bulk, error) {
	b := &bulk{fs: p.FS, dir: p.FS.PathJoin(dir, bulkFolder), records: uint64(o.BulkRecords), bytes: int(o.BulkBytes)}
	b.records = cmp.Or(b.records, 20_000)
	b.bytes = cmp.Or(b.bytes, 160<<20)
	b.options = p.MakeWriterOptions(0, format.MaxTableFormat())
	if err := errors.Join(b.fs.RemoveAll(b.dir), b.fs.MkdirAll(b.dir, 0o700)); err != nil {
		return nil, fmt.Errorf("projections: %w", err)
	}
	return b, nil
}

// A file to be made: a run of a batch, or what write writes.
type bulkFile struct {
	rows  int
	write func(rowWriter) error
}

// ingest sorts the batches and makes their rows the store's, together with the rows
// that meta writes, in the order of their keys.
func (s *Store) ingest(ctx context.Context, batches []*Batch, meta func(rowWriter) error) error {
	files := []bulkFile{{1, meta}}
	for _, b := range batches {
		b.divide()
		for _, r := range b.runs {
			files = append(files, bulkFile{r.to - r.from, func(w rowWriter) error {
				b.sortRun(r)
				return b.writeRun(w, r)
			}})
		}
	}
	paths, err := s.bulk.make(files)
	if err == nil {
		err = Guarded(func() error { return s.db.Ingest(ctx, paths) })
	}
	if err != nil {
		for _, p := range paths {
			_ = s.bulk.fs.Remove(p) // what the store has taken in is no longer there
		}
		return fmt.Errorf("projections: bring rows in: %w", err)
	}
	return nil
}

// make makes the files, the largest first and as many at a time as there are processors.
func (k *bulk) make(files []bulkFile) ([]string, error) {
	slices.SortFunc(files, func(x, y bulkFile) int { return cmp.Compare(y.rows, x.rows) })
	paths, errs := make([]string, len(files)), make([]error, len(files))
	for i := range paths {
		paths[i] = k.fs.PathJoin(k.dir, strconv.FormatUint(k.serial.Add(1), 10)+".sst")
	}
	var taken atomic.Int64
	var done sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(files)) {
		done.Go(func() {
			for i := taken.Add(1) - 1; i < int64(len(files)); i = taken.Add(1) - 1 {
				errs[i] = Guarded(func() error { return k.makeOne(paths[i], files[i].write) })
			}
		})
	}
	done.Wait()
	return paths, errors.Join(errs...)
}

func (k *bulk) makeOne(path string, write func(rowWriter) error) error {
	f, err := k.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(f), k.options)
	return errors.Join(write(w), w.Close()) // which syncs the file
}
