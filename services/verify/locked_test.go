package verify_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/verify"
)

// TestLocked: after too many wrong signatures from a source even a right one from there is refused, and only from there; what
// has no source, what whoever asks may not know of, and what a scheme without the rule signs is not counted.
func TestLocked(t *testing.T) {
	rule := map[string]dialect.Lockout{"TEST": {Failures: 5, For: 5 * time.Minute}}
	source, elsewhere := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	all := func(events.Subject) bool { return true }
	for name, c := range map[string]struct {
		rules       map[string]dialect.Lockout
		wrong       int
		from, again netip.Addr
		status      string
		may         func(events.Subject) bool
		late        time.Duration
		want        string
	}{
		"six wrong ones":            {rule, 6, source, source, events.StatusActive, all, 0, verify.KeyLocked},
		"five":                      {rule, 5, source, source, events.StatusActive, all, 0, ""},
		"the owner elsewhere":       {rule, 6, source, elsewhere, events.StatusActive, all, 0, ""},
		"when the lock is over":     {rule, 6, source, source, events.StatusActive, all, 5 * time.Minute, ""},
		"nobody says from where":    {rule, 6, netip.Addr{}, netip.Addr{}, events.StatusActive, all, 0, ""},
		"another's key":             {rule, 6, source, source, events.StatusActive, func(events.Subject) bool { return false }, 0, ""},
		"a disabled key":            {rule, 6, source, source, events.StatusDisabled, all, 0, verify.KeyDisabled},
		"a scheme without the rule": {map[string]dialect.Lockout{"OTHER": rule["TEST"]}, 6, source, source, events.StatusActive, all, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{key: verify.Key{Status: c.status}, lockouts: c.rules}
			v := b.verifier(t)
			b.sign(known, "another")
			for range c.wrong {
				if d, err := v.VerifyFor(t.Context(), &dialect.Request{Source: c.from}, c.may); err != nil || d.Reason != dialect.SignatureMismatch {
					t.Fatalf("a wrong one: got %+v, %v", d, err)
				}
			}
			b.sign(known, secret)
			b.late = c.late
			d, err := v.Verify(t.Context(), &dialect.Request{Source: c.again})
			if err != nil || d.Reason != c.want || !d.Genuine || d.Allowed != (c.want == "") {
				t.Errorf("got %+v, %v, want %q", d, err, c.want)
			}
		})
	}
}
