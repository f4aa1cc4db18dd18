package identity_test

import (
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/uuid"

	"github.com/keyledger/keyledger/services/identity"
	"github.com/keyledger/keyledger/services/vault"
)

// drawings is every kind of thing that a Source draws, as text.
func drawings(s identity.Source) map[string]func() (string, error) {
	return map[string]func() (string, error){
		"account ID":       func() (string, error) { id, err := s.AccountID(); return string(id), err },
		"user ID":          func() (string, error) { id, err := s.UserID(); return string(id), err },
		"access key ID":    func() (string, error) { id, err := s.AccessKeyID(); return string(id), err },
		"secret":           func() (string, error) { x, err := s.Secret(); return string(x.Reveal()), err },
		"gateway token ID": func() (string, error) { id, err := s.GatewayTokenID(); return string(id), err },
		"gateway token":    func() (string, error) { x, err := s.GatewayToken(); return string(x.Reveal()), err },
		"event ID":         func() (string, error) { id, err := s.EventID(); return string(id), err },
		"request ID":       func() (string, error) { id, err := s.RequestID(); return string(id), err },
		"use ID": func() (string, error) {
			id, err := s.UseID(time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC))
			if id == [16]byte{} {
				return "", err
			}
			return uuid.UUID(id).String(), err
		},
		"installation ID": func() (string, error) { id, err := s.InstallationID(); return string(id), err },
	}
}

func seeded(seed string) *rand.ChaCha8 {
	var key [32]byte
	copy(key[:], seed)
	return rand.NewChaCha8(key)
}

func TestShapes(t *testing.T) {
	const uuidRest = `-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`
	shapes := map[string]string{
		"account ID":       `^[1-9][0-9]{11}$`,
		"user ID":          `^[1-9][0-9]{17}$`,
		"access key ID":    `^KLAK[0-9A-HJKMNP-TV-Z]{16}$`,
		"secret":           `^kls_[0-9A-Za-z]{36}$`,
		"gateway token ID": `^KLGT[0-9A-HJKMNP-TV-Z]{16}$`,
		"gateway token":    `^klgw_[0-9A-Za-z]{36}$`,
		"event ID":         `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}` + uuidRest,
		"request ID":       `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}` + uuidRest,
		"use ID":           `^01a201d7-0b00-7000` + uuidRest,
		"installation ID":  `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}` + uuidRest,
	}
	for what, draw := range drawings(identity.Source{}) {
		shape := regexp.MustCompile(shapes[what])
		for range 1000 {
			got, err := draw()
			if err != nil {
				t.Fatal(err)
			}
			if !shape.MatchString(got) {
				t.Fatalf("%s: %d characters that do not match %s", what, len(got), shape)
			}
		}
	}
}

func TestWhatIsDrawnIsValid(t *testing.T) {
	var s identity.Source
	for range 1000 {
		account, err1 := s.AccountID()
		user, err2 := s.UserID()
		key, err3 := s.AccessKeyID()
		request, err4 := s.RequestID()
		installation, err5 := s.InstallationID()
		if err := errors.Join(err1, err2, err3, err4, err5, account.Valid(), user.Valid(), key.Valid(), request.Valid(), installation.Valid()); err != nil {
			t.Fatal(err)
		}
		if _, err := strconv.ParseInt(string(user), 10, 64); err != nil {
			t.Fatal(err)
		}
		secret, err := s.Secret()
		if err != nil {
			t.Fatal(err)
		}
		if !identity.CheckSecret(secret.Reveal()) || identity.CheckGatewayToken(secret.Reveal()) {
			t.Fatal("a drawn secret fails its check, or passes another")
		}
		tokenID, err1 := s.GatewayTokenID()
		token, err2 := s.GatewayToken()
		if err := errors.Join(err1, err2, tokenID.Valid()); err != nil {
			t.Fatal(err)
		}
		if !identity.CheckGatewayToken(token.Reveal()) || identity.CheckSecret(token.Reveal()) {
			t.Fatal("a drawn gateway token fails its check, or passes another")
		}
	}
}

func TestNothingIsDrawnTwice(t *testing.T) {
	for what, draw := range drawings(identity.Source{Rand: seeded("twice")}) {
		n := 100_000
		if what == "account ID" {
			n = 10_000 // 9*10^11 of them: 100,000 would meet by chance once in 180 runs
		}
		seen := make(map[string]bool, n)
		for range n {
			got, err := draw()
			if err != nil {
				t.Fatal(err)
			}
			if seen[got] {
				t.Fatalf("%s: the same one came twice", what)
			}
			seen[got] = true
		}
	}
}

// TestEveryLetterIsAsLikely tells a remainder of bytes, which favours the first
// letters by up to a fifth, from a fair draw: the expected deviation is 1 in 200.
func TestEveryLetterIsAsLikely(t *testing.T) {
	tests := map[string]struct{ from, letters int }{
		"account ID":    {1, 10},
		"access key ID": {4, 32},
		"secret":        {4, 62},
	}
	draws := drawings(identity.Source{Rand: seeded("fair")})
	for what, test := range tests {
		counts, total := map[byte]int{}, 0
		for total < test.letters*40_000 {
			got, err := draws[what]()
			if err != nil {
				t.Fatal(err)
			}
			end := len(got)
			if what == "secret" {
				end -= 6 // the checksum is not drawn
			}
			for i := test.from; i < end; i++ {
				counts[got[i]]++
				total++
			}
		}
		if len(counts) != test.letters {
			t.Errorf("%s: %d letters were drawn, want %d", what, len(counts), test.letters)
		}
		want := float64(total) / float64(test.letters)
		for letter, n := range counts {
			if f := float64(n) / want; f < 0.97 || f > 1.03 {
				t.Errorf("%s: %q came %.3f times as often as it should", what, letter, f)
			}
		}
	}
}

