package projections_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/projtest"
)

// forthcoming is a log that has some of its messages at hand before Follow
// brings them.
type forthcoming struct {
	*projtest.Log
	news chan struct{}

	mu     sync.Mutex
	recent map[events.Position]events.Message
}

func newForthcoming(messages ...events.Message) *forthcoming {
	return &forthcoming{Log: projtest.NewLog(messages...), news: make(chan struct{}, 1), recent: map[events.Position]events.Message{}}
}

func (l *forthcoming) Recent(p events.Position) (events.Message, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m, found := l.recent[p]
	return m, found
}

func (l *forthcoming) News() (<-chan struct{}, func()) { return l.news, func() {} }

func (l *forthcoming) hand(messages ...events.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range messages {
		l.recent[m.Position] = m
	}
	select {
	case l.news <- struct{}{}:
	default:
	}
}

// TestRecentIsAppliedBeforeItIsDelivered: what is at hand is applied at once, in order,
// and passed over when Follow brings it; what is not at hand is waited for.
func TestRecentIsAppliedBeforeItIsDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		story := projtest.NewHistory(1).Messages(7)
		log := newForthcoming(story[:2]...)
		first, second := two()
		s := projtest.Start(t, vfs.NewMem(), log, projtest.Critical(first, second))
		s.WaitFor(2)
		log.hand(story[2], story[3])
		s.WaitFor(4) // Follow has brought none of them
		log.hand(story[5])
		synctest.Wait()
		if got := s.Runner.Applied(); got != 4 {
			t.Errorf("applied %d, though 5 is not there", got)
		}
		log.Append(story[2:6]...)
		s.WaitFor(6)
		log.Append(story[6])
		s.WaitFor(7)
		if got := first.seen(t, s.Store); got != "1.1 1.2 1.3 1.4 1.5 1.6 1.7" {
			t.Errorf("got %q: want each record once", got)
		}
	})
}

// TestRecentIsHeldToTheSameRules: a record at hand that a projection cannot apply
// stops it there, and leave that is at hand lets it pass.
func TestRecentIsHeldToTheSameRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := projtest.NewHistory(1)
		log := newForthcoming(h.Messages(2)...)
		first, second := two()
		first.apply = failsAt(3)
		s := projtest.Start(t, vfs.NewMem(), log, projtest.Critical(first, second))
		s.WaitFor(2)
		third, fourth := h.Next(), poison(h)
		log.hand(third, fourth)
		var degraded *projections.DegradedError
		if err := s.Runner.Wait(t.Context(), 4); !errors.As(err, &degraded) {
			t.Fatalf("got %v, want a *DegradedError", err)
		}
		synctest.Wait()
		for name, at := range map[string]events.Position{"first": 3, "second": 4} {
			if st := status(s, name); st.Degraded == nil || st.Degraded.Position != at {
				t.Errorf("%s: got %+v, want it degraded at %d", name, st, at)
			}
		}
		leave := []events.Message{acknowledge(h, "*", 3), acknowledge(h, "*", 4)}
		log.Append(append([]events.Message{third, fourth}, leave...)...) // a lane of its own reads the log
		log.hand(leave...)
		waitFor(t, s, "first", 6)
		waitFor(t, s, "second", 6)
		if got := first.seen(t, s.Store); got != "1.1 1.2 1.5 1.6" {
			t.Errorf("got %q", got)
		}
		log.hand(h.Next())
		s.WaitFor(7) // they are together again
	})
}

// TestLargeBatches: of many records at once, which several goroutines fold, each
// projection gets all in order, stops where it must, and passes what the log lets it pass.
func TestLargeBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := projtest.NewHistory(1)
		story := h.Messages(449)
		story = append(story, acknowledge(h, "first", 300))
		story = append(story, h.Messages(550)...)
		first, second := two()
		third := counter("third", projections.TableAudit)
		first.apply, third.apply = failsAt(300), failsAt(700)
		log := newForthcoming()
		s := projtest.Start(t, vfs.NewMem(), log, []projections.Part{
			{Projection: first, Critical: true}, {Projection: second, Critical: true}, {Projection: third},
		})
		log.hand(story...)
		s.WaitFor(1000)
		synctest.Wait()
		for _, want := range []struct {
			c      *counting
			to, no int
		}{{first, 1000, 300}, {second, 1000, 0}, {third, 699, 0}} {
			var records []string
			for p := 1; p <= want.to; p++ {
				if p != want.no {
					records = append(records, fmt.Sprintf("1.%d", p))
				}
			}
			if got := want.c.seen(t, s.Store); got != strings.Join(records, " ") {
				t.Errorf("%s: got %d bytes, want each of %d records once, in order, but for %d", want.c.name, len(got), want.to, want.no)
			}
		}
		if st := status(s, "third"); st.Degraded == nil || st.Degraded.Position != 700 {
			t.Errorf("got %+v, want it degraded at 700", st)
		}
	})
}
