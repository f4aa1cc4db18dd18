package projections_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/keys"
	"github.com/keyledger/keyledger/projections/projtest"
)

// gated is a log that can only be read when it is opened, at one message per
// token. It can always be followed.
type gated struct {
	*projtest.Log
	tokens chan struct{}
}

func gate(log *projtest.Log) gated { return gated{log, make(chan struct{})} }

func (g gated) Read(ctx context.Context, after events.Position) iter.Seq2[events.Message, error] {
	return func(yield func(events.Message, error) bool) {
		for m, err := range g.Log.Read(ctx, after) {
			select {
			case <-g.tokens:
			case <-ctx.Done():
				return
			}
			if !yield(m, err) {
				return
			}
		}
	}
}

func strays(t *testing.T, s *projections.Store) int {
	t.Helper()
	n, err := s.Strays()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRaisedVersionIsRebuiltBeside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := projtest.NewHistory(1)
		log := gate(projtest.NewLog(h.Messages(3)...))
		first, second := two()
		fs := vfs.NewMem()
		s := projtest.Start(t, fs, log, projtest.Critical(first, second))
		s.WaitLast()
		_ = s.Stop()

		first.version = 2
		s = projtest.Start(t, fs, log, projtest.Critical(first, second))
		log.Append(h.Next())
		waitFor(t, s, "second", 4)
		log.tokens <- struct{}{}
		synctest.Wait()
		if st := status(s, "first"); st.Version != 1 || st.Position != 3 || !st.Rebuilding || st.RebuiltTo != 1 {
			t.Errorf("under way: got %+v", st)
		}
		if got := first.seen(t, s.Store); got != "1.1 1.2 1.3" {
			t.Errorf("under way: got %q: the old rows are to answer", got)
		}
		if s.Runner.Applied() != 3 {
			t.Errorf("applied %d: nothing may rest on rows that are not kept up", s.Runner.Applied())
		}
		close(log.tokens)
		waitFor(t, s, "first", 4)
		if st := status(s, "first"); st.Version != 2 || st.Rebuilding {
			t.Errorf("done: got %+v", st)
		}
		log.Append(h.Next())
		s.WaitFor(5)
		if got := first.seen(t, s.Store); got != "2.1 2.2 2.3 2.4 2.5" {
			t.Errorf("done: got %q", got)
		}
		if n := strays(t, s.Store); n != 0 {
			t.Errorf("%d rows of the old generation are left", n)
		}
		_ = s.Stop()
	})
}

// TestAbsenceIsCaughtUp: a projection that a build leaves out, or that a newer build
// began to rebuild, goes on from where its rows stand when it comes back.
func TestAbsenceIsCaughtUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := projtest.NewHistory(1)
		log := gate(projtest.NewLog(h.Messages(3)...))
		first, second := two()
		fs := vfs.NewMem()
		s := projtest.Start(t, fs, log, projtest.Critical(first, second))
		s.WaitLast()
		_ = s.Stop()

		s = projtest.Start(t, fs, log, projtest.Critical(second))
		log.Append(h.Next())
		s.WaitFor(4)
		_ = s.Stop()

		first.version = 2
		s = projtest.Start(t, fs, log, projtest.Critical(first, second))
		log.Append(h.Next())
		waitFor(t, s, "second", 5)
		_ = s.Stop()

		first.version = 1
		close(log.tokens)
		s = projtest.Start(t, fs, log, projtest.Critical(first, second))
		if s.From != 3 {
			t.Errorf("it begins at %d, want 3", s.From)
		}
		s.WaitFor(5)
		if got := first.seen(t, s.Store); got != "1.1 1.2 1.3 1.4 1.5" {
			t.Errorf("got %q: want nothing left out", got)
		}
		_ = s.Stop()
	})
}

func TestRaisedVersionThatFailsIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := projtest.NewHistory(1)
		log := projtest.NewLog(h.Messages(3)...)
		first, second := two()
		fs := vfs.NewMem()
		s := projtest.Start(t, fs, log, projtest.Critical(first, second))
		s.WaitLast()
		_ = s.Stop()
		first.version, first.apply = 2, failsAt(2)
		for _, when := range []string{"at first", "after a restart"} {
			s = projtest.Start(t, fs, log, projtest.Critical(first, second))
			synctest.Wait()
			if st := status(s, "first"); st.Version != 1 || st.Position != 3 || st.Degraded == nil || st.Degraded.Position != 2 || st.Rebuilding {
				t.Errorf("%s: got %+v", when, st)
			}
			if got := first.seen(t, s.Store); got != "1.1 1.2 1.3" {
				t.Errorf("%s: got %q: the old rows are to answer", when, got)
			}
			_ = s.Stop()
		}
		s = projtest.Start(t, fs, log, projtest.Critical(first, second))
		log.Append(acknowledge(h, "first", 2))
		waitFor(t, s, "first", 4)
		s.WaitFor(4)
		if got := first.seen(t, s.Store); got != "2.1 2.3 2.4" {
			t.Errorf("acknowledged: got %q", got)
		}
		_ = s.Stop()
	})
}

