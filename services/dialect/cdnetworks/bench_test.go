package cdnetworks_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"testing"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/cdnetworks"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
	"github.com/keyledger/keyledger/services/dialect/vector"
)

func benchVector(b *testing.B) vector.Vector {
	for _, v := range dialecttest.Load(b, "testdata/vectors") {
		if v.Name == "put-query-and-body" {
			return v
		}
	}
	b.Fatal("no such vector")
	return vector.Vector{}
}

// BenchmarkVerify reads and checks one request.
func BenchmarkVerify(b *testing.B) {
	v := benchVector(b)
	r, secret, at := v.Request(), []byte(v.Secret), v.At()
	b.ReportAllocs()
	for b.Loop() {
		if err := dialecttest.Verify(cdnetworks.CNC{}, r, secret, at); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRatio measures what the scheme costs and the cryptography alone in turn (the hashes of body and canonical
// request, one signature, one comparison), so that a busy machine slows both alike; the goal is at most 2.
func BenchmarkRatio(b *testing.B) {
	v := benchVector(b)
	r, secret, at := v.Request(), []byte(v.Secret), v.At()
	claims, err := cdnetworks.CNC{}.Read(r, new(dialect.Scratch))
	if err != nil {
		b.Fatal(err)
	}
	c := claims[0]
	dialecttest.Ratio(b, func() {
		if err := dialecttest.Verify(cdnetworks.CNC{}, r, secret, at); err != nil {
			b.Fatal(err)
		}
	}, func() {
		_, _ = sha256.Sum256(v.Body), sha256.Sum256(c.CanonicalRequest)
		m := hmac.New(sha256.New, secret)
		m.Write(c.StringToSign)
		if !hmac.Equal(m.Sum(nil), c.Signature) {
			b.Fatal("does not verify")
		}
	})
}
