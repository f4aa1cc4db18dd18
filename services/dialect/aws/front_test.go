package aws_test

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
	"github.com/keyledger/keyledger/services/dialect/aws"
)

var update = flag.Bool("update", false, "rewrite the transcripts; read the diff before keeping it")

// world is a ledger as small as it can be: the user's name says what happens.
type world struct{ dialect.Keys }

// front is the one under test.
var front = aws.Front{}

var worldFaults = map[string]*dialect.Fault{
	"nobody":      {Kind: dialect.NotFound, Detail: "The user with name nobody cannot be found."},
	"full":        {Kind: dialect.Limit, Detail: "Cannot exceed quota for AccessKeysPerUser: 2"},
	"stranger":    {Kind: dialect.Denied},
	"strict":      {Kind: dialect.Conflict},
	"odd":         {Kind: dialect.Invalid},
	"reused":      {Kind: dialect.Reused},
	"slow":        {Kind: dialect.Unknown},
	"down":        {Kind: dialect.Unavailable},
	"broken":      {Kind: dialect.Internal, Detail: "pebble: /var/lib/secret path"},
	"from-future": {Kind: dialect.Kind(99), Detail: "of a kind this code does not know"},
}

func (world) fault(user string) error {
	switch f := worldFaults[user]; {
	case f != nil:
		return f
	case user == "timeout":
		return fmt.Errorf("append: %w", context.DeadlineExceeded)
	case user == "plain":
		return errors.New("journal: /var/lib/secret path")
	}
	return nil
}

var born = time.Date(2026, 11, 22, 5, 30, 0, 987, time.FixedZone("", 3600))

func (w world) key(user string, n int, active bool) dialect.Key {
	if user == "" {
		user = "alice"
	}
	return dialect.Key{UserName: user, AccessKeyID: fmt.Sprintf("KLAK%016d", n), Active: active, CreatedAt: born}
}

func (w world) Create(_ context.Context, of dialect.Owner, _ string) (dialect.CreatedKey, error) {
	user := of.Name
	k := dialect.CreatedKey{Key: w.key(user, 1, true), Secret: "kls_made-for-the-transcript"}
	if user == "twice" {
		k.Secret = ""
	}
	return k, w.fault(user)
}

func (w world) List(_ context.Context, of dialect.Owner, cursor string, limit int) (dialect.Page, error) {
	user := of.Name
	page := dialect.Page{Keys: []dialect.Key{w.key(user, 1, true), w.key(user, 2, false)}}
	switch {
	case user == "empty":
		page = dialect.Page{}
	case cursor == "m/2+=":
		page.Keys = page.Keys[1:]
	case cursor != "":
		return dialect.Page{}, &dialect.Fault{Kind: dialect.Invalid, Detail: "Marker is not one that this service gave."}
	case limit == 1:
		page = dialect.Page{Keys: page.Keys[:1], Next: "m/2+="}
	}
	return page, w.fault(user)
}

func (w world) SetStatus(_ context.Context, of dialect.Owner, id string, _ bool) error {
	return w.oneKey(of.Name, id)
}
func (w world) Delete(_ context.Context, of dialect.Owner, id string) error {
	return w.oneKey(of.Name, id)
}

func (w world) oneKey(user, id string) error {
	if id == "KLAK0000000000000404" {
		return &dialect.Fault{Kind: dialect.NotFound, Detail: "The Access Key with id " + id + " cannot be found."}
	}
	return w.fault(user)
}

func (world) LastUsed(_ context.Context, _ dialect.Owner, id string) (dialect.LastUse, error) {
	switch id {
	case "KLAK0000000000000001":
		return dialect.LastUse{UserName: "bob", Time: time.Date(2026, 11, 21, 23, 59, 58, 0, time.UTC), Service: "s3", Region: "us-east-1"}, nil
	case "KLAK0000000000000002":
		return dialect.LastUse{UserName: "bob"}, nil
	}
	return dialect.LastUse{}, &dialect.Fault{Kind: dialect.NotFound, Detail: "The Access Key with id " + id + " cannot be found."}
}

func (world) Caller(context.Context) dialect.Identity {
	return dialect.Identity{Account: "123456789012", UserID: "234567890123456789", UserName: "alice"}
}

