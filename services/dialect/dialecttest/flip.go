package dialecttest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/vector"
)

// flipAll changes the genuine request v one bit at a time, in everything that
// its own claim says is signed, and wants each change refused.
func flipAll(t *testing.T, v vector.Vector, schemes []dialect.Scheme) {
	t.Helper()
	claims, err := dialect.Read(v.Request(), schemes)
	if err != nil || len(claims) == 0 {
		t.Fatalf("a valid request was not read: %v", err)
	}
	sum := sha256.Sum256(v.Body)
	f := flipper{t: t, v: v, schemes: schemes, parsed: []string{"path", "query"}}
	if !bytes.Contains(claims[0].CanonicalRequest, hex.AppendEncode(nil, sum[:])) {
		f.parsed = append(f.parsed, "body") // it is signed as the parameters that it holds, not as it is
	}
	covers, signed := claims[0].Covers, strings.Split(claims[0].SignedHeaders, ";")
	for _, c := range claims[1:] {
		covers &= c.Covers
		signed = both(signed, strings.Split(c.SignedHeaders, ";"))
	}
	f.parts(covers)
	f.headers(signed)
	if f.tried == 0 {
		t.Error("nothing of a valid request is signed")
	}
}

func both(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return !slices.Contains(b, s) })
}

type flipper struct {
	t       *testing.T
	v       vector.Vector
	schemes []dialect.Scheme
	parsed  []string // what is decoded before it is signed
	tried   int
	folded  bool // the header at hand is signed in lower case
}

func (f *flipper) parts(covers dialect.Parts) {
	path, query, _ := strings.Cut(f.v.RequestTarget, "?")
	if covers.Has(dialect.Method) {
		f.each("method", f.v.Method, func(r *dialect.Request, s string) { r.Method = s })
	}
	if covers.Has(dialect.Path) {
		f.each("path", path, func(r *dialect.Request, s string) { r.Target = s + f.v.RequestTarget[len(path):] })
	}
	if covers.Has(dialect.Query) {
		f.each("query", query, func(r *dialect.Request, s string) { r.Target = path + "?" + s })
	}
	if covers.Has(dialect.Body) {
		f.each("body", string(f.v.Body), func(r *dialect.Request, s string) { r.Body = []byte(s) })
		f.one("body, one byte longer", func(r *dialect.Request) { r.Body = append(slices.Clone(r.Body), 'x') })
	}
}

// headers flips the signed headers, and the one that holds the signature.
func (f *flipper) headers(signed []string) {
	for i, h := range f.v.Request().Header {
		name := strings.ToLower(h.Name)
		if name == "authorization" || slices.Contains(signed, name) {
			f.folded = name != "authorization" && f.signsLowerCase(i)
			f.each(h.Name, h.Value, func(r *dialect.Request, s string) { r.Header[i].Value = s })
		}
		if slices.Contains(signed, name) {
			f.one(h.Name+" removed", func(r *dialect.Request) { r.Header = slices.Delete(r.Header, i, i+1) })
			f.one(h.Name+" doubled", func(r *dialect.Request) { r.Header = append(r.Header, h) })
		}
	}
}

// signsLowerCase reports whether the scheme signs the i-th header in lower case, however it is sent: then
// a change of case alone is none.
func (f *flipper) signsLowerCase(i int) bool {
	r := f.v.Request()
	h := &r.Header[i]
	h.Value = strings.ToUpper(h.Value)
	j := vector.JudgeRequest(r, f.v.AccessKeyID, f.v.Secret, f.v.At(), f.schemes)
	line := "\n" + strings.ToLower(h.Name+":"+h.Value) + "\n"
	return j.Valid && strings.Contains(string(j.CanonicalRequest), line)
}

// each flips every bit of value; of a long one, every bit of 2048 bytes spread
// over it, and of a very long one, which takes long to hash, of 256.
func (f *flipper) each(what, value string, set func(*dialect.Request, string)) {
	step := 1 + len(value)/2048
	if len(value) > 16<<10 {
		step = 1 + len(value)/256
	}
	for i := 0; i < len(value); i += step {
		for bit := range 8 {
			b := []byte(value)
			b[i] ^= 1 << bit
			changed := string(b)
			if slices.Contains(f.parsed, what) && sameEscapes(value, changed) {
				continue
			}
			if f.folded && strings.EqualFold(value, changed) {
				continue
			}
			f.one(what+" "+url.QueryEscape(changed), func(r *dialect.Request) { set(r, changed) })
		}
	}
}

func (f *flipper) one(what string, change func(*dialect.Request)) {
	f.tried++
	r := f.v.Request()
	change(r)
	if j := vector.JudgeRequest(r, f.v.AccessKeyID, f.v.Secret, f.v.At(), f.schemes); j.Valid {
		f.t.Errorf("still valid with another %s", what)
	}
}

// sameEscapes reports whether two strings differ only in the case of the
// digits of a percent escape: by RFC 3986 section 2.1 that is no difference.
func sameEscapes(a, b string) bool {
	x, err1 := url.PathUnescape(a)
	y, err2 := url.PathUnescape(b)
	return err1 == nil && err2 == nil && x == y
}
