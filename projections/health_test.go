package projections_test

import (
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/keyledger/keyledger/projections/projtest"
)

// TestFullDiskIsWaitedFor fills the disk again and again: the store waits for
// space, and nothing is lost.
func TestFullDiskIsWaitedFor(t *testing.T) {
	var full atomic.Bool
	var met atomic.Int64
	mem := vfs.NewMem()
	o := projtest.Small
	o.FS = errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return syscall.ENOSPC
		}
		return nil
	}))
	o.Full = func() {
		met.Add(1)
		full.Store(false) // somebody makes room
	}
	h := projtest.NewHistory(1)
	log := projtest.NewLog()
	s := projtest.StartWith(t, o, log, all())
	for range 40 {
		full.Store(true)
		log.Append(h.Messages(100)...)
		s.WaitLast()
	}
	if met.Load() == 0 {
		t.Fatal("the disk was never full")
	}
	got := projtest.Dump(s.Store, all())
	full.Store(false)
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	again := projtest.Start(t, mem, log, all())
	again.WaitLast()
	projtest.Same(t, projtest.Dump(again.Store, all()), got)
}
