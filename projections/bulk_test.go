package projections_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/projtest"
)

// bulky starts a store that brings in by bulk whatever it can.
func bulky(t *testing.T, fs vfs.FS, log projections.Source, parts []projections.Part) *projtest.Started {
	o := projtest.Bulk
	o.FS = fs
	return projtest.StartWith(t, o, log, parts)
}

func records(to int, without ...int) string {
	var all []string
next:
	for p := 1; p <= to; p++ {
		for _, not := range without {
			if p == not {
				continue next
			}
		}
		all = append(all, fmt.Sprintf("1.%d", p))
	}
	return strings.Join(all, " ")
}

func TestBulkIsHeldToTheSameRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := projtest.NewHistory(1)
		story := h.Messages(449)
		story = append(story, acknowledge(h, "first", 300), acknowledge(h, "first", 300), acknowledge(h, "*", 7))
		story = append(story, h.Messages(548)...)
		first, second := two()
		third := counter("third", projections.TableAudit)
		first.apply, third.apply = failsAt(300), failsAt(700)
		parts := []projections.Part{{Projection: first, Critical: true}, {Projection: second, Critical: true}, {Projection: third}}
		fs := vfs.NewMem()
		log := projtest.NewLog(story...)
		for _, when := range []string{"at first", "after a restart"} {
			s := bulky(t, fs, log, parts)
			waitFor(t, s, "first", 1000) // even if it stops before the leave to go on comes
			waitFor(t, s, "second", 1000)
			for c, want := range map[*counting]string{first: records(1000, 300), second: records(1000), third: records(699)} {
				if got := c.seen(t, s.Store); got != want {
					t.Errorf("%s: %s: got %d bytes, want %d", when, c.name, len(got), len(want))
				}
			}
			if st := status(s, "third"); st.Position != 699 || st.Degraded == nil || st.Degraded.Position != 700 {
				t.Errorf("%s: got %+v, want it degraded at 700", when, st)
			}
			if !s.Runner.Excused(300) || !s.Runner.Excused(7) {
				t.Errorf("%s: an acknowledgement is forgotten", when)
			}
			_ = s.Stop()
		}
		s := bulky(t, fs, log, parts)
		log.Append(acknowledge(h, "third", 700))
		waitFor(t, s, "third", 1001)
		if got := third.seen(t, s.Store); got != records(1001, 700) {
			t.Errorf("acknowledged: got %q", got)
		}
		_ = s.Stop()
	})
}

func TestBulkKeepsWhatCameBeforeAGap(t *testing.T) {
	h := projtest.NewHistory(1)
	story := h.Messages(100)
	log := projtest.NewLog(append(story[:50:50], story[51:]...)...)
	first, second := two()
	fs := vfs.NewMem()
	for range 2 {
		s := bulky(t, fs, log, projtest.Critical(first, second))
		var gap *projections.GapError
		if err := s.Runner.Wait(t.Context(), 100); !errors.As(err, &gap) || gap.After != 50 || gap.Got != 52 {
			t.Errorf("got %v, want a *GapError", err)
		}
		if got := first.seen(t, s.Store); got != records(50) {
			t.Errorf("got %q", got)
		}
		_ = s.Stop()
	}
}

// TestJoinWhileRowsAreGathered lets a new projection come up beside a main lane that has
// gathered rows and waits for more: nobody may hear of a position whose rows are not there.
func TestJoinWhileRowsAreGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := projtest.NewHistory(1)
		log := projtest.NewLog(h.Messages(3)...)
		first, second := two()
		fs := vfs.NewCrashableMem()
		s := bulky(t, fs, log, projtest.Critical(first))
		s.WaitLast()
		_ = s.Stop()

		log.Append(h.Messages(10)...)
		stalled, reading := make(chan struct{}), gate(log)
		log.OnDeliver(func(p events.Position) {
			if p == 9 {
				<-stalled
			}
		})
		s = bulky(t, fs, reading, projtest.Critical(first, second))
		synctest.Wait()
		if got := first.seen(t, s.Store); got != records(3) || s.Runner.Applied() != 0 {
			t.Errorf("got %q: the main lane has gathered nothing", got)
		}
		for range 3 { // as far as the main lane had come before
			reading.tokens <- struct{}{}
		}
		synctest.Wait()
		close(reading.tokens)
		synctest.Wait()
		for _, c := range []*counting{first, second} {
			if p, _ := s.Runner.Position(c.name); p != 8 || c.seen(t, s.Store) != records(8) {
				t.Errorf("%s is said to be at %d and has %q", c.name, p, c.seen(t, s.Store))
			}
		}
		clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
		close(stalled)
		s.WaitLast()
		_ = s.Stop()

		log.OnDeliver(nil)
		s = bulky(t, clone, log, projtest.Critical(first, second))
		s.WaitLast()
		for _, c := range []*counting{first, second} {
			if got := c.seen(t, s.Store); got != records(13) {
				t.Errorf("after a crash: %s has %q", c.name, got)
			}
		}
		_ = s.Stop()
	})
}

// TestStopWhileRowsAreGathered: what was not brought in is read again.
func TestStopWhileRowsAreGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := projtest.NewLog(projtest.NewHistory(1).Messages(20)...)
		stalled := make(chan struct{})
		log.OnDeliver(func(p events.Position) {
			if p == 15 {
				<-stalled
			}
		})
		first, second := two()
		fs := vfs.NewMem()
		s := bulky(t, fs, log, projtest.Critical(first, second))
		synctest.Wait()
		if got := s.Runner.Applied(); got != 0 {
			t.Errorf("applied %d, want nothing so far", got)
		}
		ended := make(chan error, 1)
		go func() { ended <- s.Stop() }()
		synctest.Wait()
		close(stalled)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		log.OnDeliver(nil)
		s = bulky(t, fs, log, projtest.Critical(first, second))
		if s.From != 0 {
			t.Errorf("it begins at %d, want 0", s.From)
		}
		s.WaitLast()
		if got := first.seen(t, s.Store); got != records(20) {
			t.Errorf("got %q", got)
		}
		_ = s.Stop()
	})
}

// TestLeftOverFilesAreRemoved: a crash may leave files that were not taken in.
func TestLeftOverFilesAreRemoved(t *testing.T) {
	fs := vfs.NewMem()
	first, second := two()
	log := projtest.NewLog(projtest.NewHistory(1).Messages(20)...)
	s := bulky(t, fs, log, projtest.Critical(first, second))
	s.WaitLast()
	_ = s.Stop()
	if names, err := fs.List("store/bulk"); err != nil || len(names) != 0 {
		t.Errorf("got %v, %v: want what was taken in to be gone", names, err)
	}
	f, err := fs.Create("store/bulk/7.sst", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	s = bulky(t, fs, log, projtest.Critical(first, second))
	if names, err := fs.List("store/bulk"); err != nil || len(names) != 0 {
		t.Errorf("got %v, %v: want none", names, err)
	}
	_ = s.Stop()
}
