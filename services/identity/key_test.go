package identity_test

import (
	"bytes"
	"hash/crc32"
	"math/big"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/identity"
	"github.com/keyledger/keyledger/services/vault"
)

// vector is the documented secret; it belongs to no key.
const vector = "kls_0Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St07EE8W"

func TestCheckSecret(t *testing.T) {
	if !identity.CheckSecret([]byte(vector)) {
		t.Fatal("the vector fails")
	}
	for i := range len(vector) {
		for _, c := range []byte("0Az_-\x00\xff") {
			changed := []byte(vector)
			if changed[i] == c {
				continue
			}
			changed[i] = c
			if identity.CheckSecret(changed) {
				t.Errorf("passed with %q at %d", c, i)
			}
		}
	}
	for _, text := range []string{"", "kls_", vector[:39], vector + "0", " " + vector[1:], strings.ToUpper(vector), strings.Repeat("0", 40)} {
		if identity.CheckSecret([]byte(text)) {
			t.Errorf("%q passed", text)
		}
	}
}

// TestChecksumIsNotEnough gives the right checksum to what has not our shape.
func TestChecksumIsNotEnough(t *testing.T) {
	body := vector[:34]
	if got := withChecksum(body); got != vector {
		t.Fatalf("got %s, want %s", got, vector)
	}
	for _, wrong := range []string{"xls_" + body[4:], "KLS_" + body[4:], "kls-" + body[4:], body[:33] + "-", body[:33] + "_", "kls_\x00" + body[5:]} {
		if identity.CheckSecret([]byte(withChecksum(wrong))) {
			t.Errorf("%q passed with its checksum", wrong)
		}
	}
}

func withChecksum(body string) string {
	sum := new(big.Int).SetUint64(uint64(crc32.ChecksumIEEE([]byte(body))))
	text := strings.Map(func(r rune) rune {
		switch { // big.Int counts a-z before A-Z
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return r
	}, sum.Text(62))
	return body + strings.Repeat("0", 6-len(text)) + text
}

func FuzzCheckSecret(f *testing.F) {
	f.Add([]byte(vector))
	f.Add([]byte("kls_"))
	f.Add([]byte(""))
	f.Add([]byte("kls_000000000000000000000000000000000000"))
	shape := regexp.MustCompile(`^kls_[0-9A-Za-z]{36}$`)
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		if !identity.CheckSecret(text) {
			return
		}
		if !bytes.Equal(before, text) {
			t.Fatal("checking changed the text")
		}
		if !shape.Match(text) || len(text) != 40 {
			t.Fatalf("%q passed and has another shape", text)
		}
		for i := range 34 { // CRC-32 finds every change of one byte
			changed := bytes.Clone(text)
			changed[i] ^= 1
			if identity.CheckSecret(changed) {
				t.Fatalf("%q passed with its byte %d changed", text, i)
			}
		}
	})
}

// TestPage holds docs/format/key-format.md to the code: the vectors check, and the
// leak rules find what is drawn and pass over the vectors.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/format/key-format.md")
	if err != nil {
		t.Fatal(err)
	}
	rules := regexp.MustCompile(`(?m)^regex = '''(.*)'''$`).FindAllSubmatch(page, -1)
	allowed := regexp.MustCompile(`(?m)^  regexes = \['''(.*)'''\]$`).FindAllSubmatch(page, -1)
	if len(rules) != 2 || len(allowed) != 2 {
		t.Fatalf("the page shows %d rules, %d of which allow a vector; want 2", len(rules), len(allowed))
	}
	for i, of := range []struct {
		prefix, vector string
		draw           func() (vault.Secret, error)
	}{
		{"kls_", vector, identity.Source{}.Secret},
		{"klgw_", tokenVector, identity.Source{}.GatewayToken},
	} {
		if !bytes.Contains(page, []byte(of.vector)) {
			t.Errorf("the page does not show %s", of.vector)
		}
		if !regexp.MustCompile(string(allowed[i][1])).MatchString(of.vector) {
			t.Errorf("the rule does not allow the vector of %s", of.prefix)
		}
		finds(t, regexp.MustCompile(string(rules[i][1])), of.prefix, of.draw)
	}
}

