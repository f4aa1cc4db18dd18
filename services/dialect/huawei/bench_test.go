package huawei_test

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
	"github.com/keyledger/keyledger/services/dialect/huawei"
	"github.com/keyledger/keyledger/services/dialect/vector"
)

func benchVector(b *testing.B, name string) vector.Vector {
	for _, v := range dialecttest.Load(b, "testdata/vectors") {
		if v.Name == name {
			return v
		}
	}
	b.Fatal("no such vector")
	return vector.Vector{}
}

// BenchmarkRatio reads and checks a request and does the cryptography alone, in turn, and
// reports the quotient; the goal is at most 2.
func BenchmarkRatio(b *testing.B) {
	for _, c := range []struct {
		vector string
		scheme dialect.Scheme
		scope  string
	}{{"iam3-create", huawei.SDKHMAC{}, ""}, {"derived-create", huawei.V11HMAC{}, "20261122/globe/iam"}} {
		b.Run(c.scheme.Name(), func(b *testing.B) {
			v := benchVector(b, c.vector)
			r, secret, at := v.Request(), []byte(v.Secret), v.At()
			claims, err := c.scheme.Read(r, new(dialect.Scratch))
			if err != nil {
				b.Fatal(err)
			}
			bare := bare{body: v.Body, claim: claims[0], secret: secret, scope: c.scope}
			dialecttest.Ratio(b, func() {
				if dialecttest.Verify(c.scheme, r, secret, at) != nil {
					b.Fatal("does not verify")
				}
			}, func() {
				if !bare.verify() {
					b.Fatal("does not verify")
				}
			})
		})
	}
}

// bare is the cryptography alone: the hashes of body and canonical request, the key's
// derivation if there is one, one signature, one comparison.
type bare struct {
	body   []byte
	claim  dialect.Claim
	secret []byte
	scope  string
}

func (x *bare) verify() bool {
	_ = sha256.Sum256(x.body)
	_ = sha256.Sum256(x.claim.CanonicalRequest)
	key := x.secret
	if x.scope != "" {
		derived, _ := hkdf.Key(sha256.New, x.secret, []byte(x.claim.AccessKeyID), x.scope, 32)
		key = hex.AppendEncode(nil, derived)
	}
	m := hmac.New(sha256.New, key)
	m.Write(x.claim.StringToSign)
	return hmac.Equal(m.Sum(nil), x.claim.Signature)
}
