package verify_test

import (
	"fmt"
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

// name has the next request name a key.
func (b *bench) name(id string) {
	b.did = b.did[:0]
	b.claims = []dialect.Claim{{Scheme: "TEST", AccessKeyID: id, SignedAt: noon, Sign: func(*dialect.Claim, []byte, []byte) []byte { return nil }}}
}

// many are IDs that no two of are the same.
func many(i int) string { return fmt.Sprintf("KLAK%016d", i+10) }

// TestKeepsABound forgets keys where there would be too many.
func TestKeepsABound(t *testing.T) {
	b := &bench{everything: true}
	v := b.verifier(t)
	for i := range 200_000 {
		b.name(many(i))
		if _, err := v.Verify(t.Context(), &dialect.Request{}); err != nil {
			t.Fatal(err)
		}
	}
	if n, absent := v.Kept(); n == 0 || n > verify.MaxKept || absent != 0 {
		t.Errorf("%d keys are kept, and %d that do not exist; want at most %d, and none", n, absent, verify.MaxKept)
	}
}

// TestFlood has a flood of keys that do not exist push out no key that does.
func TestFlood(t *testing.T) {
	b := &bench{}
	v := b.verifier(t)
	genuine := func() verify.Decision {
		b.did, b.claims = b.did[:0], []dialect.Claim{b.claim(known, secret)}
		d, err := v.Verify(t.Context(), &dialect.Request{})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	genuine()
	for i := range 20_000 {
		b.name(many(i))
		if d, err := v.Verify(t.Context(), &dialect.Request{}); err != nil || d.Reason != verify.UnknownKey {
			t.Fatalf("got %+v, %v", d, err)
		}
	}
	if d := genuine(); !d.Allowed || b.lookups() != 0 {
		t.Errorf("after the flood: got %+v with %d lookups, want none", d, b.lookups())
	}
	if n, absent := v.Kept(); n != 1 || absent == 0 || absent > verify.MaxAbsent {
		t.Errorf("%d keys are kept, and %d that do not exist; want 1, and at most %d", n, absent, verify.MaxAbsent)
	}
}
