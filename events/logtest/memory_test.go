package logtest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/logtest"
)

func TestMemoryIsALog(t *testing.T) {
	logtest.Run(t, func(*testing.T) events.Log { return logtest.NewMemory() })
}

// TestFaults is the table of what can befall an append, and what a repeat of it
// finds.
func TestFaults(t *testing.T) {
	uncertain := func(err error) bool { return errors.Is(err, events.ErrUncertain) }
	off := func(err error) bool { var off *events.UnavailableError; return errors.As(err, &off) }
	tests := []struct {
		name    string
		fault   logtest.Fault
		deliver bool // before the repeat
		told    func(error) bool
		written int // after the first try
	}{
		{"lost on the way there", logtest.LostGoing, false, uncertain, 0},
		{"lost on the way back", logtest.LostReturning, false, uncertain, 1},
		{"late, before the repeat", logtest.Late, true, uncertain, 1},
		{"late, after the repeat", logtest.Late, false, uncertain, 0},
		{"off", logtest.Off, false, off, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := logtest.NewMemory()
			m.FailNext(test.fault)
			d := logtest.Decision(logtest.Keyring(1), 0)
			_, err := m.Append(t.Context(), d)
			if !test.told(err) {
				t.Fatalf("first try: got %v", err)
			}
			if test.deliver {
				m.Deliver()
			}
			if got, _ := m.Last(t.Context()); int(got) != test.written {
				t.Errorf("written by the first try: got %d, want %d", got, test.written)
			}
			if p, err := m.Append(t.Context(), d); p != 1 || err != nil {
				t.Errorf("repeat: got %d, %v, want 1", p, err)
			}
			if n := m.Deliver(); n != 0 {
				t.Errorf("what was late was written %d more times", n)
			}
			if got, _ := m.Last(t.Context()); got != 1 {
				t.Errorf("written in the end: got %d, want 1", got)
			}
		})
	}
}

func TestLateArrivalYieldsToAnother(t *testing.T) {
	m := logtest.NewMemory()
	m.FailNext(logtest.Late)
	late := logtest.Decision(logtest.Keyring(1), 0)
	if _, err := m.Append(t.Context(), late); !errors.Is(err, events.ErrUncertain) {
		t.Fatalf("append: got %v, want ErrUncertain", err)
	}
	if _, err := m.Append(t.Context(), logtest.Decision(logtest.Keyring(1), 0)); err != nil {
		t.Fatalf("append: %v", err)
	}
	if n := m.Deliver(); n != 0 {
		t.Errorf("late decisions written: got %d, want 0", n)
	}
	var conflict *events.ConflictError
	if _, err := m.Append(t.Context(), late); !errors.As(err, &conflict) || conflict.Last != 1 {
		t.Errorf("repeat of the late one: got %v, want a conflict at 1", err)
	}
}

func TestOffTellsOfWhatWasWritten(t *testing.T) {
	m := logtest.NewMemory()
	m.FailNext(logtest.LostReturning, logtest.Off)
	d := logtest.Decision(logtest.Keyring(1), 0)
	m.Append(t.Context(), d)
	if p, err := m.Append(t.Context(), d); p != 1 || err != nil {
		t.Errorf("repeat while writes are off: got %d, %v, want 1", p, err)
	}
}

func TestGapsAndPoison(t *testing.T) {
	m := logtest.NewMemory()
	for i := range 4 {
		if _, err := m.Append(t.Context(), logtest.Decision(logtest.Keyring(i), 0)); err != nil {
			t.Fatal(err)
		}
	}
	m.Hide(2)
	m.Poison(3)
	m.Remove(4)
	if _, err := m.Append(t.Context(), logtest.Decision(logtest.Keyring(9), 0)); err != nil {
		t.Fatal(err)
	}
	m.Hide(5)
	for _, err := range m.Read(t.Context(), 4) {
		t.Errorf("read to a hidden end: got %v, want nothing", err)
	}
	var seen []events.Position
	for msg, err := range m.Read(t.Context(), 0) {
		if err != nil {
			break
		}
		seen = append(seen, msg.Position)
		var poisoned *events.PoisonedError
		if _, err := events.Decode(msg); errors.As(err, &poisoned) != (msg.Position == 3) {
			t.Errorf("decode position %d: got %v", msg.Position, err)
		}
	}
	if len(seen) != 2 || seen[0] != 1 || seen[1] != 3 {
		t.Errorf("positions read: got %v, want [1 3] and then an error", seen)
	}
}

func TestBreakReachesAFollower(t *testing.T) {
	m := logtest.NewMemory()
	broken := errors.New("broken")
	go m.Break(broken)
	for _, err := range m.Follow(t.Context(), 0) {
		if !errors.Is(err, broken) {
			t.Errorf("follow: got %v, want %v", err, broken)
		}
		return
	}
	t.Error("follow ended without an error")
}

func TestMemoryInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := logtest.NewMemory()
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		go func() {
			time.Sleep(23 * time.Hour)
			m.Append(ctx, logtest.Decision(logtest.Keyring(1), 0))
		}()
		begun, seen := time.Now(), 0
		for _, err := range m.Follow(ctx, 0) {
			if err != nil {
				t.Fatal(err)
			}
			seen++
			if got := time.Since(begun); got != 23*time.Hour {
				t.Errorf("seen after %v, want 23 hours", got)
			}
		}
		if seen != 1 || time.Since(begun) != 24*time.Hour {
			t.Errorf("follow: got %d messages in %v, want 1 in 24 hours", seen, time.Since(begun))
		}
	})
}
