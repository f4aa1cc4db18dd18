package aws_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"testing"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/aws"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
	"github.com/keyledger/keyledger/services/dialect/vector"
)

// benchVector is a request of a real SDK with ten headers, six of them signed.
func benchVector(b *testing.B) vector.Vector {
	for _, v := range dialecttest.Load(b, "testdata/vectors") {
		if v.Name == "iam-create" {
			return v
		}
	}
	b.Fatal("no such vector")
	return vector.Vector{}
}

// BenchmarkVerify reads and checks one request. Its time over BenchmarkBare's
// is what the dialect costs beyond cryptography; the goal is at most 2.
func BenchmarkVerify(b *testing.B) {
	v := benchVector(b)
	r, secret, at := v.Request(), []byte(v.Secret), v.At()
	b.ReportAllocs()
	for b.Loop() {
		if err := dialecttest.Verify(aws.SigV4{}, r, secret, at); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBare is the cryptography alone: the hashes of body and canonical
// request, four steps of key derivation, one signature, one comparison.
func BenchmarkBare(b *testing.B) {
	bare := newBare(b)
	b.ReportAllocs()
	for b.Loop() {
		if !bare.verify() {
			b.Fatal("does not verify")
		}
	}
}

// BenchmarkRatio measures both in turn and reports the quotient.
func BenchmarkRatio(b *testing.B) {
	v, bare := benchVector(b), newBare(b)
	r, secret, at := v.Request(), []byte(v.Secret), v.At()
	dialecttest.Ratio(b, func() {
		if dialecttest.Verify(aws.SigV4{}, r, secret, at) != nil {
			b.Fatal("does not verify")
		}
	}, func() {
		if !bare.verify() {
			b.Fatal("does not verify")
		}
	})
}

type bare struct {
	body, canonical, toSign, key, signature []byte
	steps                                   [4][]byte
}

func newBare(b *testing.B) *bare {
	v := benchVector(b)
	claims, err := aws.SigV4{}.Read(v.Request(), new(dialect.Scratch))
	if err != nil {
		b.Fatal(err)
	}
	c := claims[0]
	return &bare{
		body: v.Body, canonical: c.CanonicalRequest, toSign: c.StringToSign, key: []byte("AWS4" + v.Secret), signature: c.Signature,
		steps: [4][]byte{[]byte("20261122"), []byte("us-east-1"), []byte("iam"), []byte("aws4_request")},
	}
}

func (x *bare) verify() bool {
	_ = sha256.Sum256(x.body)
	_ = sha256.Sum256(x.canonical)
	key := x.key
	for _, s := range x.steps {
		key = sum(key, s)
	}
	return hmac.Equal(sum(key, x.toSign), x.signature)
}

func sum(key, message []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(message)
	return m.Sum(nil)
}
