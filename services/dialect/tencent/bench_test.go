package tencent_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
	"github.com/keyledger/keyledger/services/dialect/tencent"
	"github.com/keyledger/keyledger/services/dialect/vector"
)

// measured are requests of the vendor's clients, by scheme. The host of the one with a port is signed without
// it, so that it takes two readings.
var measured = []struct {
	name, vector string
	scheme       dialect.Scheme
}{
	{"TC3", "go-v3-post-create-description", tencent.TC3{}},
	{"TC3-second-reading", "node-v3-post-create", tencent.TC3{}},
	{"HmacSHA256", "go-v1-sha256-post-nobusinessparams", tencent.V1{SHA256: true}},
	{"HmacSHA1", "go-v1-sha1-post-nobusinessparams", tencent.V1{}},
}

func benchVector(b *testing.B, name string) vector.Vector {
	for _, v := range dialecttest.Load(b, "testdata/vectors") {
		if v.Name == name {
			return v
		}
	}
	b.Fatal("no such vector")
	return vector.Vector{}
}

// BenchmarkVerify reads and checks one request.
func BenchmarkVerify(b *testing.B) {
	for _, m := range measured {
		b.Run(m.name, func(b *testing.B) {
			v := benchVector(b, m.vector)
			r, secret, at := v.Request(), []byte(v.Secret), v.At()
			b.ReportAllocs()
			for b.Loop() {
				if err := dialecttest.Verify(m.scheme, r, secret, at); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRatio measures what a scheme costs and the cryptography alone in turn, and reports the quotient; the goal
// is at most 2.
func BenchmarkRatio(b *testing.B) {
	for _, m := range measured {
		b.Run(m.name, func(b *testing.B) {
			v := benchVector(b, m.vector)
			r, secret, at := v.Request(), []byte(v.Secret), v.At()
			bare := bareOf(b, m.scheme, r, v)
			dialecttest.Ratio(b, func() {
				if err := dialecttest.Verify(m.scheme, r, secret, at); err != nil {
					b.Fatal(err)
				}
			}, func() {
				if !bare() {
					b.Fatal("does not verify")
				}
			})
		})
	}
}

// bareOf is the cryptography of one reading, the one that holds: for TC3 the hashes of body and canonical request, three
// steps of key derivation, one signature and one comparison; for v1 a signature and a comparison.
func bareOf(b *testing.B, s dialect.Scheme, r *dialect.Request, v vector.Vector) func() bool {
	claims, err := s.Read(r, new(dialect.Scratch))
	if err != nil {
		b.Fatal(err)
	}
	c, err := dialect.CheckAny(claims, []byte(v.Secret), v.At())
	if err != nil {
		b.Fatal(err)
	}
	if c.Scheme == "TC3-HMAC-SHA256" {
		lines := strings.Split(string(c.StringToSign), "\n")
		steps := bytes.Split([]byte(lines[2]), []byte("/"))
		return func() bool {
			_, _ = sha256.Sum256(v.Body), sha256.Sum256(c.CanonicalRequest)
			key := []byte("TC3" + v.Secret)
			for _, step := range steps {
				key = sum256(key, step)
			}
			return hmac.Equal(sum256(key, c.StringToSign), c.Signature)
		}
	}
	of := sha256.New
	if len(c.Signature) == sha1.Size {
		of = sha1.New
	}
	return func() bool {
		m := hmac.New(of, []byte(v.Secret))
		m.Write(c.StringToSign)
		return hmac.Equal(m.Sum(nil), c.Signature)
	}
}

func sum256(key, message []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(message)
	return m.Sum(nil)
}
