package usage_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/services/usage"
)

// refusals are the three ways in which somebody is refused: with a record, beyond the bound of records, and for a key that there is not.
func refusals(r *usage.Recorder) map[string]func() (func(context.Context) error, error) {
	return map[string]func() (func(context.Context) error, error){
		"an attempt":            func() (func(context.Context) error, error) { return r.Submit(attempt("A")) },
		"one beyond the bound":  func() (func(context.Context) error, error) { return r.Submit(attempt("BEYOND")) },
		"one on an unknown key": func() (func(context.Context) error, error) { return r.Stranger(netip.MustParseAddr("192.0.2.1")) },
	}
}

// TestRefusalsTakeTime has nobody who is refused be told sooner than the others.
func TestRefusalsTakeTime(t *testing.T) {
	c := config(opened(t))
	c.Attempts = 1
	r := usage.New(c)
	if err := r.Record(t.Context(), attempt("BEYOND")); err != nil {
		t.Fatal(err)
	}
	for what, refuse := range refusals(r) {
		began := time.Now()
		wait, err := refuse()
		if err == nil {
			err = wait(t.Context())
		}
		if took := time.Since(began); err != nil || took < usage.LeastHold {
			t.Errorf("%s: told after %v, want at least %v (%v)", what, took, usage.LeastHold, err)
		}
	}
	ended(t, r)
}

// A slow log takes a message only when it is let.
type slow struct {
	access.Log
	begun, let chan struct{}
}

func (s *slow) AppendUses(ctx context.Context, id string, data []byte) (access.Position, error) {
	s.begun <- struct{}{}
	<-s.let
	return s.Log.AppendUses(ctx, id, data)
}

// TestRefusalsWaitForTheLog has whoever names a key that there is not wait for a log that is slow, like those who name one that there is.
func TestRefusalsWaitForTheLog(t *testing.T) {
	log := &slow{Log: opened(t), begun: make(chan struct{}, 8), let: make(chan struct{})}
	c := config(log)
	c.Attempts = 1
	r := usage.New(c)
	if _, err := r.Submit(attempt("BEYOND")); err != nil {
		t.Fatal(err)
	}
	<-log.begun
	gone, leave := context.WithCancel(t.Context())
	leave()
	waits := map[string]func(context.Context) error{}
	for what, refuse := range refusals(r) {
		wait, err := refuse()
		if err != nil {
			t.Fatal(what, err)
		}
		if err := wait(gone); !errors.Is(err, events.ErrUncertain) {
			t.Errorf("%s, who left while the log was busy: got %v, want %v", what, err, events.ErrUncertain)
		}
		waits[what] = wait
	}
	close(log.let)
	for what, wait := range waits {
		if err := wait(t.Context()); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	ended(t, r)
}

// TestPace has refusals keep to what nine of ten waits took, and to each wait in its turn.
func TestPace(t *testing.T) {
	if most, one := usage.Pace(nil); most != 5*time.Millisecond || one != 0 {
		t.Errorf("before any: %v, %v", most, one)
	}
	waits := make([]time.Duration, 100) // of which 64 are remembered: 36 to 99
	for i := range waits {
		waits[i] = time.Duration(i) * time.Millisecond
	}
	if most, one := usage.Pace(waits); most != 92*time.Millisecond || one < 36*time.Millisecond {
		t.Errorf("of 36 to 99 ms: most %v, one %v; want 92 ms, and one of them", most, one)
	}
	if most, _ := usage.Pace([]time.Duration{time.Microsecond}); most != usage.LeastHold {
		t.Errorf("of 1 us: %v, want %v", most, usage.LeastHold)
	}
}
