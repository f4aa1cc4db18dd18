package dialect_test

import (
	"encoding/hex"
	"net/url"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/services/dialect"
)

// What the library makes of an escape is what is made of it here. The library escapes a space as a plus sign.
func wantEscapes(t *testing.T, text string) {
	t.Helper()
	escape := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
	want, err := url.QueryUnescape(text)
	if got, ok := dialect.Unescape(text); ok != (err == nil) || got != want {
		t.Errorf("%q: got %q, %t; want %q, %v", text, got, ok, want, err)
	}
	if dialect.Escapes(text) != (err == nil) {
		t.Errorf("%q: whether every escape is one is not the library's word", text)
	}
	for mark, twice := range map[string]func(string) string{dialect.Once: escape, dialect.Twice: func(s string) string { return escape(escape(s)) }} {
		if got, ok := dialect.AppendPart([]byte("x"), text, mark); ok != (err == nil) || ok && string(got) != "x"+twice(want) {
			t.Errorf("%q, marked %s: got %q, %t; want %q", text, mark, got, ok, twice(want))
		}
		if got := string(dialect.AppendEscaped([]byte("x"), text, mark)); got != "x"+twice(text) {
			t.Errorf("%q, marked %s: got %q, want %q", text, mark, got, twice(text))
		}
	}
}

func TestEscapes(t *testing.T) {
	for _, text := range []string{"", "plain", "a+b", "%41%7e%7E", "%2f%2F", "%", "%4", "%4g", "%G1", "a%", "%%41", "+%", "\x00\xff", "a=b&c", "%00", "x%25y%2525"} {
		wantEscapes(t, text)
	}
	for c := range 256 {
		wantEscapes(t, string([]byte{byte(c)}))
		wantEscapes(t, "%"+string([]byte{byte(c)})+"1")
		wantEscapes(t, "%1"+string([]byte{byte(c)}))
	}
}

func FuzzEscapes(f *testing.F) {
	f.Add("2026-11-22T12%3a00%3A00Z")
	f.Add("a+b%2B%")
	f.Fuzz(wantEscapes)
}

func TestDecodeHex(t *testing.T) {
	for _, text := range []string{"", "00", "0123456789abcdef", "0123456789ABCDEF", "aB", "0g", "g0", "a", "abc", "\x00\xff", "0/", "a:", "@`"} {
		want, err := hex.DecodeString(text)
		good := err == nil && strings.ToLower(text) == text
		got := make([]byte, len(text)/2)
		if ok := dialect.DecodeHex(got, text); ok != good || ok && string(got) != string(want) {
			t.Errorf("%q: got %x, %t; want %x, %v", text, got, ok, want, err)
		}
	}
	if dialect.DecodeHex(make([]byte, 2), "00") {
		t.Error("half of what was asked for will do")
	}
}