// serve does what a server does with a request, at the time the transcripts
// are of.
func serve(w http.ResponseWriter, r *dialect.Request, now time.Time) dialect.Outcome {
	const id = "0198-request"
	claims, err := aws.SigV4{}.Read(r)
	if err != nil {
		return front.Refuse(w, r, id, err)
	}
	if claims[0].AccessKeyID != testKey {
		_, _ = dialect.CheckAny(claims, nil, now)
		return front.Refuse(w, r, id, dialect.ErrUnknownKey)
	}
	if err := front.CheckScope(r, claims[0]); err != nil {
		return front.Refuse(w, r, id, err)
	}
	if _, err := dialect.CheckAny(claims, []byte(testSecret), now); err != nil {
		return front.Refuse(w, r, id, err)
	}
	return front.Answer(context.Background(), w, r, id, world{})
}

// A transcript is a request, a line of dashes, and the response. The request
// is signed by the test unless its comments say otherwise:
//
//	# unsigned          leave it as it is
//	# service NAME      scope the signature to another service than iam
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
	body = strings.ReplaceAll(body, "\n", "")
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	r, now := prepare(t, req, body, notes)
	if !front.Recognise(r) {
		return "not recognised\n"
	}
	w := &oneWrite{ResponseRecorder: httptest.NewRecorder()}
	outcome := serve(w, r, now)
	response := w.Result()
	if w.writes != 1 || response.Header.Get("Content-Length") != fmt.Sprint(w.Body.Len()) || outcome.Status != w.Code {
		t.Errorf("got %d writes, length %s of %d, outcome %+v", w.writes, response.Header.Get("Content-Length"), w.Body.Len(), outcome)
	}
	dump, err := httputil.DumpResponse(response, true)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(dump), "\r\n", "\n") + "\n"
}

type oneWrite struct {
	*httptest.ResponseRecorder
	writes int
}

func (w *oneWrite) Write(b []byte) (int, error) { w.writes++; return w.ResponseRecorder.Write(b) }

