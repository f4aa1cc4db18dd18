package dialect_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// claim is signed with the secret "right", and counts how often its MAC is
// asked for.
func claim(asked *int) dialect.Claim {
	return dialect.Claim{
		SignedAt: noon, Skew: 5 * time.Minute, Signature: []byte("mac of right"),
		Sign: func(_ *dialect.Claim, out, secret []byte) []byte {
			*asked++
			return append(append(out, "mac of "...), secret...)
		},
	}
}

func TestCheck(t *testing.T) {
	presigned := func(c *dialect.Claim) { c.Presigned, c.Lifetime = true, time.Hour }
	for _, c := range []struct {
		name   string
		change func(*dialect.Claim)
		secret string
		after  time.Duration
		want   string
	}{
		{"genuine", nil, "right", 0, ""},
		{"at the end of the window", nil, "right", 5 * time.Minute, ""},
		{"at its beginning", nil, "right", -5 * time.Minute, ""},
		{"past its end", nil, "right", 5*time.Minute + 1, dialect.RequestExpired},
		{"before its beginning", nil, "right", -5*time.Minute - 1, dialect.RequestNotYetValid},
		{"wrong secret", nil, "wrong", 0, dialect.SignatureMismatch},
		{"wrong secret, too late", nil, "wrong", time.Hour, dialect.RequestExpired},
		{"wrong secret, too early", nil, "wrong", -time.Hour, dialect.RequestNotYetValid},
		{"no secret", nil, "", 0, dialect.SignatureMismatch},
		{"no secret, and signed so", func(c *dialect.Claim) { c.Signature = []byte("mac of ") }, "", 0, dialect.SignatureMismatch},
		{"presigned", presigned, "right", time.Hour, ""},
		{"presigned, past its life", presigned, "right", time.Hour + 1, dialect.PresignedExpired},
		{"presigned, a little early", presigned, "right", -5 * time.Minute, ""},
		{"presigned, too early", presigned, "right", -5*time.Minute - 1, dialect.RequestNotYetValid},
		{"presigned for less than the skew", func(c *dialect.Claim) { c.Presigned, c.Lifetime = true, time.Second }, "right", time.Minute, dialect.PresignedExpired},
		{"signed long ago", func(c *dialect.Claim) { c.SignedAt = time.Time{} }, "right", 0, dialect.RequestExpired},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := 0
			made := claim(&asked)
			if c.change != nil {
				c.change(&made)
			}
			if got := reason(t, dialect.Check(&made, []byte(c.secret), noon.Add(c.after))); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			want := 1
			if no := (&dialect.RefusedError{Reason: c.want}); no.OutOfTime() {
				want = 0
			}
			if asked != want {
				t.Errorf("the MAC was computed %d times, want %d: once in time, whatever the secret, and never out of it", asked, want)
			}
		})
	}
}

func reason(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	no, ok := errors.AsType[*dialect.RefusedError](err)
	if !ok {
		t.Fatalf("got %T, want *RefusedError", err)
	}
	if !strings.Contains(err.Error(), no.Reason) {
		t.Errorf("%q does not say %s", err, no.Reason)
	}
	return no.Reason
}

func TestCheckOfNothing(t *testing.T) {
	empty := func(*dialect.Claim, []byte, []byte) []byte { return nil }
	for _, c := range []dialect.Claim{{SignedAt: noon}, {SignedAt: noon, Sign: empty}, {SignedAt: noon, Sign: empty, Signature: []byte{}}} {
		if got := reason(t, dialect.Check(&c, []byte("right"), noon)); got != dialect.SignatureMismatch {
			t.Errorf("got %q", got)
		}
	}
}

// scheme answers every request the same way.
type scheme struct {
	name string
	err  error
}

func (s scheme) Name() string                { return s.name }
func (scheme) Names(*dialect.Request) string { return "KEY" }

func (s scheme) Read(*dialect.Request, *dialect.Scratch) ([]dialect.Claim, error) {
	return []dialect.Claim{{Scheme: s.name}}, s.err
}

func TestReadTakesTheFirstThatSpeaks(t *testing.T) {
	bad := &dialect.MalformedError{Code: "missing_date", Detail: "no date"}
	silent, speaks, broken := scheme{"a", fmt.Errorf("a: %w", dialect.ErrUnsigned)}, scheme{"b", nil}, scheme{"c", bad}
	for _, c := range []struct {
		schemes []dialect.Scheme
		want    string
		err     error
	}{
		{nil, "", dialect.ErrUnsigned},
		{[]dialect.Scheme{silent}, "", dialect.ErrUnsigned},
		{[]dialect.Scheme{silent, speaks, broken}, "b", nil},
	} {
		claims, err := dialect.Read(&dialect.Request{}, c.schemes)
		if !errors.Is(err, c.err) || err == nil && claims[0].Scheme != c.want {
			t.Errorf("got %v, %v; want %s, %v", claims, err, c.want, c.err)
		}
	}
	_, err := dialect.Read(&dialect.Request{}, []dialect.Scheme{silent, broken, speaks})
	want := dialect.MalformedError{Code: "missing_date", Detail: "no date", Scheme: "c", AccessKeyID: "KEY"}
	if got, ok := errors.AsType[*dialect.MalformedError](err); !ok || *got != want || bad.Scheme != "" {
		t.Errorf("got %+v, want %+v, and the scheme's own error as it was: %+v", err, want, bad)
	}
}

func TestCheckAny(t *testing.T) {
	asked := 0
	good, late, forged := claim(&asked), claim(&asked), claim(&asked)
	good.Scheme, late.SignedAt, forged.Signature = "good", noon.Add(-time.Hour), []byte("forged")
	for _, c := range []struct {
		claims []dialect.Claim
		want   string
		asked  int
	}{
		{[]dialect.Claim{good}, "", 1},
		{[]dialect.Claim{forged, late, good}, "", 2},
		{[]dialect.Claim{forged, late}, dialect.SignatureMismatch, 1},
		{[]dialect.Claim{late, forged}, dialect.SignatureMismatch, 1},
		{[]dialect.Claim{late, late}, dialect.RequestExpired, 0},
		{[]dialect.Claim{forged, forged}, dialect.SignatureMismatch, 2},
	} {
		asked = 0
		got, err := dialect.CheckAny(c.claims, []byte("right"), noon)
		if r := reason(t, err); r != c.want || asked != c.asked || (err == nil) != (got != nil && got.Scheme == "good") {
			t.Errorf("got %q after %d tries, want %q after %d", r, asked, c.want, c.asked)
		}
	}
	if err := dialect.InTime([]dialect.Claim{late, forged}, noon); err != nil {
		t.Errorf("one of two is in time: got %v", err)
	}
	early := late
	early.SignedAt = noon.Add(time.Hour)
	if got := reason(t, dialect.InTime([]dialect.Claim{late, early}, noon)); got != dialect.RequestExpired {
		t.Errorf("neither is in time: got %q", got)
	}
	if err := dialect.InTime(nil, noon); !errors.Is(err, dialect.ErrUnsigned) {
		t.Errorf("no claims: got %v", err)
	}
	if _, err := dialect.CheckAny(nil, []byte("right"), noon); !errors.Is(err, dialect.ErrUnsigned) {
		t.Errorf("no claims: got %v", err)
	}
}
