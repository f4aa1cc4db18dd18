package projtest

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
)

// crashesInBulk lets the machine or the process fail between any two changes to the
// disk while rows come in by bulk, again and again until the story is told.
func crashesInBulk(t *testing.T, parts func() []projections.Part, story []events.Message, want []string) {
	seeds := uint64(8)
	if testing.Short() {
		seeds = 3
	}
	midway := 0
	for seed := range seeds {
		lots := rand.New(rand.NewPCG(seed, 3))
		fs := vfs.NewCrashableMem()
		for range 5 {
			var from events.Position
			how := vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 100, lots.IntN(101)}[lots.IntN(3)], RNG: lots}
			fs, from = crashAtChange(t, fs, parts(), story, lots, how)
			if from > 0 && from < story[len(story)-1].Position {
				midway++
			}
		}
		s := startOn(t, pieces, fs, NewLog(story...), parts())
		s.WaitLast()
		Same(t, Dump(s.Store, s.parts), want)
		if err := s.Stop(); err != nil || t.Failed() {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	if midway < int(seeds) {
		t.Errorf("%d runs went on from the middle of the story: too few to prove anything", midway)
	}
}

// crashAtChange runs the story and is what the disk held just before one of the first
// changes to it, and what had been applied when the run began.
func crashAtChange(t *testing.T, fs *vfs.MemFS, parts []projections.Part, story []events.Message, lots *rand.Rand, how vfs.CrashCloneCfg) (*vfs.MemFS, events.Position) {
	crashed, started := make(chan *vfs.MemFS, 1), make(chan *Started, 1)
	changing := &changed{FS: fs}
	log := NewLog(story...)
	log.OnDeliver(func(p events.Position) {
		if p%100 == 0 { // so that there are many pieces
			s := <-started
			s.settle(p-1, false)
			started <- s
		}
	})
	s := startOn(t, pieces, changing, log, parts)
	changing.watch(int64(1+lots.IntN(100)), func() { crashed <- fs.CrashClone(how) })
	started <- s
	s.WaitLast()
	_ = s.Stop()
	select {
	case clone := <-crashed:
		return clone, s.From
	default:
		return fs.CrashClone(how), s.From
	}
}

// changed is a file system that counts the changes to it.
type changed struct {
	vfs.FS
	left atomic.Int64 // until crash; negative or zero: it was, or is not to be
	do   atomic.Pointer[func()]
}

// watch calls do before the nth change from now.
func (c *changed) watch(n int64, do func()) {
	c.do.Store(&do)
	c.left.Store(n)
}

func (c *changed) change() {
	if c.left.Add(-1) == 0 {
		(*c.do.Load())()
	}
}

func (c *changed) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	c.change()
	f, err := c.FS.Create(name, category)
	if err != nil {
		return nil, err
	}
	return changedFile{f, c}, nil
}

func (c *changed) Link(from, to string) error {
	c.change()
	return c.FS.Link(from, to)
}

func (c *changed) Remove(name string) error {
	c.change()
	return c.FS.Remove(name)
}

func (c *changed) Rename(from, to string) error {
	c.change()
	return c.FS.Rename(from, to)
}

func (c *changed) OpenDir(name string) (vfs.File, error) {
	f, err := c.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return changedFile{f, c}, nil
}

type changedFile struct {
	vfs.File
	fs *changed
}

func (f changedFile) Sync() error {
	f.fs.change()
	return f.File.Sync()
}