func TestNewProjectionCatchesUpBeside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := projtest.NewHistory(1)
		log := gate(projtest.NewLog(h.Messages(3)...))
		first, second := two()
		fs := vfs.NewMem()
		s := projtest.Start(t, fs, log, projtest.Critical(first))
		s.WaitLast()
		_ = s.Stop()
		for range 2 { // the second time it goes on where it was
			s = projtest.Start(t, fs, log, projtest.Critical(first, second))
			log.Append(h.Next())
			log.tokens <- struct{}{}
			waitFor(t, s, "first", 4)
			synctest.Wait()
			_ = s.Stop()
		}
		s = projtest.Start(t, fs, log, projtest.Critical(first, second))
		if p, _ := s.Runner.Position("second"); p != 2 {
			t.Errorf("it is at %d, want 2", p)
		}
		close(log.tokens)
		s.WaitLast()
		if got := second.seen(t, s.Store); got != "1.1 1.2 1.3 1.4 1.5" {
			t.Errorf("got %q", got)
		}
		_ = s.Stop()
	})
}

func TestRebuildThatIsGivenUpChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := gate(projtest.NewLog(projtest.NewHistory(1).Messages(4)...))
		first, second := two()
		s := projtest.Start(t, vfs.NewMem(), log, projtest.Critical(first, second))
		s.WaitLast()
		if err := s.Runner.Rebuild(t.Context(), "nobody"); err == nil {
			t.Error("a projection that there is not was rebuilt")
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Runner.Rebuild(ctx, "first") }()
		log.tokens <- struct{}{}
		log.tokens <- struct{}{}
		synctest.Wait()
		if n := strays(t, s.Store); n != 1 {
			t.Errorf("%d rows beside, want 1: it is not under way", n)
		}
		if err := s.Runner.Rebuild(t.Context(), "first"); err == nil {
			t.Error("it was rebuilt twice at once")
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if n := strays(t, s.Store); n != 0 || status(s, "first").Rebuilding {
			t.Errorf("%d rows are left; %+v", n, status(s, "first"))
		}
		if got := first.seen(t, s.Store); got != "1.1 1.2 1.3 1.4" {
			t.Errorf("got %q", got)
		}

		go func() { ended <- s.Runner.Rebuild(t.Context(), "first") }()
		log.tokens <- struct{}{}
		_ = s.Stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("stopped: got %v", err)
		}
		if err := s.Runner.Rebuild(t.Context(), "first"); !errors.Is(err, projections.ErrStopped) {
			t.Errorf("after it stopped: got %v", err)
		}
	})
}

func TestRebuildThatFailsLeavesTheOldRows(t *testing.T) {
	first, second := two()
	h := projtest.NewHistory(1)
	log := projtest.NewLog(h.Messages(4)...)
	s := projtest.Start(t, vfs.NewMem(), log, projtest.Critical(first, second))
	s.WaitLast()
	var broken atomic.Bool
	broken.Store(true)
	_ = s.Stop()
	first.apply = func(r events.Record) error {
		if broken.Load() && r.Position == 2 {
			return errors.New("not now")
		}
		return nil
	}
	fs := vfs.NewMem()
	broken.Store(false)
	s = projtest.Start(t, fs, log, projtest.Critical(first, second))
	s.WaitLast()
	broken.Store(true)
	var degraded *projections.DegradedError
	if err := s.Runner.Rebuild(t.Context(), "first"); !errors.As(err, &degraded) || degraded.Position != 2 {
		t.Errorf("got %v", err)
	}
	if st := status(s, "first"); st.Degraded != nil || st.Rebuilding || strays(t, s.Store) != 0 {
		t.Errorf("got %+v", st)
	}
	log.Append(h.Next())
	s.WaitFor(5)
	if got := first.seen(t, s.Store); got != "1.1 1.2 1.3 1.4 1.5" {
		t.Errorf("got %q", got)
	}
	broken.Store(false)
	if err := s.Runner.Rebuild(t.Context(), "first"); err != nil {
		t.Errorf("got %v", err)
	}
}

