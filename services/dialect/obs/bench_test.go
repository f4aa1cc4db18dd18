package obs_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // Content-MD5 is MD5
	"crypto/sha1"
	"crypto/sha256"
	"testing"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/aws"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
	"github.com/keyledger/keyledger/services/dialect/obs"
	"github.com/keyledger/keyledger/services/dialect/vector"
)

// BenchmarkRatio reads and checks a request with a signature in its header and does the cryptography
// alone, in turn, and reports the quotient; the goal is at most 2.
func BenchmarkRatio(b *testing.B) { ratio(b, "obs-put-object-meta", obs.Scheme) }

// BenchmarkRatioForms does so for what else OBS clients send: a signed URL, a body with its MD5, and the two
// signatures of Amazon S3.
func BenchmarkRatioForms(b *testing.B) {
	for _, m := range []struct {
		name, vector string
		scheme       dialect.Scheme
	}{
		{"url", "obs-presigned-put-headers", obs.Scheme},
		{"md5", "obs-set-policy-md5-body", obs.Scheme},
		{"v2", "v2-put-object-meta", aws.V2},
		{"v2-url", "v2-presigned-put-headers", aws.V2},
		{"v4", "v4-put-object-meta", aws.SigV4{}},
	} {
		b.Run(m.name, func(b *testing.B) { ratio(b, m.vector, m.scheme) })
	}
}

func ratio(b *testing.B, name string, s dialect.Scheme) {
	var v vector.Vector
	for _, each := range dialecttest.Load(b, "testdata/vectors") {
		if each.Name == name {
			v = each
		}
	}
	r, secret, at := v.Request(), []byte(v.Secret), v.At()
	claims, err := s.Read(r, new(dialect.Scratch))
	if err != nil {
		b.Fatal(err)
	}
	held, err := dialect.CheckAny(claims, secret, at)
	if err != nil {
		b.Fatal(err)
	}
	bare := bareV2
	if held.Scheme == "AWS4-HMAC-SHA256" {
		bare = bareV4
	}
	dialecttest.Ratio(b, func() {
		if err := dialecttest.Verify(s, r, secret, at); err != nil {
			b.Fatal(err)
		}
	}, func() {
		if !bare(r, *held, secret) {
			b.Fatal("does not verify")
		}
	})
}

// bareV2 is one HMAC-SHA1, one comparison, and the MD5 of the body where it is signed.
func bareV2(r *dialect.Request, c dialect.Claim, secret []byte) bool {
	if c.Covers.Has(dialect.Body) {
		_ = md5.Sum(r.Body)
	}
	m := hmac.New(sha1.New, secret)
	m.Write(c.StringToSign)
	return hmac.Equal(m.Sum(nil), c.Signature)
}

// bareV4 is the hash of the canonical request, and of the body where it is signed, four steps of key
// derivation, one signature, one comparison.
func bareV4(r *dialect.Request, c dialect.Claim, secret []byte) bool {
	if c.Covers.Has(dialect.Body) {
		_ = sha256.Sum256(r.Body)
	}
	_ = sha256.Sum256(c.CanonicalRequest)
	scope := bytes.Split(c.StringToSign, []byte("\n"))[2]
	key := append([]byte("AWS4"), secret...)
	for step := range bytes.SplitSeq(scope, []byte("/")) {
		key = sum(key, step)
	}
	return hmac.Equal(sum(key, c.StringToSign), c.Signature)
}

func sum(key, message []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(message)
	return m.Sum(nil)
}
