package journal

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/logtest"
)

// TestFollowOwnAndForeign follows a log that this journal and another node (which
// publishes past it) write by turns: everything comes once, in order and as it
// lies in the log, whoever wrote it, in a rush and when all fall silent.
func TestFollowOwnAndForeign(t *testing.T) {
	j := opened(t, testConfig(t.TempDir()))
	f := followed(t, j)
	for round := range 3 {
		stop := busy(t, j, 4, 1_000_000*round)
		for i := range 3 {
			f.reach(t, events.Position(f.seen.Load())+3*leadAfter)
			f.reach(t, publishForeign(t, j, 10_000_000+10*round+i)) // amid the others
		}
		stop()
		f.reach(t, publishForeign(t, j, 10_000_009+10*round)) // and when nothing else comes
	}
	closed(t, j)
	f.done.Wait()
	in := opened(t, j.config)
	for i, m := range f.messages {
		want, err := in.At(t.Context(), events.Position(i+1))
		if err != nil || m.Position != want.Position || m.Subject != want.Subject || !bytes.Equal(m.Data, want.Data) {
			t.Fatalf("message %d: got %d on %s, want %d on %s (%v), with the same bytes", i+1, m.Position, m.Subject, want.Position, want.Subject, err)
		}
	}
}

// TestFollowLeads has a busy journal let its follower go on without the server.
func TestFollowLeads(t *testing.T) {
	j := opened(t, testConfig(t.TempDir()))
	f := followed(t, j)
	consumers := func() int {
		s, err := j.js.Stream(t.Context(), streamLedger)
		if err != nil {
			t.Fatal(err)
		}
		return s.CachedInfo().State.Consumers
	}
	waitFor(t, "the follower to begin", func() bool { return consumers() == 1 })
	stop := busy(t, j, 1, 0)
	waitFor(t, "the follower to lead", func() bool { return consumers() == 0 })
	stop()
	waitFor(t, "the follower to ask the server again", func() bool { return consumers() == 1 })
	last, err := j.Last(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f.reach(t, last)
}

// TestRecentComesFirst: what was appended is at hand when the append has been
// answered, and followers get it all the same, while they lead and before.
func TestRecentComesFirst(t *testing.T) {
	j := opened(t, testConfig(t.TempDir()))
	f := followed(t, j)
	news, done := j.News()
	defer done()
	last := events.Position(0)
	for range 2 * leadAfter {
		p, err := j.Append(t.Context(), logtest.Decision(logtest.Keyring(1), last))
		if err != nil {
			t.Fatal(err)
		}
		<-news
		m, found := j.Recent(p)
		want, err := j.At(t.Context(), p)
		if !found || err != nil || m.Position != p || m.Subject != want.Subject || !bytes.Equal(m.Data, want.Data) {
			t.Fatalf("got %d on %s (%t), want what lies in the log at %d (%v)", m.Position, m.Subject, found, p, err)
		}
		last = p
	}
	f.reach(t, last)
	stop := busy(t, j, 4, 100)
	f.reach(t, last+3*leadAfter)
	stop()
	f.reach(t, publishForeign(t, j, 1_000_000))
}

// A following is a follower and what it has seen.
type following struct {
	seen     atomic.Uint64
	messages []events.Message // to be read when done
	done     sync.WaitGroup
}

func followed(t *testing.T, j *Journal) *following {
	t.Helper()
	f := &following{}
	f.done.Go(func() {
		for m, err := range j.Follow(t.Context(), 0) {
			if err != nil {
				return
			}
			f.messages = append(f.messages, m)
			f.seen.Store(uint64(m.Position))
		}
	})
	return f
}

func (f *following) reach(t *testing.T, p events.Position) {
	t.Helper()
	waitFor(t, "the follower", func() bool { return f.seen.Load() >= uint64(p) })
}

// busy has writers append through j, each decision on a keyring of its own, until
// stop is called.
func busy(t *testing.T, j *Journal, writers, first int) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var next atomic.Int64
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for ctx.Err() == nil {
				k := first + int(next.Add(1))
				if _, err := j.Append(context.WithoutCancel(ctx), logtest.Decision(logtest.Keyring(k), 0)); err != nil && ctx.Err() == nil {
					t.Errorf("append: %v", err)
					return
				}
			}
		})
	}
	return func() { cancel(); all.Wait() }
}

// publishForeign writes a message as another node would.
func publishForeign(t *testing.T, j *Journal, k int) events.Position {
	t.Helper()
	p, err := j.send(t.Context(), entryOf(t, logtest.Decision(logtest.Keyring(k), 0)).message())
	if err != nil {
		t.Fatal(err)
	}
	return p
}