// TestRebuildOfADegradedProjectionHealsIt rebuilds after the code was mended in
// a running server, as a test can and an operator cannot.
func TestRebuildOfADegradedProjectionHealsIt(t *testing.T) {
	var broken atomic.Bool
	broken.Store(true)
	first, second := two()
	first.apply = func(r events.Record) error {
		if broken.Load() && r.Position == 2 {
			return errors.New("not now")
		}
		return nil
	}
	h := projtest.NewHistory(1)
	log := projtest.NewLog(h.Messages(4)...)
	s := projtest.Start(t, vfs.NewMem(), log, projtest.Critical(first, second))
	if err := s.Runner.Wait(t.Context(), 4); err == nil {
		t.Fatal("it was to fail")
	}
	broken.Store(false)
	if err := s.Runner.Rebuild(t.Context(), "first"); err != nil {
		t.Fatal(err)
	}
	log.Append(h.Next())
	s.WaitFor(5)
	if st := status(s, "first"); st.Degraded != nil {
		t.Errorf("got %+v", st)
	}
}

// TestAcknowledgementDuringARebuild lets a projection pass a record while it is
// being rebuilt: only one of the two may go on with it.
func TestAcknowledgementDuringARebuild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := projtest.NewHistory(1)
		log := gate(projtest.NewLog(h.Messages(4)...))
		first, second := two()
		first.apply = failsAt(3)
		s := projtest.Start(t, vfs.NewMem(), log, projtest.Critical(first, second))
		waitFor(t, s, "second", 4)
		ended := make(chan error, 1)
		go func() { ended <- s.Runner.Rebuild(t.Context(), "first") }()
		log.tokens <- struct{}{}
		log.Append(acknowledge(h, "first", 3))
		waitFor(t, s, "second", 5)
		close(log.tokens)
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		log.Append(h.Next())
		synctest.Wait()
		s.WaitFor(6)
		if got := first.seen(t, s.Store); got != "1.1 1.2 1.4 1.5 1.6" || strays(t, s.Store) != 0 {
			t.Errorf("got %q and %d strays", got, strays(t, s.Store))
		}
		_ = s.Stop()
	})
}

func TestInterruptedRebuildIsSweptAtTheNextStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := gate(projtest.NewLog(projtest.NewHistory(1).Messages(4)...))
		first, second := two()
		fs := vfs.NewCrashableMem()
		s := projtest.Start(t, fs, log, projtest.Critical(first, second))
		s.WaitLast()
		go func() { _ = s.Runner.Rebuild(t.Context(), "first") }()
		log.tokens <- struct{}{}
		log.tokens <- struct{}{}
		synctest.Wait()
		if err := s.Store.Flush(); err != nil {
			t.Fatal(err)
		}
		clone := fs.CrashClone(vfs.CrashCloneCfg{})
		_ = s.Stop()

		store, err := projections.Open("store", projections.Options{FS: clone})
		if err != nil {
			t.Fatal(err)
		}
		before := strays(t, store) // no generation answers yet: every row is a stray
		c := projections.Config{Store: store, Source: log, Identity: projtest.Identity, Parts: projtest.Critical(first, second)}
		if _, err := projections.NewRunner(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if n := strays(t, store); before != 3 || n != 0 {
			t.Errorf("%d rows before and %d strays after: want 3, 0", before, n)
		}
		if got := first.seen(t, store); got != "1.1 1.2 1.3 1.4" {
			t.Errorf("got %q", got)
		}
		_ = store.Close()
	})
}

// TestRebuildWhileReadingAndWriting rebuilds the keys again and again while the
// history goes on and somebody counts them: nobody may ever see fewer.
func TestRebuildWhileReadingAndWriting(t *testing.T) {
	h := projtest.NewHistory(7)
	log := projtest.NewLog(h.Messages(2000)...)
	parts := projtest.Critical(keys.New(), rings())
	s := projtest.Start(t, vfs.NewMem(), log, parts)
	s.WaitLast()
	done, counted := make(chan struct{}), make(chan int)
	go func() {
		most, rounds := 0, 0
		for ; ; rounds++ {
			n := 0
			for range dumped(s.Store, parts[:1]) {
				n++
			}
			if n < most {
				t.Errorf("%d rows, and %d before", n, most)
			}
			most = max(most, n)
			select {
			case <-done:
				counted <- rounds
				return
			default:
			}
		}
	}()
	for range 10 {
		log.Append(h.Messages(50)...)
		if err := s.Runner.Rebuild(t.Context(), "keys"); err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	if rounds := <-counted; rounds < 10 {
		t.Logf("counted only %d times", rounds)
	}
	s.WaitLast()
	got := projtest.Dump(s.Store, parts)
	_ = s.Stop()
	fresh := projtest.Start(t, vfs.NewMem(), log, parts)
	fresh.WaitLast()
	projtest.Same(t, got, projtest.Dump(fresh.Store, parts))
}

// dumped is the rows of keys by ID, as one view has them.
func dumped(store *projections.Store, parts []projections.Part) (ids []string) {
	v := store.View()
	defer v.Close()
	for _, line := range projtest.Dump(v, parts) {
		if strings.HasPrefix(line, "keys ") {
			ids = append(ids, line)
		}
	}
	return ids
}
