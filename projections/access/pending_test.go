package access_test

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/keyledger/keyledger/projections/access"
)

// Rows are written in the order of their keys when they come in the order of time, each once whenever they come.
func TestWritten(t *testing.T) {
	s := fresh(t)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(t, "n")
		stacks := rapid.SliceOfN(rapid.ByteRange(0, 4), n, n).Draw(t, "stacks")
		micros := rapid.SliceOfN(rapid.Int64Range(-20, 20), n, n).Draw(t, "micros")
		inTime := rapid.Bool().Draw(t, "in time")
		if inTime {
			slices.Sort(micros)
		}
		keys := access.Written(s, stacks, micros)
		if inTime && !slices.IsSortedFunc(keys, bytes.Compare) {
			t.Fatalf("not in order: %x", keys)
		}
		slices.SortFunc(keys, bytes.Compare)
		if once := slices.CompactFunc(slices.Clone(keys), bytes.Equal); len(keys) != n || len(once) != n {
			t.Fatalf("%d keys, %d of them distinct; want %d", len(keys), len(once), n)
		}
	})
}
