package verify_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/verify"
)

// asks makes a request with a nonce, signed so long after noon.
func (b *bench) asks(t *testing.T, v *verify.Verifier, nonce, secret string, signed time.Duration) (verify.Decision, error) {
	t.Helper()
	c := b.claim(known, secret)
	c.Nonce, c.SignedAt = nonce, noon.Add(signed)
	b.claims = []dialect.Claim{c}
	return v.Verify(t.Context(), &dialect.Request{})
}

func (b *bench) reason(t *testing.T, v *verify.Verifier, nonce, secret string, signed time.Duration) string {
	t.Helper()
	d, err := b.asks(t, v, nonce, secret, signed)
	if err != nil {
		t.Fatal(err)
	}
	if d.Allowed != (d.Reason == "") || (d.Reason == "") != (d.Nonce != verify.Nonce{}) {
		t.Errorf("got %+v", d)
	}
	return d.Reason
}

// TestReplay makes requests again while they could be made again and after, forged ones
// before, and one whose time lies ahead.
func TestReplay(t *testing.T) {
	b := &bench{}
	v := b.verifier(t)
	v.Remembered()
	ahead := 5 * time.Minute // as far as a clock may be
	for i, step := range []struct {
		at, signed time.Duration
		nonce, by  string
		want       string
	}{
		{0, 0, "one", "another", dialect.SignatureMismatch}, // whoever has no secret uses nobody's nonce up
		{0, 0, "one", secret, ""},
		{0, 0, "one", secret, dialect.Replayed},
		{0, 0, "one", "another", dialect.SignatureMismatch},
		{time.Minute, time.Minute, "one", secret, dialect.Replayed}, // signed anew
		{time.Minute, ahead, "two", secret, ""},
		{9 * time.Minute, ahead, "two", secret, dialect.Replayed},
		{10*time.Minute + 59*time.Second, 6 * time.Minute, "one", secret, dialect.Replayed},
		{11*time.Minute + 1, 7 * time.Minute, "one", secret, ""}, // nobody can make the first one again
		{11*time.Minute + 1, 0, "one", secret, dialect.RequestExpired},
	} {
		b.late = step.at
		if got := b.reason(t, v, step.nonce, step.by, step.signed); got != step.want {
			t.Errorf("step %d: got %q, want %q", i, got, step.want)
		}
		v.ForgetNonces()
	}
}

// TestNonceThatIsNotUsedUp has somebody ask who may not, and a decision be taken back.
func TestNonceThatIsNotUsedUp(t *testing.T) {
	b := &bench{}
	v := b.verifier(t)
	v.Remembered()
	c := b.claim(known, secret)
	c.Nonce = "one"
	b.claims = []dialect.Claim{c}
	for range 2 {
		d, err := v.VerifyFor(t.Context(), &dialect.Request{}, func(owner events.Subject) bool { return owner != b.key.Owner })
		if err != nil || !d.Allowed || d.Nonce != (verify.Nonce{}) {
			t.Fatalf("got %+v, %v", d, err)
		}
	}
	d, err := b.asks(t, v, "one", secret, 0)
	if err != nil || !d.Allowed {
		t.Fatalf("after somebody else has asked: got %+v, %v", d, err)
	}
	again, err := b.asks(t, v, "one", secret, 0)
	if err != nil || again.Reason != dialect.Replayed {
		t.Fatalf("again: got %+v, %v", again, err)
	}
	v.Release(again) // which used nothing up
	if got := b.reason(t, v, "one", secret, 0); got != dialect.Replayed {
		t.Errorf("after a replay was taken back: got %q", got)
	}
	v.Release(d)
	if got := b.reason(t, v, "one", secret, 0); got != "" {
		t.Errorf("after the decision was taken back: got %q", got)
	}
}

// TestExplainUsesNothingUp explains a request before it is made and after: it may be made
// once all the same, and that it was is told.
func TestExplainUsesNothingUp(t *testing.T) {
	b := &bench{}
	v := b.verifier(t)
	c := b.claim(known, secret)
	c.Nonce, c.SignedAt = "one", noon
	b.claims = []dialect.Claim{c}
	explain := func(want string) {
		t.Helper()
		d, err := v.Explain(t.Context(), &dialect.Request{})
		if err != nil || d.Reason != want || len(d.Claims) != 1 || !d.Signed {
			t.Errorf("got %+v, %v, want %q", d, err, want)
		}
	}
	if _, err := v.Explain(t.Context(), &dialect.Request{}); !errors.Is(err, verify.ErrRefilling) {
		t.Errorf("before all is remembered: got %v", err)
	}
	v.Remembered()
	explain("")
	explain("")
	if got := b.reason(t, v, "one", secret, 0); got != "" {
		t.Fatalf("a request that was explained is refused: %s", got)
	}
	explain(dialect.Replayed)
	if got := b.reason(t, v, "two", secret, 0); got != "" {
		t.Errorf("another nonce: %s", got)
	}
}

