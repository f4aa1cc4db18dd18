package journal

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/logtest"
)

// testConfig is a small first start in dir: no background scan, hardly any ballast.
func testConfig(dir string) Config {
	return Config{Dir: dir, Create: true, Space: Space{Off: 1 << 20, Hard: 1 << 19, Ballast: 1 << 16, Every: 20 * time.Millisecond}, Scan: Scan{Rate: -1}}
}

// opened is a journal that is closed when the test ends.
func opened(t testing.TB, c Config) *Journal {
	t.Helper()
	j, err := Open(context.Background(), c)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { closed(t, j) })
	return j
}

// closed closes j, if it is not closed yet.
func closed(t testing.TB, j *Journal) {
	t.Helper()
	if j.ctx.Err() != nil {
		return
	}
	if err := j.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// filled appends n messages, each to a subject of its own, many at a time.
func filled(t testing.TB, j *Journal, n int) {
	t.Helper()
	tickets := make(chan int)
	done := make(chan error)
	for range 64 {
		go func() {
			var first error
			for i := range tickets {
				if _, err := j.Append(t.Context(), logtest.Decision(logtest.Keyring(i), 0)); err != nil && first == nil {
					first = err
				}
			}
			done <- first
		}()
	}
	for i := range n {
		tickets <- i
	}
	close(tickets)
	for range 64 {
		if err := <-done; err != nil {
			t.Fatalf("fill: %v", err)
		}
	}
}

// wantRefused wants err to be the refusal of one guard.
func wantRefused(t *testing.T, err error, guard string) *RefusedError {
	t.Helper()
	var r *RefusedError
	if !errors.As(err, &r) || r.Guard != guard {
		t.Fatalf("got %v, want a refusal by guard %q", err, guard)
	}
	return r
}

func TestJournalIsALog(t *testing.T) {
	for _, profile := range []Profile{Durable, Relaxed} {
		t.Run(string(profile), func(t *testing.T) {
			logtest.Run(t, func(t *testing.T) events.Log {
				c := testConfig(t.TempDir())
				c.Profile = profile
				return opened(t, c)
			})
		})
	}
}
