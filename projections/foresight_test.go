package projections_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/projtest"
)

// announce says what is under way.
func (l *forthcoming) announce(messages ...events.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.coming = messages
	select {
	case l.news <- struct{}{}:
	default:
	}
}

func (l *forthcoming) Coming() []events.Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.coming
}

// observed are two projections whose records the test counts as they are folded in.
func observed() (first, second *counting, folded map[events.Position]int) {
	first, second = two()
	folded = map[events.Position]int{}
	first.apply = func(r events.Record) error { folded[r.Position]++; return nil }
	return first, second, folded
}

// naming has all that each record says in its row.
type naming struct{ *counting }

func (n naming) Apply(b *projections.Batch, r events.Record) error {
	was, _, err := n.rows().Get(b, "all")
	n.rows().Put(b, "all", was+told(r))
	return err
}

func (n naming) want(t *testing.T, messages ...events.Message) (all string) {
	t.Helper()
	for _, m := range messages {
		r, err := events.Decode(m)
		if err != nil {
			t.Fatal(err)
		}
		all += told(r)
	}
	return strings.TrimSpace(all)
}

func told(r events.Record) string { return fmt.Sprintf("%s %+v %+v\n", r.Subject, r.Meta, r.Events) }

// TestForeseen: what is under way is folded in before it comes, shows nowhere until
// it has come, and is not folded in again then.
func TestForeseen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		story := projtest.NewHistory(1).Messages(6)
		log := newForthcoming(story[:2]...)
		first, second, folded := observed()
		s := projtest.Start(t, vfs.NewMem(), log, projtest.Critical(first, second))
		s.WaitFor(2)
		log.announce(story[2:5]...)
		synctest.Wait()
		if folded[3] != 1 || folded[5] != 1 {
			t.Fatalf("nothing was foreseen: %v", folded)
		}
		if got := first.seen(t, s.Store); got != "1.1 1.2" || s.Runner.Applied() != 2 {
			t.Errorf("got %q and %d, though nothing has come yet", got, s.Runner.Applied())
		}
		log.hand(story[2:]...) // one more than was foreseen
		s.WaitFor(6)
		for p := events.Position(3); p <= 6; p++ {
			if folded[p] != 1 {
				t.Errorf("record %d was folded in %d times, want once", p, folded[p])
			}
		}
		for _, c := range []*counting{first, second} {
			if got := c.seen(t, s.Store); got != "1.1 1.2 1.3 1.4 1.5 1.6" {
				t.Errorf("%s: got %q", c.name, got)
			}
		}
	})
}

// TestForeseenOtherwise: what was foreseen does not come, or not as it was, not there,
// or only in part. The rows are of what has come.
func TestForeseenOtherwise(t *testing.T) {
	h := projtest.NewHistory(1)
	story := h.Messages(6)
	other := projtest.NewHistory(2).Messages(6)
	elsewhere := func(m events.Message, by events.Position) events.Message { m.Position += by; return m }
	twin := story[2] // on the same subject, with other words
	twin.Data = bytes.Replace(twin.Data, []byte(`"actor":"`), []byte(`"actor":"another `), 1)
	if _, err := events.Decode(twin); err != nil || bytes.Equal(twin.Data, story[2].Data) {
		t.Fatalf("%s: %v", twin.Data, err)
	}
	for name, c := range map[string]struct{ coming, come []events.Message }{
		"other words":        {[]events.Message{twin}, story[2:4]},
		"another message":    {other[2:3], story[2:4]},
		"a part of it":       {story[2:6], story[2:4]},
		"another behind it":  {[]events.Message{story[2], other[3]}, story[2:4]},
		"further on":         {[]events.Message{elsewhere(story[2], 2)}, story[2:4]},
		"cannot be decoded":  {[]events.Message{{Position: 3, Subject: story[2].Subject, Data: []byte("[]")}}, story[2:4]},
		"with a gap in it":   {[]events.Message{story[2], story[4]}, story[2:4]},
		"there already":      {story[:2], story[2:4]},
		"on another subject": {[]events.Message{{Position: 3, Subject: other[0].Subject, Data: story[2].Data}}, story[2:4]},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := newForthcoming(story[:2]...)
				first, second := two()
				names := naming{second}
				s := projtest.Start(t, vfs.NewMem(), log, projtest.Critical(first, names))
				s.WaitFor(2)
				log.announce(c.coming...)
				synctest.Wait()
				log.hand(c.come...)
				s.WaitFor(4)
				if got := first.seen(t, s.Store); got != "1.1 1.2 1.3 1.4" {
					t.Errorf("got %q", got)
				}
				if got, want := names.seen(t, s.Store), names.want(t, story[:4]...); got != want {
					t.Errorf("got the records %q, want %q", got, want)
				}
			})
		})
	}
}

