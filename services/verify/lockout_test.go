package verify

import (
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/dialect"
)

var (
	lockNoon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	lockRule = dialect.Lockout{Failures: 5, For: 5 * time.Minute}
	here     = netip.MustParseAddr("192.0.2.1")
)

const lockKey events.AccessKeyID = "KLAK0000000000000001"

// fail sends so many wrong signatures, none of which finds the key locked.
func fail(t *testing.T, l *lockout, times int, from netip.Addr, now time.Time) {
	t.Helper()
	for i := range times {
		if l.locked(lockKey, from, true, now) {
			t.Fatalf("locked before failure %d", i+1)
		}
	}
}

func TestLockout(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*testing.T, *lockout) bool
		want bool
	}{
		{"five failures", func(t *testing.T, l *lockout) bool {
			fail(t, l, 5, here, lockNoon)
			return l.locked(lockKey, here, false, lockNoon)
		}, false},
		{"six failures", func(t *testing.T, l *lockout) bool {
			fail(t, l, 6, here, lockNoon)
			return l.locked(lockKey, here, false, lockNoon)
		}, true},
		{"to the last moment, whatever comes", func(t *testing.T, l *lockout) bool {
			fail(t, l, 6, here, lockNoon)
			l.locked(lockKey, here, false, lockNoon)
			l.locked(lockKey, here, true, lockNoon)
			return l.locked(lockKey, here, false, lockNoon.Add(5*time.Minute-1))
		}, true},
		{"and no longer, whatever came", func(t *testing.T, l *lockout) bool {
			fail(t, l, 6, here, lockNoon)
			l.locked(lockKey, here, true, lockNoon.Add(4*time.Minute))
			return l.locked(lockKey, here, false, lockNoon.Add(5*time.Minute))
		}, false},
		{"the owner elsewhere", func(t *testing.T, l *lockout) bool {
			fail(t, l, 6, here, lockNoon)
			return l.locked(lockKey, netip.MustParseAddr("192.0.2.2"), false, lockNoon)
		}, false},
		{"another key from there", func(t *testing.T, l *lockout) bool {
			fail(t, l, 6, here, lockNoon)
			return l.locked("KLAK0000000000000002", here, false, lockNoon)
		}, false},
		{"a right one in between", func(t *testing.T, l *lockout) bool {
			fail(t, l, 5, here, lockNoon)
			l.locked(lockKey, here, false, lockNoon)
			fail(t, l, 5, here, lockNoon)
			return l.locked(lockKey, here, false, lockNoon)
		}, false},
		{"failures of long ago", func(t *testing.T, l *lockout) bool {
			fail(t, l, 5, here, lockNoon)
			fail(t, l, 1, here, lockNoon.Add(5*time.Minute+1))
			return l.locked(lockKey, here, false, lockNoon.Add(5*time.Minute+1))
		}, false},
		{"the same address, mapped", func(t *testing.T, l *lockout) bool {
			fail(t, l, 6, here, lockNoon)
			return l.locked(lockKey, netip.MustParseAddr("::ffff:192.0.2.1"), false, lockNoon)
		}, true},
		{"another address of one host's network", func(t *testing.T, l *lockout) bool {
			fail(t, l, 6, netip.MustParseAddr("2001:db8::1"), lockNoon)
			return l.locked(lockKey, netip.MustParseAddr("2001:db8::2"), false, lockNoon)
		}, true},
		{"a source that is not known", func(t *testing.T, l *lockout) bool {
			fail(t, l, 6, netip.Addr{}, lockNoon)
			return l.locked(lockKey, netip.Addr{}, false, lockNoon)
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.do(t, newLockouts(map[string]dialect.Lockout{"A": lockRule})["A"]); got != c.want {
				t.Errorf("locked: %t, want %t", got, c.want)
			}
		})
	}
}

func TestLockoutIsBounded(t *testing.T) {
	l := newLockouts(map[string]dialect.Lockout{"A": lockRule})["A"]
	fail(t, l, 6, here, lockNoon)
	for i := range maxFailing + 10 {
		l.locked(events.AccessKeyID("KEY"+strconv.Itoa(i)), here, true, lockNoon.Add(time.Second+time.Duration(i)))
	}
	if len(l.failing) != maxFailing {
		t.Errorf("remembers %d, want %d", len(l.failing), maxFailing)
	}
	if l.locked(lockKey, here, false, lockNoon.Add(2*time.Second)) {
		t.Error("the oldest is not the one that was forgotten")
	}
}
