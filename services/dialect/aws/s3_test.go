package aws_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/aws"
)

// TestS3 is what S3's clients are told, who sign for S3 by any of its signatures.
func TestS3(t *testing.T) {
	v4 := add("Authorization", "AWS4-HMAC-SHA256 Credential=A/20261122/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0")
	v2 := add("Authorization", "AWS A:0")
	nothing := func(*dialect.Request) {}
	for _, c := range []struct {
		method, target, body string
		sign                 func(*dialect.Request)
		err                  error
		want                 string // status and what the answer holds; "" if it is not taken
	}{
		{"GET", "/bucket/key", "", v4, nil, "404 <Code>NoSuchBucket</Code>"},
		{"GET", "/bucket/key", "", v2, nil, "404 <Code>NoSuchBucket</Code>"},
		{"GET", "/", "", v4, nil, "501 <Code>NotImplemented</Code>"},
		{"PUT", "/bucket", "", v4, nil, "501 <Code>NotImplemented</Code>"},
		{"HEAD", "/bucket", "", v4, nil, "404 "},
		{"GET", "/bucket/key?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20261122%2Fus-east-1%2Fs3%2Faws4_request", "", nothing,
			&dialect.RefusedError{Reason: dialect.PresignedExpired}, "403 <Code>AccessDenied</Code><Message>Request has expired.</Message>"},
		{"GET", "/bucket/key?AWSAccessKeyId=A&Expires=1&Signature=0", "", nothing, dialect.ErrUnknownKey, "403 <Code>InvalidAccessKeyId</Code>"},
		{"GET", "/bucket/key", "", v4, &dialect.RefusedError{Reason: dialect.SignatureMismatch}, "403 <Code>SignatureDoesNotMatch</Code>"},
		{"PUT", "/bucket/key", "a", v4, &dialect.MalformedError{Code: "payload_hash_mismatch", Detail: "it is not"}, "400 <Code>XAmzContentSHA256Mismatch</Code>"},
		{"POST", "/", "Action=ListAccessKeys&Version=2010-05-08", v4, dialect.ErrUnknownKey, "403 <Code>InvalidClientTokenId</Code>"},
		{"GET", "/v1/keys", "", v4, nil, ""},
		{"GET", "/bucket/key", "", nothing, nil, ""},
	} {
		r := &dialect.Request{Method: c.method, Target: c.target, Body: []byte(c.body)}
		c.sign(r)
		if got := front.Recognise(r); got != (c.want != "") {
			t.Errorf("%s %s: recognised %t", c.method, c.target, got)
			continue
		}
		if c.want == "" {
			continue
		}
		w := httptest.NewRecorder()
		if c.err != nil {
			front.Refuse(w, r, "1", c.err)
		} else if out := front.Answer(t.Context(), w, r, "1", world{}); out.Action != "REST."+c.method || front.Action(r) != out.Action {
			t.Errorf("%s %s: got the outcome %+v", c.method, c.target, out)
		}
		status, holds, _ := strings.Cut(c.want, " ")
		if res := w.Result(); res.Status[:3] != status || !strings.Contains(w.Body.String(), holds) || res.Header.Get("X-Amz-Request-Id") == "" && strings.HasPrefix(c.target, "/b") {
			t.Errorf("%s %s, %v: got %d %s, want %s", c.method, c.target, c.err, w.Code, w.Body, c.want)
		}
		if c.method == "HEAD" && (w.Body.Len() > 0 || w.Header().Get("X-Amz-Error-Code") != "NoSuchBucket") {
			t.Errorf("HEAD: got %s, %v", w.Body, w.Header())
		}
	}
	r := &dialect.Request{Method: "GET", Target: "/bucket/key"}
	v4(r)
	for service, ok := range map[string]bool{"s3": true, "iam": false} {
		if err := front.CheckScope(r, dialect.Claim{Service: service}); (err == nil) != ok {
			t.Errorf("made for %s: got %v", service, err)
		}
	}
}

// A client of S3's cousin leaves runs of spaces alone.
func TestSpacesOfHeaders(t *testing.T) {
	r := genuine("GET", "/bucket/key", "")
	authorization("/iam/", "/s3/")(r)
	add("X-Amz-Meta", " two  words ")(r)
	authorization("x-amz-date", "x-amz-date;x-amz-meta")(r)
	if i := strings.Index(r.Get("Authorization"), "x-amz-date;x-amz-meta"); i < 0 {
		t.Fatal(r.Get("Authorization"))
	}
	claims, err := aws.SigV4{}.Read(r, new(dialect.Scratch))
	if err != nil || len(claims) != 2 {
		t.Fatalf("got %d readings, %v; want 2", len(claims), err)
	}
	for i, want := range []string{"x-amz-meta:two words\n", "x-amz-meta:two  words\n"} {
		if !strings.Contains(string(claims[i].CanonicalRequest), want) {
			t.Errorf("reading %d: got %q, want %q in it", i, claims[i].CanonicalRequest, want)
		}
	}
	authorization(hexOf(claims[0].Signature), hexOf(claims[1].MAC([]byte(testSecret))))(r)
	if got := code(r, signedAt); got != "" {
		t.Errorf("signed so: got %q", got)
	}
	set("X-Amz-Meta", "two   words")(r)
	if got := code(r, signedAt); got != dialect.SignatureMismatch {
		t.Errorf("with another space: got %q", got)
	}
}