// TestReplayOfAnotherKey lets two keys use one nonce.
func TestReplayOfAnotherKey(t *testing.T) {
	b := &bench{}
	v := b.verifier(t)
	v.Remembered()
	b.reason(t, v, "one", secret, 0)
	if err := v.Remember("KLAK0000000000000003", verify.Nonce{1}, noon); err != nil {
		t.Fatal(err)
	}
	d, err := b.asks(t, v, "two", secret, 0)
	if err != nil || !d.Allowed {
		t.Errorf("got %+v, %v", d, err)
	}
}

// TestReplayAfterAStart knows nothing before it has been told, and what it was told after.
func TestReplayAfterAStart(t *testing.T) {
	b := &bench{}
	before := b.verifier(t)
	before.Remembered()
	d, err := b.asks(t, before, "one", secret, 0)
	if err != nil || !d.Allowed {
		t.Fatalf("got %+v, %v", d, err)
	}
	v := b.verifier(t)
	if _, err := b.asks(t, v, "one", secret, 0); !errors.Is(err, verify.ErrRefilling) {
		t.Errorf("before it was told: got %v, want ErrRefilling", err)
	}
	b.sign(known, secret)
	if d, err := v.Verify(t.Context(), &dialect.Request{}); err != nil || !d.Allowed {
		t.Errorf("a scheme without a nonce has to wait: %+v, %v", d, err)
	}
	if err := errors.Join(v.Remember(known, d.Nonce, noon), v.Remember(known, verify.Nonce{9}, noon.Add(-time.Hour))); err != nil {
		t.Fatal(err)
	}
	v.Remembered()
	if got := b.reason(t, v, "one", secret, 0); got != dialect.Replayed {
		t.Errorf("after it was told: got %q", got)
	}
	b.late = verify.MaxReplayWindow
	v.ForgetNonces()
	if got := b.reason(t, v, "one", secret, b.late); got != "" {
		t.Errorf("when nobody can make it again: got %q", got)
	}
}

// TestReplayRace has many make the same request at once, while what counts no more is being
// forgotten: one goes through.
func TestReplayRace(t *testing.T) {
	b := &bench{}
	v := b.verifier(t)
	v.Remembered()
	var all sync.WaitGroup
	for round := range 200 {
		var through atomic.Int32
		nonce := verify.Nonce{byte(round), byte(round >> 8)}
		all.Go(v.ForgetNonces)
		for range 8 {
			all.Go(func() {
				if seen, err := v.Seen(known, nonce, noon); err != nil {
					t.Error(err)
				} else if !seen {
					through.Add(1)
				}
			})
		}
		all.Wait()
		if through.Load() != 1 {
			t.Fatalf("%d of 8 went through", through.Load())
		}
	}
}

// TestReplayCrowded remembers so many and refuses the next, of a key and of all, until some
// count no more.
func TestReplayCrowded(t *testing.T) {
	b := &bench{}
	v := b.verifier(t)
	v.Remembered()
	v.BoundNonces(3000, 3500)
	remember := func(id events.AccessKeyID, n int, at time.Time) (err error) {
		for i := 0; i < n && err == nil; i++ {
			err = v.Remember(id, verify.Nonce{1, byte(i), byte(i >> 8)}, at)
		}
		return err
	}
	if err := remember(known, 3000, noon); err != nil {
		t.Fatal(err)
	}
	if _, err := b.asks(t, v, "one more", secret, 0); !errors.Is(err, verify.ErrCrowded) {
		t.Errorf("a key: got %v, want ErrCrowded", err)
	}
	if err := remember("KLAK0000000000000003", 501, noon); !errors.Is(err, verify.ErrCrowded) {
		t.Errorf("all: got %v, want ErrCrowded", err)
	}
	b.late = verify.MaxReplayWindow
	if got := b.reason(t, v, "one more", secret, b.late); got != "" {
		t.Errorf("later: got %q", got)
	}
	v.ForgetNonces()
	if err := remember("KLAK0000000000000004", 3000, noon.Add(b.late)); err != nil {
		t.Errorf("later, of another key: %v", err)
	}
}