func TestFirstDigitIsAsLikely(t *testing.T) {
	s := identity.Source{Rand: seeded("first")}
	counts := map[byte]int{}
	for range 90_000 {
		id, err := s.UserID()
		if err != nil {
			t.Fatal(err)
		}
		counts[id[0]]++
	}
	for digit, n := range counts {
		if n < 9_500 || n > 10_500 {
			t.Errorf("%q came first %d times, want about 10000", digit, n)
		}
	}
}

func TestFailingReader(t *testing.T) {
	broken := errors.New("broken")
	for name, reader := range map[string]func() io.Reader{
		"at once":     func() io.Reader { return iotest.ErrReader(broken) },
		"after three": func() io.Reader { return io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(broken)) },
		"at its end":  func() io.Reader { return strings.NewReader("abc") },
		"not random":  func() io.Reader { return constant(0xff) },
	} {
		for what := range drawings(identity.Source{}) {
			got, err := drawings(identity.Source{Rand: reader()})[what]()
			if name == "not random" && (strings.HasSuffix(what, "event ID") || strings.HasSuffix(what, "request ID") ||
				what == "use ID" || what == "installation ID" || what == "access key ID" || what == "gateway token ID") {
				continue // these use every byte as it comes
			}
			if err == nil {
				t.Errorf("%s, %s: no error", what, name)
			}
			if got != "" {
				t.Errorf("%s, %s: %d characters in spite of the error", what, name, len(got))
			}
		}
	}
}

type constant byte

func (c constant) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(c)
	}
	return len(p), nil
}

func TestShortReadsAreNotShortIDs(t *testing.T) {
	slow := drawings(identity.Source{Rand: iotest.OneByteReader(seeded("slow")), Now: func() time.Time { return time.Unix(1, 0) }})
	for what, draw := range slow {
		got, err := draw()
		if err != nil {
			t.Fatal(err)
		}
		if want := map[string]int{"account ID": 12, "user ID": 18, "access key ID": 20, "secret": 40, "gateway token ID": 20, "gateway token": 41}[what]; want != 0 && len(got) != want {
			t.Errorf("%s: got %d characters, want %d", what, len(got), want)
		}
	}
}

func TestSameRandomnessSameIDs(t *testing.T) {
	now := func() time.Time { return time.Date(2026, 11, 22, 6, 0, 0, 123456789, time.UTC) }
	for what := range drawings(identity.Source{}) {
		a, err1 := drawings(identity.Source{Rand: seeded("same"), Now: now})[what]()
		b, err2 := drawings(identity.Source{Rand: seeded("same"), Now: now})[what]()
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if a != b {
			t.Errorf("%s: two draws from the same randomness at the same time differ", what)
		}
	}
}

func TestEventIDsCarryTheTimePassedIn(t *testing.T) {
	at := time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)
	s := identity.Source{Rand: seeded("time"), Now: func() time.Time { return at }}
	last := ""
	for range 5000 {
		at = at.Add(time.Microsecond) // sorts within a millisecond, too
		id, err := s.EventID()
		if err != nil {
			t.Fatal(err)
		}
		sec, nsec := uuid.MustParse(string(id)).Time().UnixTime()
		if got, want := time.Unix(sec, nsec).UTC(), at.Truncate(time.Millisecond); !got.Equal(want) {
			t.Fatalf("time: got %v, want %v", got, want)
		}
		if string(id) <= last {
			t.Fatalf("%s came after %s", id, last)
		}
		last = string(id)
	}
	for _, bad := range []time.Time{{}, time.Date(11000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		at = bad
		if id, err := s.EventID(); err == nil || id != "" {
			t.Errorf("at %v: got %q, %v", at, id, err)
		}
	}
}

// TestUseIDs has many draw at once: each ID carries its record's time, and none comes twice.
func TestUseIDs(t *testing.T) {
	const callers, each = 8, 2000
	drawn := make([][][16]byte, callers)
	var all sync.WaitGroup
	for c := range drawn {
		all.Go(func() {
			for i := range each {
				at := time.UnixMilli(int64(1e12 + i))
				id, err := identity.Source{}.UseID(at)
				if sec, nsec := uuid.UUID(id).Time().UnixTime(); err != nil || !time.Unix(sec, nsec).Equal(at) {
					t.Errorf("got %x, %v", id, err)
				}
				drawn[c] = append(drawn[c], id)
			}
		})
	}
	all.Wait()
	seen := map[[16]byte]bool{}
	for _, ids := range drawn {
		for _, id := range ids {
			seen[id] = true
		}
	}
	if len(seen) != callers*each {
		t.Errorf("%d IDs are different, want %d", len(seen), callers*each)
	}
	if id, err := (identity.Source{}).UseID(time.Time{}); err == nil || id != [16]byte{} {
		t.Errorf("of the year 1: got %x, %v", id, err)
	}
}

func TestDrawnSecretDoesNotPrint(t *testing.T) {
	for what, draw := range map[string]func() (vault.Secret, error){"secret": identity.Source{}.Secret, "gateway token": identity.Source{}.GatewayToken} {
		secret, err := draw()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := json.Marshal(map[string]any{"secret": secret}); err != nil || string(got) != `{"secret":"[secret]"}` {
			t.Errorf("the %s prints: %d bytes, %v", what, len(got), err)
		}
	}
}

func BenchmarkAccessKeyAndSecret(b *testing.B) {
	var s identity.Source
	for b.Loop() {
		if _, err := s.AccessKeyID(); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Secret(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEventID(b *testing.B) {
	var s identity.Source
	for b.Loop() {
		if _, err := s.EventID(); err != nil {
			b.Fatal(err)
		}
	}
}
