package obs_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
	"github.com/keyledger/keyledger/services/dialect/obs"
	"github.com/keyledger/keyledger/services/dialect/vector"
)

// BenchmarkRatio reads and checks a request and does the cryptography alone, one HMAC-SHA1, in
// turn, and reports the quotient; the goal is at most 2.
func BenchmarkRatio(b *testing.B) {
	var v vector.Vector
	for _, each := range dialecttest.Load(b, "testdata/vectors") {
		if each.Name == "obs-put-object-meta" {
			v = each
		}
	}
	r, secret, at := v.Request(), []byte(v.Secret), v.At()
	claims, err := obs.Scheme.Read(r)
	if err != nil {
		b.Fatal(err)
	}
	c := claims[0]
	var whole, alone time.Duration
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		for range 64 {
			claims, _ := obs.Scheme.Read(r)
			_ = dialect.Check(claims[0], secret, at)
		}
		middle := time.Now()
		for range 64 {
			m := hmac.New(sha1.New, secret)
			m.Write(c.StringToSign)
			if !hmac.Equal(m.Sum(nil), c.Signature) {
				b.Fatal("does not verify")
			}
		}
		whole, alone = whole+middle.Sub(start), alone+time.Since(middle)
	}
	b.ReportMetric(float64(whole)/float64(alone), "x-bare")
}
