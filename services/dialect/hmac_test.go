package dialect_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // as HMAC it stands
	"crypto/sha256"
	"hash"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/services/dialect"
)

func wantLibrary(t *testing.T, key, text []byte) {
	t.Helper()
	library := func(h func() hash.Hash) []byte {
		m := hmac.New(h, key)
		m.Write(text)
		return m.Sum(nil)
	}
	if got := dialect.HMACSHA256(key, text); !bytes.Equal(got[:], library(sha256.New)) {
		t.Errorf("SHA-256, key of %d bytes, text of %d: not what crypto/hmac computes", len(key), len(text))
	}
	if got := dialect.HMACSHA1(key, text); !bytes.Equal(got[:], library(sha1.New)) {
		t.Errorf("SHA-1, key of %d bytes, text of %d: not what crypto/hmac computes", len(key), len(text))
	}
}

// Every length on both sides of where a key is longer than a block, and a text ends one.
func TestHMACIsTheLibrarys(t *testing.T) {
	bytesOf := []byte(strings.Repeat("Keyledger\x00\xff", 200))
	for n := range 130 {
		wantLibrary(t, bytesOf[:n], bytesOf[n:2*n])
		wantLibrary(t, bytesOf[:n], bytesOf[3:900+n])
	}
}

func FuzzHMAC(f *testing.F) {
	f.Add([]byte("key"), []byte("The quick brown fox jumps over the lazy dog"))
	f.Fuzz(func(t *testing.T, key, text []byte) { wantLibrary(t, key, text) })
}

func TestHMACAllocatesNothing(t *testing.T) {
	key, text := []byte("a secret of forty bytes, as most of them"), []byte(strings.Repeat("x", 5000))
	if n := testing.AllocsPerRun(100, func() { dialect.HMACSHA256(key, text); dialect.HMACSHA1(key, text) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
