package dialect_test

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"github.com/keyledger/keyledger/services/dialect"
)

func TestScratchBytes(t *testing.T) {
	s := new(dialect.Scratch)
	var all [][]byte
	for n := range 300 { // more than the first piece of memory holds
		b := s.Bytes(n)
		if len(b) != 0 || cap(b) != n {
			t.Fatalf("asked for %d bytes, got %d of %d", n, len(b), cap(b))
		}
		all = append(all, append(b, bytes.Repeat([]byte{byte(n)}, n)...))
	}
	long := append(s.Bytes(1), "longer than was asked for"...)
	for n, b := range all {
		if !bytes.Equal(b, bytes.Repeat([]byte{byte(n)}, n)) {
			t.Errorf("the %d bytes of a slice were written over", n)
		}
	}
	if string(long) != "longer than was asked for" {
		t.Errorf("got %q", long)
	}
}

// What was read into a scratch holds for nothing once it is released: its bytes are wiped, and its claims.
func TestScratchIsWiped(t *testing.T) {
	s := dialect.NewScratch()
	claims := s.Claims(2)
	text := append(s.Bytes(20), "what is to be signed"...)
	claims[1] = dialect.Claim{AccessKeyID: "kept", Signature: text[:4], StringToSign: text, Sign: dialect.SignSHA256}
	kept := claims[1]
	s.Release()
	if !reflect.DeepEqual(claims, make([]dialect.Claim, 2)) {
		t.Errorf("the claims were not wiped: %+v", claims)
	}
	if kept.AccessKeyID != "kept" || !bytes.Equal(kept.StringToSign, make([]byte, 20)) {
		t.Errorf("got %q of %s", kept.StringToSign, kept.AccessKeyID)
	}
}

// A scheme that gave up leaves nothing in the claims of the next one.
func TestScratchClaims(t *testing.T) {
	s := new(dialect.Scratch)
	s.Claims(3)[1].AccessKeyID = "another scheme's"
	for n := range 6 {
		claims := s.Claims(n)
		if len(claims) != n || cap(claims) != n || slices.ContainsFunc(claims, func(c dialect.Claim) bool { return c.AccessKeyID != "" }) {
			t.Errorf("asked for %d, got %+v", n, claims)
		}
		for i := range claims {
			claims[i].AccessKeyID = "used"
		}
	}
}

func TestDetach(t *testing.T) {
	c := dialect.Claim{Scheme: "a", AccessKeyID: "b", Signature: []byte("c"), StringToSign: []byte("d"), CanonicalRequest: []byte("e"), Sign: dialect.SignSHA1}
	c.Detach()
	for v, i := reflect.ValueOf(c), 0; i < v.NumField(); i++ {
		if k := v.Field(i).Kind(); (k == reflect.Slice || k == reflect.Func) && !v.Field(i).IsNil() {
			t.Errorf("%s is left", v.Type().Field(i).Name)
		}
	}
	if c.Scheme != "a" || c.AccessKeyID != "b" {
		t.Errorf("got %+v", c)
	}
	if _, err := dialect.CheckAny([]dialect.Claim{c}, []byte("secret"), c.SignedAt); reason(t, err) != dialect.SignatureMismatch {
		t.Errorf("got %v", err)
	}
}