// TestForeseenTrouble: a record that a projection cannot apply stops it when it has
// come, not before, and never if something else comes.
func TestForeseenTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		story := projtest.NewHistory(1).Messages(4)
		log := newForthcoming(story[:2]...)
		first, second := two()
		first.apply = failsAt(4)
		s := projtest.Start(t, vfs.NewMem(), log, projtest.Critical(first, second))
		s.WaitFor(2)
		log.announce(story[2:]...)
		synctest.Wait()
		if st := status(s, "first"); st.Degraded != nil || st.Position != 2 {
			t.Errorf("got %+v before anything has come", st)
		}
		log.hand(story[2:]...)
		waitFor(t, s, "second", 4)
		if st := status(s, "first"); st.Degraded == nil || st.Degraded.Position != 4 || st.Position != 3 {
			t.Errorf("got %+v, want it degraded at 4", st)
		}
		if got := first.seen(t, s.Store); got != "1.1 1.2 1.3" {
			t.Errorf("got %q", got)
		}
	})
}

// TestForeseenBesideARebuild: a projection that was built anew meanwhile has what was
// foreseen, too.
func TestForeseenBesideARebuild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		story := projtest.NewHistory(1).Messages(4)
		log := newForthcoming(story[:2]...)
		first, second := two()
		s := projtest.Start(t, vfs.NewMem(), log, projtest.Critical(first, second))
		s.WaitFor(2)
		log.announce(story[2:]...)
		synctest.Wait()
		if err := s.Runner.Rebuild(t.Context(), "first"); err != nil {
			t.Fatal(err)
		}
		log.hand(story[2:]...)
		s.WaitFor(4)
		for _, c := range []*counting{first, second} {
			if got := c.seen(t, s.Store); got != "1.1 1.2 1.3 1.4" {
				t.Errorf("%s: got %q", c.name, got)
			}
		}
	})
}

// TestForeseenAtTheEnd: a runner that stops with something foreseen leaves the store
// as it was, free to be closed, and hears of nothing any more.
func TestForeseenAtTheEnd(t *testing.T) {
	fs := vfs.NewMem()
	story := projtest.NewHistory(1).Messages(3)
	synctest.Test(t, func(t *testing.T) {
		log := newForthcoming(story[:2]...)
		first, second, folded := observed()
		s := projtest.Start(t, fs, log, projtest.Critical(first, second))
		s.WaitFor(2)
		log.announce(story[2])
		synctest.Wait()
		if folded[3] != 1 {
			t.Fatal("nothing was foreseen")
		}
		if err := s.Stop(); err != nil && !strings.Contains(err.Error(), context.Canceled.Error()) {
			t.Fatal(err)
		}
		log.announce(story[2])
		synctest.Wait()
	})
	synctest.Test(t, func(t *testing.T) {
		first, second := two()
		s := projtest.Start(t, fs, newForthcoming(story[:2]...), projtest.Critical(first, second))
		s.WaitFor(2)
		if got := first.seen(t, s.Store); got != "1.1 1.2" {
			t.Errorf("got %q", got)
		}
	})
}

var _ projections.Announced = (*forthcoming)(nil)
