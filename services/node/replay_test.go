package node_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/keyledger/keyledger/services/node"
)

// TestReplayIsKeptShort: what a start has caught up with is on disk when it serves, so
// that the next one need not replay it; and as long as it is little, nothing is flushed.
func TestReplayIsKeptShort(t *testing.T) {
	w := newWorld(t)
	n := w.start()
	w.stop(n)
	caughtUp := func(limit uint64) uint64 {
		defer node.SetReplayAtMost(limit)()
		if err := os.RemoveAll(filepath.Join(w.config.Data, "projections")); err != nil {
			t.Fatal(err)
		}
		n := w.start()
		defer w.stop(n)
		return n.Unflushed()
	}
	little, all := caughtUp(1), caughtUp(1<<30)
	if all < 1000 || little > all/4 {
		t.Errorf("a start would replay %d bytes, and without a flush %d", little, all)
	}
}
