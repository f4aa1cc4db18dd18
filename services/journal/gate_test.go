package journal

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		closed := make(chan struct{})
		for range 2 {
			if err := g.enter(t.Context(), closed); err != nil {
				t.Fatal(err)
			}
		}
		begun := time.Now()
		go func() {
			time.Sleep(time.Second)
			g.leave()
			time.Sleep(time.Second)
			g.leave()
		}()
		g.shut()
		if took := time.Since(begun); took != 2*time.Second {
			t.Errorf("shut: took %v, want 2 s: until the last has left", took)
		}
		go func() {
			time.Sleep(time.Second)
			g.open()
		}()
		if err := g.enter(t.Context(), closed); err != nil || time.Since(begun) != 3*time.Second {
			t.Errorf("enter a shut gate: got %v after %v, want nil after 3 s", err, time.Since(begun))
		}
		g.leave()
		g.shut()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.enter(ctx, closed); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("enter while it stays shut: got %v, want the context's end", err)
		}
		close(closed)
		if err := g.enter(t.Context(), closed); !errors.Is(err, errClosed) {
			t.Errorf("enter what is closed: got %v, want %v", err, errClosed)
		}
	})
}
