package cdnetworks_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/cdnetworks"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
)

var front = cdnetworks.Front{}

type world struct{ dialect.Keys }

func (world) Caller(context.Context) dialect.Identity {
	return dialect.Identity{Account: "123456789012", UserID: "234567890123456789", UserName: "alice"}
}

// serve does what a server does with a request, at the time the transcripts are of.
func serve(w http.ResponseWriter, r *dialect.Request, now time.Time) dialect.Outcome {
	const id = "0198aaaa-0000-7000-8000-000000000001"
	claims, err := dialect.Read(r, schemes)
	if err != nil {
		return front.Refuse(w, r, id, err)
	}
	if claims[0].AccessKeyID != testKey {
		return front.Refuse(w, r, id, dialect.ErrUnknownKey)
	}
	held, err := dialect.CheckAny(claims, []byte(testSecret), now)
	if err != nil {
		return front.Refuse(w, r, id, err)
	}
	if err := front.CheckScope(r, *held); err != nil {
		return front.Refuse(w, r, id, err)
	}
	return front.Answer(context.Background(), w, r, id, world{})
}

func TestFront(t *testing.T) {
	dialecttest.Transcripts{
		Front: front, Key: testKey, Secret: testSecret, SignedAt: signedAt,
		Sign: func(t testing.TB, req *http.Request, body []byte, n dialecttest.Notes) *dialect.Request {
			r := dialect.FromHTTP(req, body)
			sign(t, r, n.Key, n.Secret, signedAt)
			return r
		},
		Serve: func(w http.ResponseWriter, r *dialect.Request, n dialecttest.Notes) dialect.Outcome {
			return serve(w, r, n.Now)
		},
	}.Run(t)
}

func TestRecognise(t *testing.T) {
	cnc := []string{"Authorization", "CNC-HMAC-SHA256 x"}
	for _, c := range []struct {
		target string
		header []string
		want   bool
	}{
		{"/", cnc, true}, {"/api/domain?x=/v1", cnc, true}, {"/v10/x", cnc, true}, {"/api/v1/keys", cnc, true},
		{"/v1", cnc, false}, {"/v1/verify?x", cnc, false}, {"/console/", cnc, false}, {"/console", cnc, false},
		{"/", []string{"x-cnc-auth-method", "AKSK"}, true},
		{"/", []string{"x-cnc-auth-method", "AKSK", "Authorization", "AWS4-HMAC-SHA256 x"}, false},
		{"/", []string{"Authorization", "Bearer x", "Authorization", "CNC-HMAC-SHA256 x"}, true},
		{"/", []string{"x-cnc-timestamp", "1"}, false},
		{"/", nil, false},
	} {
		r := &dialect.Request{Method: "GET", Target: c.target}
		for i := 0; i < len(c.header); i += 2 {
			add(c.header[i], c.header[i+1])(r)
		}
		if got := front.Recognise(r); got != c.want {
			t.Errorf("%s %q: got %t", c.target, c.header, got)
		}
	}
}

// TestCapturedAreAnswered: the front takes every request of the vendor's client for its own, and says what it
// does not serve.
func TestCapturedAreAnswered(t *testing.T) {
	for _, v := range dialecttest.Load(t, "testdata/vectors") {
		if !v.Valid {
			continue
		}
		r := v.Request()
		claims, err := dialect.Read(r, schemes)
		if err != nil || !front.Recognise(r) || front.CheckScope(r, claims[0]) != nil {
			t.Errorf("%s: not taken for a request of this vendor (%v)", v.Name, err)
			continue
		}
		if got := front.Answer(t.Context(), httptest.NewRecorder(), r, "1", world{}); got.Code != "NotFound" || got.Status != 404 {
			t.Errorf("%s: got %+v", v.Name, got)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{
		{&dialect.RefusedError{Reason: dialect.Replayed}, 401, "RequestReplayed"},
		{dialect.ErrKeyDisabled, 403, "AccessKeyDisabled"},
		{dialect.ErrKeyRestricted, 403, "AccessKeyDisabled"},
		{&dialect.NetworkError{}, 403, "AccessDenied"},
		{&dialect.Fault{Kind: dialect.Unavailable}, 503, "ServiceUnavailable"},
		{&dialect.Fault{Kind: dialect.Invalid, Detail: "the body is larger than 1 byte"}, 400, "InvalidRequest"},
		{&dialect.Fault{Kind: dialect.Internal, Detail: "pebble: /var/lib"}, 500, "InternalError"},
		{&dialect.Fault{Kind: 99, Detail: "pebble: /var/lib"}, 500, "InternalError"},
		{fmt.Errorf("verify: %w", context.DeadlineExceeded), 503, "ServiceUnavailable"},
		{errors.New("pebble: /var/lib"), 500, "InternalError"},
	} {
		w := httptest.NewRecorder()
		if got := front.Refuse(w, nil, "1", c.err); got.Status != c.status || got.Code != c.code || strings.Contains(w.Body.String(), "pebble") {
			t.Errorf("%v: got %+v %s", c.err, got, w.Body)
		}
	}
	err := front.CheckScope(nil, dialect.Claim{Scheme: "AWS4-HMAC-SHA256"})
	if bad, ok := errors.AsType[*dialect.MalformedError](err); !ok || bad.Code != cdnetworks.CodeScheme {
		t.Errorf("another vendor's scheme: got %v", err)
	}
}

func TestAction(t *testing.T) {
	r := &dialect.Request{Method: "GET", Target: "/" + strings.Repeat("a", 300) + "?secret=1"}
	if got := front.Action(r); len(got) != 128 || !strings.HasPrefix(got, "GET /aaa") {
		t.Errorf("got %q", got)
	}
	r.Target = "/api/domain?secret=1"
	if got := front.Action(r); got != "GET /api/domain" {
		t.Errorf("got %q", got)
	}
}
