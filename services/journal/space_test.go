package journal

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/logtest"
)

func TestSpaceLevels(t *testing.T) {
	s := Space{Off: 100, On: 150, Hard: 20, Ballast: 30}
	tests := []struct {
		was     level
		free    uint64
		ballast bool
		want    level
	}{
		{everything, 100, true, everything},
		{everything, 99, true, reserved},
		{reserved, 149, true, reserved},
		{reserved, 150, true, everything},
		{reserved, 150, false, reserved},
		{reserved, 180, false, everything},
		{reserved, 20, true, reserved},
		{reserved, 19, true, nothing},
		{nothing, 29, true, nothing},
		{nothing, 30, true, reserved},
		{nothing, 150, true, everything},
		{everything, 0, true, nothing},
	}
	for _, test := range tests {
		if got := s.next(test.was, test.free, test.ballast); got != test.want {
			t.Errorf("%v, %d free, ballast %v: got %v, want %v", test.was, test.free, test.ballast, got, test.want)
		}
	}
}

// TestSpace turns the disk's free space by hand.
func TestSpace(t *testing.T) {
	var free atomic.Uint64
	free.Store(1000 << 20)
	c := testConfig(t.TempDir())
	c.Space = Space{Off: 100 << 20, Hard: 10 << 20, Ballast: 1 << 20, Every: time.Millisecond, Statfs: func(string) (uint64, error) { return free.Load(), nil }}
	j := opened(t, c)
	written := logtest.Decision(logtest.Keyring(0), 0)
	if _, err := j.Append(t.Context(), written); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name              string
		free              uint64
		ordinary, reserve bool
	}{
		{"plenty", 1000 << 20, true, true},
		{"nearly full", 99 << 20, false, true},
		{"a little more", 140 << 20, false, true},
		{"enough again", 200 << 20, true, true},
		{"full", 5 << 20, false, false},
		{"a little, for the reserve", 20 << 20, false, true},
		{"enough again after all", 200 << 20, true, true},
	}
	for i, test := range tests {
		free.Store(test.free)
		waitFor(t, test.name, func() bool { h := j.Health(); return h.Writable == test.ordinary && h.Reserve == test.reserve })
		ordinary, safer := logtest.Decision(logtest.Keyring(100+i), 0), logtest.Decision(logtest.Keyring(200+i), 0)
		safer.Reserve = true
		wantWritten(t, j, test.name, ordinary, test.ordinary)
		wantWritten(t, j, test.name, safer, test.reserve)
		wantWritten(t, j, test.name+", a repeat", written, true)
		if _, err := j.Cells().Put(t.Context(), "cell"+test.name[:1]+string(rune('a'+i)), nil, 0); (err == nil) != test.ordinary {
			t.Errorf("%s: put a cell: got %v", test.name, err)
		}
	}
}

func wantWritten(t *testing.T, j *Journal, when string, d events.Decision, want bool) {
	t.Helper()
	_, err := j.Append(t.Context(), d)
	var off *events.UnavailableError
	if want && err != nil || !want && !errors.As(err, &off) {
		t.Errorf("%s: append (reserve %v): got %v, want it written: %v", when, d.Reserve, err, want)
	}
}
