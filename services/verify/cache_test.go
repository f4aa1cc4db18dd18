package verify_test

import (
	"slices"
	"testing"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/verify"
)

func (b *bench) lookups() int {
	return len(slices.DeleteFunc(slices.Clone(b.did), func(s string) bool { return s != "lookup" }))
}

// TestKept looks a key up once, whether it exists or not, until it is forgotten.
func TestKept(t *testing.T) {
	for _, id := range []events.AccessKeyID{known, unknown} {
		b := &bench{}
		b.claims = []dialect.Claim{b.claim(id, secret)}
		v := b.verifier(t)
		want := func(what string, lookups int) {
			t.Helper()
			d, err := v.Verify(t.Context(), &dialect.Request{})
			if err != nil || d.Allowed != (id == known) {
				t.Errorf("%s: got %+v, %v", what, d, err)
			}
			if got := b.lookups(); got != lookups {
				t.Errorf("%s: %d lookups, want %d", what, got, lookups)
			}
		}
		want("first", 1)
		want("again", 1)
		v.Forget("KLAK0000000000000009")
		want("another was forgotten", 1)
		v.Forget(id)
		want("forgotten", 2)
		v.ForgetAll()
		want("all forgotten", 3)
		b.key.Status = events.StatusDisabled // and the log says so:
		v.Forget(id)
		if d, _ := v.Verify(t.Context(), &dialect.Request{}); d.Allowed {
			t.Error("a disabled key is allowed")
		}
	}
}

// TestForgottenWhileRead does not keep what was read from the store before an event
// was applied and would be put in after.
func TestForgottenWhileRead(t *testing.T) {
	b := &bench{}
	b.claims = []dialect.Claim{b.claim(known, secret)}
	v := b.verifier(t)
	b.looking = func() { v.Forget(known) }
	for n := range 3 {
		if d, err := v.Verify(t.Context(), &dialect.Request{}); err != nil || !d.Allowed {
			t.Errorf("got %+v, %v", d, err)
		}
		if got := b.lookups(); got != n+1 {
			t.Errorf("%d lookups, want %d", got, n+1)
		}
	}
}

// TestKeepsABound forgets keys where there would be too many.
func TestKeepsABound(t *testing.T) {
	b := &bench{}
	v := b.verifier(t)
	for i := range 200_000 {
		b.did = b.did[:0]
		b.claims = []dialect.Claim{{Scheme: "TEST", AccessKeyID: string(rune('A'+i%26)) + string(rune(0x4e00+i)), SignedAt: noon, MAC: func([]byte) []byte { return nil }}}
		if _, err := v.Verify(t.Context(), &dialect.Request{}); err != nil {
			t.Fatal(err)
		}
	}
	if n := v.Kept(); n == 0 || n > verify.MaxKept {
		t.Errorf("%d keys are kept, want at most %d", n, verify.MaxKept)
	}
}
