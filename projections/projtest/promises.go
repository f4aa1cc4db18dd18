package projtest

import (
	"context"
	"iter"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
)

// batchSizes waits for what was delivered at random moments, and after every
// message in one round, so that batches are of every size.
func batchSizes(t *testing.T, parts func() []projections.Part, story []events.Message, want []string) {
	for seed := range uint64(3) {
		lots := rand.New(rand.NewPCG(seed, 1))
		log := NewLog()
		s := Start(t, vfs.NewMem(), log, parts())
		for i, m := range story {
			log.Append(m)
			if seed == 0 || lots.IntN(20) == 0 {
				s.WaitFor(story[i].Position)
			}
		}
		s.WaitLast()
		Same(t, Dump(s.Store, s.parts), want)
		if err := s.Stop(); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// again delivers messages from before the position that was asked for, and
// every one twice.
type again struct{ *Log }

func (l again) Follow(ctx context.Context, after events.Position) iter.Seq2[events.Message, error] {
	after -= min(after, 20)
	return func(yield func(events.Message, error) bool) {
		for m, err := range l.Log.Follow(ctx, after) {
			for range 2 {
				if !yield(m, err) {
					return
				}
			}
		}
	}
}

func twice(t *testing.T, o projections.Options, parts func() []projections.Part, story []events.Message, want []string) {
	fs := vfs.NewMem()
	half := startOn(t, o, fs, again{NewLog(story[:len(story)/2]...)}, parts())
	half.WaitLast()
	if err := half.Stop(); err != nil {
		t.Fatal(err)
	}
	whole := startOn(t, o, fs, again{NewLog(story...)}, parts())
	whole.WaitLast()
	Same(t, Dump(whole.Store, whole.parts), want)
}

// rebuilt rebuilds each projection while the second half of the story happens.
func rebuilt(t *testing.T, o projections.Options, parts func() []projections.Part, story []events.Message, want []string) {
	half := len(story) / 2
	log := NewLog(story[:half]...)
	s := startOn(t, o, vfs.NewMem(), log, parts())
	s.WaitLast()
	var wg sync.WaitGroup
	for _, p := range s.parts {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := s.Runner.Rebuild(context.Background(), p.Projection.Name()); err != nil {
				t.Errorf("rebuild %s: %v", p.Projection.Name(), err)
			}
		}()
	}
	for _, m := range story[half:] {
		log.Append(m)
	}
	wg.Wait()
	s.WaitLast()
	Same(t, Dump(s.Store, s.parts), want)
}

// crashes lets the machine or the process fail at random moments, again and
// again until the story is told.
func crashes(t *testing.T, o projections.Options, parts func() []projections.Part, story []events.Message, want []string) {
	seeds := uint64(8)
	if testing.Short() {
		seeds = 3
	}
	midway := 0
	for seed := range seeds {
		midway += crashing(t, o, seed, parts, story, want)
	}
	if midway < int(seeds) {
		t.Errorf("%d runs went on from the middle of the story: too few to prove anything", midway)
	}
}

// crashing is how many runs began with something, but not all, applied.
func crashing(t *testing.T, o projections.Options, seed uint64, parts func() []projections.Part, story []events.Message, want []string) (midway int) {
	lots := rand.New(rand.NewPCG(seed, 2))
	fs := vfs.NewCrashableMem()
	for n := range 4 {
		c := crash{at: story[lots.IntN(len(story))].Position, settled: lots.IntN(2) == 0, flushed: lots.IntN(2) == 0}
		c.how = vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 100, lots.IntN(101)}[lots.IntN(3)], RNG: lots} // 100: the process fails, not the machine
		if n == 0 {                                                                                            // so that at least the next one goes on from the middle
			c.at, c.settled, c.flushed = story[len(story)/2+lots.IntN(len(story)/2)].Position, true, true
		}
		var from events.Position
		fs, from = crashAt(t, o, fs, parts(), story, c)
		if from > 0 && from < story[len(story)-1].Position {
			midway++
		}
	}
	s := startOn(t, o, fs, NewLog(story...), parts())
	s.WaitLast()
	Same(t, Dump(s.Store, s.parts), want)
	if err := s.Stop(); err != nil || t.Failed() {
		t.Fatalf("seed %d: %v", seed, err)
	}
	return midway
}

// A crash happens when a message is delivered, with everything before it applied
// or not, and that on the disk or not.
type crash struct {
	at               events.Position
	settled, flushed bool
	how              vfs.CrashCloneCfg
}

// crashAt runs the story to its end and is what the disk held at the crash, and
// what had been applied when it began.
func crashAt(t *testing.T, o projections.Options, fs *vfs.MemFS, parts []projections.Part, story []events.Message, c crash) (*vfs.MemFS, events.Position) {
	crashed, started := make(chan *vfs.MemFS, 1), make(chan *Started, 1)
	log := NewLog(story...)
	log.OnDeliver(func(p events.Position) {
		if p != c.at {
			return
		}
		if s := <-started; c.settled {
			s.settle(c.at-1, c.flushed)
		}
		crashed <- fs.CrashClone(c.how)
	})
	s := startOn(t, o, fs, log, parts)
	started <- s
	s.WaitLast()
	_ = s.Stop()
	select {
	case clone := <-crashed:
		return clone, s.From
	default:
		return fs.CrashClone(c.how), s.From
	}
}

func (s *Started) settle(p events.Position, flush bool) {
	if err := s.Runner.Wait(context.Background(), p); err != nil {
		s.t.Error(err)
	}
	if !flush {
		return
	}
	if err := s.Store.Flush(); err != nil {
		s.t.Error(err)
	}
}
