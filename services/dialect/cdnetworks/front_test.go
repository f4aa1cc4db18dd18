package cdnetworks_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/cdnetworks"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
)

var update = flag.Bool("update", false, "rewrite the transcripts; read the diff before keeping it")

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
	if err := front.CheckScope(r, held); err != nil {
		return front.Refuse(w, r, id, err)
	}
	return front.Answer(context.Background(), w, r, id, world{})
}

// A transcript is a request, a line of dashes, and the response. The request is signed by the test unless its
// comments say otherwise:
//
//	# unsigned          leave it as it is
//	# key ID            sign as another key
//	# secret            sign with another secret
//	# later DURATION    receive it that much later
//	# then OLD => NEW   change it after signing
func TestFront(t *testing.T) {
	files, err := filepath.Glob("testdata/front/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts (%v)", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			request, want, _ := strings.Cut(string(text), "----\n")
			got := play(t, request)
			if *update {
				if err := os.WriteFile(file, []byte(request+"----\n"+got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func play(t *testing.T, text string) string {
	t.Helper()
	var notes []string
	for strings.HasPrefix(text, "#") {
		note, rest, _ := strings.Cut(text, "\n")
		notes, text = append(notes, strings.TrimPrefix(note, "# ")), rest
	}
	head, body, _ := strings.Cut(text, "\n\n")
	body = strings.TrimSuffix(body, "\n")
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	r, now := prepare(t, dialect.FromHTTP(req, []byte(body)), notes)
	if !front.Recognise(r) {
		return "not recognised\n"
	}
	w := httptest.NewRecorder()
	outcome := serve(w, r, now)
	response := w.Result()
	if response.Header.Get("Content-Length") != fmt.Sprint(w.Body.Len()) || outcome.Status != w.Code || (outcome.Code == "") != (w.Code == 200) {
		t.Errorf("got length %s of %d, outcome %+v", response.Header.Get("Content-Length"), w.Body.Len(), outcome)
	}
	dump, err := httputil.DumpResponse(response, true)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(dump), "\r\n", "\n") + "\n"
}

// prepare follows the notes.
func prepare(t *testing.T, r *dialect.Request, notes []string) (*dialect.Request, time.Time) {
	t.Helper()
	key, secret, now, signs := testKey, testSecret, signedAt, true
	var changes [][2]string
	for _, note := range notes {
		word, rest, _ := strings.Cut(note, " ")
		switch word {
		case "unsigned":
			signs = false
		case "key":
			key = rest
		case "secret":
			secret += "x"
		case "later":
			d, err := time.ParseDuration(rest)
			if err != nil {
				t.Fatal(err)
			}
			now = now.Add(d)
		case "then":
			old, new, _ := strings.Cut(rest, " => ")
			changes = append(changes, [2]string{old, new})
		}
	}
	if signs {
		sign(t, r, key, secret, signedAt)
	}
	for _, c := range changes {
		r.Body = bytes.ReplaceAll(r.Body, []byte(c[0]), []byte(c[1]))
		for i := range r.Header {
			r.Header[i].Value = strings.ReplaceAll(r.Header[i].Value, c[0], c[1])
		}
	}
	return r, now
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
