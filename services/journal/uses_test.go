package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/keyledger/keyledger/events/access"
)

// TestUsesOnce has every third publish get lost and every third answer: each
// batch lies in the log once, at the position that was answered.
func TestUsesOnce(t *testing.T) {
	var n atomic.Uint64
	c := testConfig(t.TempDir())
	c.Timeout = 100 * time.Millisecond
	c.between = func(ctx context.Context, m *nats.Msg, publish request) (*nats.Msg, error) {
		turn := n.Add(1) % 3
		if turn == 0 {
			return nil, context.DeadlineExceeded
		}
		reply, err := publish(ctx, m)
		if turn == 1 {
			return nil, context.DeadlineExceeded
		}
		return reply, err
	}
	j := opened(t, c)
	var want []string
	for i := range 20 {
		p, err := j.AppendUses(t.Context(), fmt.Sprintf("batch-%d", i), fmt.Appendf(nil, "%d", i))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, fmt.Sprintf("%d:%d", p, i))
	}
	if got := uses(t, j, 0, 20); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestUsesSentTwice has whoever was told nothing send the same batch again.
func TestUsesSentTwice(t *testing.T) {
	j := opened(t, testConfig(t.TempDir()))
	for range 3 {
		if p, err := j.AppendUses(t.Context(), "one", []byte("1")); p != 1 || err != nil {
			t.Fatalf("got %d, %v; want 1", p, err)
		}
	}
	if last, err := j.LastUse(t.Context()); last != 1 || err != nil {
		t.Errorf("last: got %d, %v; want 1", last, err)
	}
}

// TestUsesTrimmed follows a stream whose front is gone, and then one in whose
// middle a message is.
func TestUsesTrimmed(t *testing.T) {
	j := opened(t, testConfig(t.TempDir()))
	for i := range 10 {
		if _, err := j.AppendUses(t.Context(), fmt.Sprint(i), fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	if got := uses(t, j, 4, 2); !slices.Equal(got, []string{"5:4", "6:5"}) {
		t.Errorf("after 4: got %v", got)
	}
	s, err := j.js.Stream(t.Context(), streamUsed)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(t.Context(), jetstream.WithPurgeSequence(4)); err != nil {
		t.Fatal(err)
	}
	if got := uses(t, j, 0, 7); got[0] != "4:3" || len(got) != 7 {
		t.Errorf("from the front: got %v", got)
	}
	if err := s.DeleteMsg(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	seen, damage := 0, (*RefusedError)(nil)
	for _, err := range j.FollowUses(t.Context(), 0) {
		if err != nil {
			errors.As(err, &damage)
			break
		}
		seen++
	}
	if seen != 3 || damage == nil || damage.Guard != GuardWhole {
		t.Errorf("a gap: %d messages and %v, want 3 and a refusal by guard %q", seen, damage, GuardWhole)
	}
}

// uses is the next n messages after p as "position:data".
func uses(t *testing.T, j *Journal, after access.Position, n int) (out []string) {
	t.Helper()
	for m, err := range j.FollowUses(t.Context(), after) {
		if err != nil {
			t.Fatal(err)
		}
		if out = append(out, fmt.Sprintf("%d:%s", m.Position, m.Data)); len(out) == n {
			break
		}
	}
	return out
}
