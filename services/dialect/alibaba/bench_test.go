package alibaba_test

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // as the vendor does
	"crypto/sha256"
	"testing"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/alibaba"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
	"github.com/keyledger/keyledger/services/dialect/vector"
)

// A candidate is a captured request of each scheme, and the cryptography alone that
// checking it cannot do without, over the same bytes by plain calls of the library.
type candidate struct {
	name   string
	scheme dialect.Scheme
	v      vector.Vector
	bare   func() bool
}

func candidates(b *testing.B) []candidate {
	byName := map[string]vector.Vector{}
	for _, v := range dialecttest.Load(b, "testdata/vectors") {
		byName[v.Name] = v
	}
	v3, v1 := byName["gov3-ram-update"], byName["go-ram-v1-create"]
	c3, c1 := read(b, alibaba.ACS3{}, v3), read(b, alibaba.RPC{}, v1)
	key := []byte(v1.Secret + "&")
	return []candidate{
		{"ACS3", alibaba.ACS3{}, v3, func() bool { // the body's hash, the canonical request's, one HMAC
			_ = sha256.Sum256(v3.Body)
			_ = sha256.Sum256(c3.CanonicalRequest)
			m := hmac.New(sha256.New, []byte(v3.Secret))
			m.Write(c3.StringToSign)
			return hmac.Equal(m.Sum(nil), c3.Signature)
		}},
		{"RPC", alibaba.RPC{}, v1, func() bool { // one HMAC, and nothing else: no body is hashed
			m := hmac.New(sha1.New, key)
			m.Write(c1.StringToSign)
			return hmac.Equal(m.Sum(nil), c1.Signature)
		}},
	}
}

func read(b *testing.B, s dialect.Scheme, v vector.Vector) dialect.Claim {
	claims, err := s.Read(v.Request(), new(dialect.Scratch))
	if err != nil {
		b.Fatal(err)
	}
	return claims[0]
}

// BenchmarkVerify reads and checks one request. Its time over BenchmarkBare's
// is what the dialect costs beyond cryptography; the goal is at most 2.
func BenchmarkVerify(b *testing.B) {
	for _, c := range candidates(b) {
		b.Run(c.name, func(b *testing.B) {
			r, secret, at := c.v.Request(), []byte(c.v.Secret), c.v.At()
			b.ReportAllocs()
			for b.Loop() {
				if err := dialecttest.Verify(c.scheme, r, secret, at); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBare is the cryptography alone.
func BenchmarkBare(b *testing.B) {
	for _, c := range candidates(b) {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !c.bare() {
					b.Fatal("does not verify")
				}
			}
		})
	}
}

// BenchmarkRatio measures both in turn and reports the quotient.
func BenchmarkRatio(b *testing.B) {
	for _, c := range candidates(b) {
		b.Run(c.name, func(b *testing.B) {
			r, secret, at := c.v.Request(), []byte(c.v.Secret), c.v.At()
			dialecttest.Ratio(b, func() {
				if dialecttest.Verify(c.scheme, r, secret, at) != nil {
					b.Fatal("does not verify")
				}
			}, func() {
				if !c.bare() {
					b.Fatal("does not verify")
				}
			})
		})
	}
}
