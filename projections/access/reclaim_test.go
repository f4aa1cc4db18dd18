package access_test

import (
	"os"
	"path/filepath"
	"testing"

	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/access"
)

// TestReclaim drops months of a store that is one file: what was dropped is gone from the
// disk, and what was not is as it was.
func TestReclaim(t *testing.T) {
	for name, months := range map[string]int{"most of it": 4, "half of it": 2} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := access.Open(dir, "a log", projections.Options{})
			if err != nil {
				t.Fatal(err)
			}
			draw := lots(1)
			for i := range 16 {
				apply(t, s, tell(draw, begin.AddDate(0, i/4, 0), uses.Position(1+300*i), 300))
			}
			if err := s.Flush(); err != nil {
				t.Fatal(err)
			}
			whole, rows := tables(t, dir), len(s.Dump())
			if err := s.Drop(begin.AddDate(0, months, 0)); err != nil {
				t.Fatal(err)
			}
			kept := s.Dump()
			for range 2 { // the second finds nothing to do
				if err := s.Reclaim(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			same(t, kept, s.Dump())
			if err := s.Close(); err != nil { // files go in the background
				t.Fatal(err)
			}
			if after, part := tables(t, dir), float64(len(kept))/float64(rows); part > 0.9 || float64(after) > 1.2*part*float64(whole) {
				t.Errorf("%d of %d bytes are left of the tables, and %.2f of the rows", after, whole, part)
			}
		})
	}
}

// tables is how many bytes a store's tables take.
func tables(t *testing.T, dir string) (n int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.sst"))
	if err != nil || len(files) == 0 {
		t.Fatalf("tables: %v, %v", files, err)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		n += info.Size()
	}
	return n
}
