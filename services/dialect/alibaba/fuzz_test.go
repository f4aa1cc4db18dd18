package alibaba_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/alibaba"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
)

// FuzzACS3 and FuzzRPC: any request is read alike twice, or refused with words; a claim has
// no holes.
func FuzzACS3(f *testing.F) { fuzzRead(f, alibaba.ACS3{}, 32) }
func FuzzRPC(f *testing.F)  { fuzzRead(f, alibaba.RPC{}, 20) }

func fuzzRead(f *testing.F, s dialect.Scheme, size int) {
	for _, v := range dialecttest.Load(f, "testdata/vectors") {
		if v.Scheme == s.Name() {
			r := v.Request()
			f.Add(r.Method, r.Target, headerText(r), r.Body)
		}
	}
	f.Fuzz(func(t *testing.T, method, target, header string, body []byte) {
		r := requestOf(method, target, header, body)
		first, err1 := s.Read(r, new(dialect.Scratch))
		second, err2 := s.Read(r, new(dialect.Scratch))
		if (err1 == nil) != (err2 == nil) || err1 != nil && err1.Error() != err2.Error() {
			t.Fatalf("reading twice: %v, then %v", err1, err2)
		}
		if err1 != nil {
			if _, bad := errors.AsType[*dialect.MalformedError](err1); !bad && !errors.Is(err1, dialect.ErrUnsigned) {
				t.Fatalf("an error without words: %v", err1)
			}
			return
		}
		for i, c := range first {
			if !bytes.Equal(c.CanonicalRequest, second[i].CanonicalRequest) || !bytes.Equal(c.StringToSign, second[i].StringToSign) {
				t.Fatal("reading twice gives two texts")
			}
			if c.AccessKeyID == "" || c.AccessKeyID != first[0].AccessKeyID || len(c.Signature) != size || c.SignedAt.IsZero() || c.Nonce == "" {
				t.Fatalf("a claim with a hole: %+v", c)
			}
			if c.Covers.Has(dialect.Query|dialect.Method) == false || len(c.MAC([]byte("secret"))) != size {
				t.Fatalf("it covers %v", c.Covers)
			}
		}
	})
}

// FuzzFront: any request is answered in one write, with words, and never as a fault of ours
// that the ledger did not have.
func FuzzFront(f *testing.F) {
	for _, v := range dialecttest.Load(f, "testdata/vectors") {
		r := v.Request()
		f.Add(r.Method, r.Target, headerText(r), r.Body)
	}
	f.Add("POST", "/?Format=XML&Action=SetAccessKeyPolicy&Version=2019-08-15", "Content-Type: application/json",
		[]byte(`{"UserAccessKeyId":"KLAK0000000000000001","AccessKeyPolicy":{"Version":1,"Status":"Active","Statements":[{"Type":"VPCWhiteList","Value":"AllowAllVPC","IPList":["::1"]}]}}`))
	f.Fuzz(func(t *testing.T, method, target, header string, body []byte) {
		r := requestOf(method, target, header, body)
		if !front.Recognise(r) {
			return
		}
		_, _ = front.Action(r), front.Identity(r)
		w := dialecttest.NewRecorder()
		got := front.Answer(t.Context(), w, r, "id", world{})
		if w.Writes != 1 || got.Status != w.Code || got.Status >= 400 && got.Code == "" || w.Body.Len() == 0 {
			t.Fatalf("got %+v, %d writes, %q", got, w.Writes, w.Body)
		}
	})
}

func requestOf(method, target, header string, body []byte) *dialect.Request {
	r := &dialect.Request{Method: method, Target: target, Body: body}
	for line := range strings.SplitSeq(header, "\n") {
		name, value, _ := strings.Cut(line, ": ")
		add(r, name, value)
	}
	return r
}

func headerText(r *dialect.Request) string {
	var lines []string
	for _, f := range r.Header {
		lines = append(lines, f.Name+": "+f.Value)
	}
	return strings.Join(lines, "\n")
}
