package journal

import (
	"bytes"
	"errors"
	"testing"

	"github.com/keyledger/keyledger/events"
)

func TestCells(t *testing.T) {
	dir := t.TempDir()
	j := opened(t, testConfig(dir))
	cells := j.Cells()
	if _, _, err := cells.Get(t.Context(), "wrapped.1"); !errors.Is(err, events.ErrNone) {
		t.Errorf("get what was never put: got %v, want ErrNone", err)
	}
	first, err := cells.Put(t.Context(), "wrapped.1", []byte("one"), 0)
	if err != nil {
		t.Fatal(err)
	}
	other, err := cells.Put(t.Context(), "wrapped.2", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	second, err := cells.Put(t.Context(), "wrapped.1", []byte("two"), first)
	if err != nil || second <= other {
		t.Fatalf("put: got revision %d, %v, want one after %d", second, err, other)
	}
	for _, stale := range []Revision{0, first, other, second + 1} {
		if _, err := cells.Put(t.Context(), "wrapped.1", []byte("three"), stale); !errors.Is(err, ErrCellMoved) {
			t.Errorf("put over revision %d: got %v, want ErrCellMoved", stale, err)
		}
	}
	if again, err := cells.Put(t.Context(), "wrapped.1", []byte("two"), first); err != nil || again != second {
		t.Errorf("the same put again: got %d, %v, want %d", again, err, second)
	}
	closed(t, j)
	cells = opened(t, testConfig(dir)).Cells()
	if value, at, err := cells.Get(t.Context(), "wrapped.1"); err != nil || at != second || !bytes.Equal(value, []byte("two")) {
		t.Errorf("get: got %q at %d, %v, want %q at %d", value, at, err, "two", second)
	}
}

func TestCellKeys(t *testing.T) {
	for key, valid := range map[string]bool{
		"a": true, "a.b": true, "A-1_=/z.9": true,
		"": false, ".": false, "a.": false, ".a": false, "a..b": false, "a b": false, "a*": false, ">": false, "é": false, "a+": false,
	} {
		if err := validKey(key); (err == nil) != valid {
			t.Errorf("key %q: got %v, want valid: %v", key, err, valid)
		}
	}
}
