package verify_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/aws"
	"github.com/keyledger/keyledger/services/dialect/builtin"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
	"github.com/keyledger/keyledger/services/dialect/vector"
	"github.com/keyledger/keyledger/services/identity"
	"github.com/keyledger/keyledger/services/journal"
	"github.com/keyledger/keyledger/services/usage"
	"github.com/keyledger/keyledger/services/vault"
	"github.com/keyledger/keyledger/services/verify"
)

// BenchmarkVerify is a whole decision about a request of a real SDK, by a key that is kept
// in memory: parse, lookup, signature, clock, state. "x-bare" is its time over that of the same
// hashes and MACs alone, taken by turns; the goal is at most 2.
func BenchmarkVerify(b *testing.B) {
	request := sdkRequest(b)
	v, r, bare := verifierOfOne(b, request), request.Request(), newBare(b, request)
	if d, err := v.Verify(b.Context(), r); err != nil || !d.Allowed || !bare.verify() {
		b.Fatalf("got %+v, %v", d, err)
	}
	const turn = 64
	var whole, alone time.Duration
	for b.Loop() {
		start := time.Now()
		for range turn {
			_, _ = v.Verify(b.Context(), r)
		}
		middle := time.Now()
		for range turn {
			bare.verify()
		}
		whole, alone = whole+middle.Sub(start), alone+time.Since(middle)
	}
	b.StopTimer()
	each := float64(b.N) * turn
	b.ReportMetric(float64(whole.Nanoseconds())/each, "ns/verify")
	b.ReportMetric(float64(alone.Nanoseconds())/each, "bare-ns")
	b.ReportMetric(float64(whole)/float64(alone), "x-bare")
	b.ReportMetric(testing.AllocsPerRun(100, func() { _, _ = v.Verify(b.Context(), r) }), "allocs/verify")
	b.ReportMetric(testing.AllocsPerRun(100, func() { bare.verify() }), "bare-allocs")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkVerifyAndRecord decides and records durably by many callers: verifications a second whose records are on
// disk. "x-recorded" is the ratio to records alone, by as many callers, taken by turns.
func BenchmarkVerifyAndRecord(b *testing.B) {
	request := sdkRequest(b)
	v, r := verifierOfOne(b, request), request.Request()
	for _, callers := range []int{1, 64, 1024} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			log, err := journal.Open(b.Context(), journal.Config{Dir: b.TempDir(), Create: true})
			if err != nil {
				b.Fatal(err)
			}
			uses := usage.New(usage.Config{Log: log, Draw: identity.Source{}, Now: request.At})
			record := func(d verify.Decision) {
				rec := access.Record{
					Time: request.At(), Key: d.Key, Account: d.Owner.Account, User: d.Owner.User, Outcome: access.Allowed,
					Scheme: d.Claim.Scheme, Service: d.Claim.Service, Region: d.Claim.Region, Position: d.Position,
				}
				if err := uses.Record(b.Context(), rec); err != nil {
					b.Error(err)
				}
			}
			decided, err := v.Verify(b.Context(), r)
			if err != nil || !decided.Allowed {
				b.Fatalf("got %+v, %v", decided, err)
			}
			const turns = 8
			var both, alone time.Duration
			each := max(b.N/turns, 4*callers)
			b.ResetTimer()
			for turn := range turns + 1 {
				start := time.Now()
				inParallel(callers, each, func() {
					d, _ := v.Verify(b.Context(), r)
					record(d)
				})
				middle := time.Now()
				inParallel(callers, each, func() { record(decided) })
				if turn > 0 { // the first one warms up
					both, alone = both+middle.Sub(start), alone+time.Since(middle)
				}
			}
			if err := errors.Join(uses.Close(b.Context()), log.Close()); err != nil {
				b.Error(err)
			}
			n := float64(each * turns)
			b.ReportMetric(n/both.Seconds(), "verified-and-recorded/s")
			b.ReportMetric(n/alone.Seconds(), "recorded/s")
			b.ReportMetric(float64(alone)/float64(both), "x-recorded")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// inParallel does something n times, by so many callers.
func inParallel(callers, n int, do func()) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for next.Add(1) <= int64(n) {
				do()
			}
		})
	}
	all.Wait()
}

// sdkRequest has ten headers, six of them signed.
func sdkRequest(b *testing.B) vector.Vector {
	for _, v := range dialecttest.Load(b, "../dialect/aws/testdata/vectors") {
		if v.Name == "iam-create" {
			return v
		}
	}
	b.Fatal("no such vector")
	return vector.Vector{}
}

// verifierOfOne has one key, that of the request.
func verifierOfOne(b *testing.B, request vector.Vector) *verify.Verifier {
	b.Helper()
	vlt, key := openVault(b), verify.Key{Owner: events.KeyringSubject("123456789012", "123456789012345678"), Status: events.StatusActive}
	id := events.AccessKeyID(request.AccessKeyID)
	var err error
	if key.Sealed, err = vlt.Seal(key.Owner.Account, id, 1, vault.NewSecret([]byte(request.Secret))); err != nil {
		b.Fatal(err)
	}
	v, err := verify.New(verify.Config{
		Vault: vlt, Schemes: builtin.Schemes(), Now: request.At,
		Fresh: func(context.Context) error { return nil }, Applied: func() events.Position { return 7 },
		Lookup: func(asked events.AccessKeyID) (verify.Key, bool, error) { return key, asked == id, nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	return v
}

// A bare is the cryptography of one verification: the hashes of body and canonical
// request, four steps of key derivation, one signature, one comparison.
type bare struct {
	body, canonical, toSign, key, signature []byte
	steps                                   [4][]byte
}

func newBare(b *testing.B, request vector.Vector) *bare {
	claims, err := aws.SigV4{}.Read(request.Request(), new(dialect.Scratch))
	if err != nil {
		b.Fatal(err)
	}
	c := claims[0]
	return &bare{
		body: request.Body, canonical: c.CanonicalRequest, toSign: c.StringToSign, key: []byte("AWS4" + request.Secret), signature: c.Signature,
		steps: [4][]byte{[]byte(request.At().Format("20060102")), []byte(c.Region), []byte(c.Service), []byte("aws4_request")},
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
