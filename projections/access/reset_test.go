package access_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/access"
)

// TestReset has a store forget everything and be told it again: it knows the same, and what was dropped stays dropped.
func TestReset(t *testing.T) {
	story := months(7)
	s := told(t, story)
	if err := s.Drop(march); err != nil {
		t.Fatal(err)
	}
	want := s.Dump()
	for range 2 {
		if err := s.Reset(identity); err != nil {
			t.Fatal(err)
		}
		if s.Position() != 0 || len(s.Dump()) != 2 {
			t.Errorf("forgotten: it is at %d, with rows %v", s.Position(), s.Dump())
		}
		apply(t, s, story)
		same(t, s.Dump(), want)
	}
}

// TestResetOfADamagedStore changes bytes in the middle of every table: questions say that the store is corrupt, and so does a
// check; told everything again, it is as it was.
func TestResetOfADamagedStore(t *testing.T) {
	story, dir := months(8), t.TempDir()
	s, err := access.Open(dir, identity, projections.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	apply(t, s, story)
	want := s.Dump()
	if err := s.Settle(); err != nil {
		t.Fatal(err)
	}
	damage(t, dir)
	for _, q := range []access.Query{{Account: accounts[0]}, {Account: accounts[0], Key: keys[0]}} {
		if _, err := s.List(q, "", 1000); !pebble.IsCorruptionError(err) {
			t.Errorf("%+v: got %v, want that the store is corrupt", q, err)
		}
	}
	if err := s.Check(t.Context()); !pebble.IsCorruptionError(err) {
		t.Errorf("a check: got %v", err)
	}
	if err := s.Reset(identity); err != nil {
		t.Fatal(err)
	}
	apply(t, s, story)
	same(t, s.Dump(), want)
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("a check of the new rows: %v", err)
	}
}

// damage changes bytes of most rows of every table in a folder.
func damage(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.sst"))
	if err != nil || len(files) == 0 {
		t.Fatalf("tables: %v, %v", files, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for i := range len(text) / 2 {
			text[i] ^= 0x55
		}
		if err := os.WriteFile(f, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCrashInReset lets the machine fail at each operation of a reset: what is on the disk is all that was known, or nothing.
func TestCrashInReset(t *testing.T) {
	story := months(9)
	fs := vfs.NewCrashableMem()
	var mu sync.Mutex
	var clones []*vfs.MemFS
	var resetting atomic.Bool
	random := rand.New(rand.NewPCG(9, 9))
	crash := func() { // also while files go in the background
		mu.Lock()
		defer mu.Unlock()
		clones = append(clones, fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50 * (len(clones) % 3), RNG: random}))
	}
	s := open(t, errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if resetting.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			crash()
		}
		return nil
	})))
	apply(t, s, story)
	if err := s.Settle(); err != nil {
		t.Fatal(err)
	}
	want := s.Dump()
	resetting.Store(true)
	err := s.Reset(identity)
	resetting.Store(false)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		crash()
	}
	if err := s.Close(); err != nil { // behind it nothing goes on
		t.Fatal(err)
	}
	before := 0
	for _, clone := range clones {
		s := open(t, clone)
		if s.Position() != 0 {
			before++
			same(t, s.Dump(), want)
		}
		apply(t, s, story)
		same(t, s.Dump(), want)
		if err := s.Close(); err != nil || t.Failed() {
			t.Fatal(err)
		}
	}
	if before == 0 || before == len(clones) {
		t.Errorf("of %d crashes %d were before it took effect: too few of either to prove anything", len(clones), before)
	}
}