// prepare follows the notes.
func prepare(t *testing.T, req *http.Request, body string, notes []string) (*dialect.Request, time.Time) {
	t.Helper()
	key, secret, service, now := testKey, testSecret, "iam", signedAt
	signs, changes := true, [][2]string{}
	for _, note := range notes {
		word, rest, _ := strings.Cut(note, " ")
		switch word {
		case "unsigned":
			signs = false
		case "service":
			service = rest
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
		aws.Sign(req, []byte(body), key, secret, service, "us-east-1", signedAt)
	}
	r := dialect.FromHTTP(req, []byte(body))
	for _, c := range changes {
		r.Body = bytes.ReplaceAll(r.Body, []byte(c[0]), []byte(c[1]))
		for i := range r.Header {
			r.Header[i].Value = strings.ReplaceAll(r.Header[i].Value, c[0], c[1])
		}
	}
	return r, now
}

func TestRecognise(t *testing.T) {
	for _, c := range []struct {
		method, target, body string
		want                 bool
	}{
		{"POST", "/", "Action=CreateAccessKey&Version=2010-05-08", true},
		{"POST", "/", "Version=2011-06-15&x&Action=", true},
		{"POST", "/", "Version=2010%2D05%2D08&Action=", true},
		{"GET", "/?Action=GetCallerIdentity&Version=2011-06-15", "", true},
		{"POST", "/?Version=2010-05-08", "Action=CreateAccessKey", true},
		{"GET", "/?Action=A", "Version=2010-05-08", false},
		{"POST", "/", "Action=CreateAccessKey&Version=2015-05-01", false}, // another vendor's
		{"POST", "/v1/keys", "Action=CreateAccessKey&Version=2010-05-08", false},
		{"PUT", "/", "Action=CreateAccessKey&Version=2010-05-08", false},
		{"POST", "/", "Action=CreateAccessKey", false},
		{"POST", "/", `{"Action":"CreateAccessKey","Version":"2010-05-08"}`, false},
		{"POST", "/", "", false},
	} {
		r := &dialect.Request{Method: c.method, Target: c.target, Body: []byte(c.body)}
		if got := front.Recognise(r); got != c.want {
			t.Errorf("%s %s %s: got %t", c.method, c.target, c.body, got)
		}
	}
	r := &dialect.Request{Method: "POST", Target: "/", Body: []byte("Action=RunInstances&Version=2016-11-15")}
	add("Authorization", "AWS4-HMAC-SHA256 x")(r)
	if !front.Recognise(r) {
		t.Error("signed for AWS, of another version: want it answered in AWS's words")
	}
}

func TestCheckScopeWantsTheBodySigned(t *testing.T) {
	r := &dialect.Request{Method: "POST", Target: "/", Body: []byte("Action=ListAccessKeys&Version=2010-05-08")}
	c := dialect.Claim{Service: "iam", Covers: dialect.Method | dialect.Path | dialect.Query}
	if bad, ok := errors.AsType[*dialect.MalformedError](front.CheckScope(r, c)); !ok || bad.Code != aws.CodePayloadUnsupported {
		t.Errorf("got %v", bad)
	}
	c.Covers |= dialect.Body
	if err := front.CheckScope(r, c); err != nil {
		t.Error(err)
	}
}

// TestPresignedManagesNoKeys: a link that was leaked must not make a key, or enable one.
func TestPresignedManagesNoKeys(t *testing.T) {
	c := dialect.Claim{Service: "iam", Presigned: true, Covers: dialect.Method | dialect.Path | dialect.Query | dialect.Body}
	for _, action := range []string{"CreateAccessKey", "ListAccessKeys", "UpdateAccessKey", "DeleteAccessKey"} {
		r := &dialect.Request{Method: "GET", Target: "/?Action=" + action + "&Version=2010-05-08"}
		if bad, ok := errors.AsType[*dialect.MalformedError](front.CheckScope(r, c)); !ok || bad.Code != aws.CodePresignedUnsupported {
			t.Errorf("%s: got %v", action, bad)
		}
	}
	c.Service = "sts"
	if err := front.CheckScope(&dialect.Request{Method: "GET", Target: "/?Action=GetCallerIdentity&Version=2011-06-15"}, c); err != nil {
		t.Error(err)
	}
}

func TestRequestIdentity(t *testing.T) {
	for id, want := range map[string]string{
		"f71f883f-67be-431d-b877-4548220c708b": "f71f883f-67be-431d-b877-4548220c708b",
		"":                                     "", "a b": "", "a\x00": "", "é": "", strings.Repeat("a", 129): "",
	} {
		r := &dialect.Request{}
		add("amz-sdk-invocation-id", id)(r)
		if got := front.Identity(r); got != want {
			t.Errorf("%q: got %q, want %q", id, got, want)
		}
	}
}

func TestFormIsBounded(t *testing.T) {
	r := genuine("POST", "/", "Action=ListAccessKeys&Version=2010-05-08&a="+strings.Repeat("a", 65536))
	w := httptest.NewRecorder()
	if got := serve(w, r, signedAt); got.Code != "RequestEntityTooLarge" || w.Code != 413 {
		t.Errorf("got %+v", got)
	}
}

// TestNetworkIsNoSecret: whoever holds the secret is told that it is the address, not the key.
func TestNetworkIsNoSecret(t *testing.T) {
	w := httptest.NewRecorder()
	r := genuine("POST", "/", "Action=ListAccessKeys&Version=2010-05-08")
	if got := front.Refuse(w, r, "1", &dialect.NetworkError{Key: true}); got.Code != "AccessDenied" || w.Code != 403 || !strings.Contains(w.Body.String(), "network policy") {
		t.Errorf("got %+v %s", got, w.Body)
	}
}

func TestSecretPrintsNothing(t *testing.T) {
	k := dialect.CreatedKey{Secret: "open sesame"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if got := fmt.Sprintf(verb, k); strings.Contains(got, "sesame") || strings.Contains(got, fmt.Sprintf("%x", "sesame")) {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}

// The captured requests of real clients get past the front as they should.
func TestFrontReadsRealClients(t *testing.T) {
	want := map[string]string{
		"iam-create": "", "iam-list": "InvalidInput", "iam-last-used": "NoSuchEntity", "iam-delete": "",
		"sts-get-caller-identity": "", "iam-create-odd-user": "ValidationError", "cli2-iam-update": "", "cli1-sts": "",
		"node-iam-create": "ValidationError", "node-iam-update": "", "cli1-iam-create": "ValidationError",
	}
	for _, v := range loadVectors(t) {
		code, listed := want[v.Name]
		if !listed {
			continue
		}
		r := v.Request()
		claims, err := aws.SigV4{}.Read(r)
		if err != nil || !front.Recognise(r) || front.CheckScope(r, claims[0]) != nil {
			t.Errorf("%s: not taken for a request of this API (%v)", v.Name, err)
			continue
		}
		if got := front.Answer(t.Context(), httptest.NewRecorder(), r, "1", world{}); got.Code != code {
			t.Errorf("%s: got %+v, want code %q", v.Name, got, code)
		}
		delete(want, v.Name)
	}
	if len(want) > 0 {
		t.Errorf("not in the vectors: %v", want)
	}
}