// finds holds a leak rule to what is drawn: it finds that, whatever stands around
// it, and nothing else.
func finds(t *testing.T, rule *regexp.Regexp, prefix string, draw func() (vault.Secret, error)) {
	t.Helper()
	for range 100 {
		secret, err := draw()
		if err != nil {
			t.Fatal(err)
		}
		for _, around := range []string{"%", "key = \"%\"", "secret=%\n", "{\"s\":\"%\"}"} {
			found := rule.FindSubmatch(bytes.ReplaceAll([]byte(around), []byte("%"), secret.Reveal()))
			if found == nil || !bytes.Equal(found[1], secret.Reveal()) {
				t.Fatalf("the rule does not find %s in %s", prefix, around)
			}
		}
	}
	letters := strings.Repeat("a", 36)
	if rule.MatchString(prefix+"short") || rule.MatchString("x"+prefix+letters) || rule.MatchString(prefix+letters+"a") {
		t.Errorf("the rule finds what is no %s", prefix)
	}
}

// tokenVector is the documented gateway token; it belongs to no ledger.
const tokenVector = "klgw_0Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St3ljC22"

func TestCheckGatewayToken(t *testing.T) {
	if !identity.CheckGatewayToken([]byte(tokenVector)) {
		t.Fatal("the vector fails")
	}
	if got := withChecksum(tokenVector[:35]); got != tokenVector {
		t.Fatalf("got %s, want %s", got, tokenVector)
	}
	for i := range len(tokenVector) {
		changed := []byte(tokenVector)
		changed[i] ^= 1
		if identity.CheckGatewayToken(changed) {
			t.Errorf("passed with %q at %d", changed[i], i)
		}
	}
	for _, text := range []string{"", "klgw_", vector, tokenVector[:40], tokenVector + "0", " " + tokenVector} {
		if identity.CheckGatewayToken([]byte(text)) {
			t.Errorf("%q passed", text)
		}
	}
}

// The hash is what sha256sum prints of the token: others can compute it.
func TestHashGatewayToken(t *testing.T) {
	const want = "dde89c302bd72cd3620a2a1f32af725e492b51acf6a4a1ef2de7e215baccf22b"
	if got := identity.HashGatewayToken([]byte(tokenVector)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The shapes of every vendor's keys are taken as they are, and nothing that could be one
// that we draw.
func TestImportedShapes(t *testing.T) {
	for id, want := range map[events.AccessKeyID]string{
		"AKIAIOSFODNN7EXAMPLE": "", "LTAI5tFk1jUqSPcGsBpjgK7c": "", "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE": "", "UDSIAMSTUBTEST000001": "",
		"minio-admin_1": "", "abc": "", "KLGT0123456789ABCDEF": "", "xKLAK": "", events.AccessKeyID(strings.Repeat("x", 128)): "",
		"": "got 0", "ab": "got 2", events.AccessKeyID(strings.Repeat("x", 129)): "got 129", "a.b": "got '.' at 1", "a/b": "got '/' at 1",
		"KLAK": "begin with KLAK", "KLAK0123456789ABCDEF": "begin with KLAK", "klak-mine": "begin with KLAK",
	} {
		if err := identity.CheckImportedID(id); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, want %q", id, err, want)
		}
	}
	const odd = "\x7fq"
	for secret, want := range map[string]string{
		"x": "", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY": "", "two words": "", strings.Repeat("~", 256): "",
		"": "got 0", strings.Repeat("x", 257): "got 257", " x": "no space", "x ": "no space", "abc\n": "at 3", "ab" + odd: "at 2", "é": "at 0",
	} {
		err := identity.CheckImportedSecret([]byte(secret))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, want %q", secret, err, want)
		}
		if err != nil && strings.Contains(err.Error(), odd) {
			t.Errorf("the error quotes the secret: %v", err)
		}
	}
}
