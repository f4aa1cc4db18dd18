package huawei_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
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
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
	"github.com/keyledger/keyledger/services/dialect/huawei"
)

var update = flag.Bool("update", false, "rewrite the transcripts; read the diff before keeping it")

const (
	testKey    = "KLAK0123456789ABCDEF"
	testSecret = "kls_0123456789abcdefghijklmnopqrstuvwxyz"
	alice      = "234567890123456789"
)

var (
	front    = huawei.Front{}
	signedAt = time.Date(2026, 11, 22, 4, 46, 48, 0, time.UTC)
	born     = time.Date(2026, 11, 22, 5, 30, 0, 123456789, time.FixedZone("", 3600))
)

// world is a ledger as small as it can be: the user's or the key's ID says what happens.
type world struct{ dialect.Keys }

var worldFaults = map[string]error{
	"404": &dialect.Fault{Kind: dialect.NotFound, Detail: "The Access Key with id 404 cannot be found."},
	"405": &dialect.Fault{Kind: dialect.NoUser},
	"409": &dialect.Fault{Kind: dialect.Limit, Detail: "the user's quota of keys is full (2 of 2)"},
	"403": &dialect.Fault{Kind: dialect.Denied},
	"412": &dialect.Fault{Kind: dialect.Conflict, Detail: "key 412 is active; disable it before it is deleted"},
	"400": &dialect.Fault{Kind: dialect.Invalid, Detail: "the description has 257 characters; want at most 256"},
	"503": &dialect.Fault{Kind: dialect.Unknown},
	"502": &dialect.Fault{Kind: dialect.Unavailable},
	"500": &dialect.Fault{Kind: dialect.Internal, Detail: "pebble: /var/lib/secret path"},
	"501": errors.New("journal: /var/lib/secret path"),
	"504": fmt.Errorf("append: %w", context.DeadlineExceeded),
	"599": &dialect.Fault{Kind: dialect.Kind(99), Detail: "of a kind this code does not know"},
}

func (w world) key(user, id string, active bool) dialect.Key {
	if user == "" {
		user = alice
	}
	return dialect.Key{UserID: user, UserName: "alice", AccessKeyID: id, Active: active, Description: "rotate <me> & \"soon\"", CreatedAt: born}
}

func (w world) Create(_ context.Context, of dialect.Owner, description string) (dialect.CreatedKey, error) {
	k := dialect.CreatedKey{Key: w.key(of.ID, "KLAK0000000000000001", true), Secret: "kls_made-for-the-transcript"}
	k.Description = description
	if of.ID == "2" {
		k.Secret = ""
	}
	return k, worldFaults[of.ID]
}

func (w world) List(_ context.Context, of dialect.Owner, cursor string, limit int) (dialect.Page, error) {
	all := []dialect.Key{w.key(of.ID, "KLAK0000000000000001", true), w.key(of.ID, "KLAK0000000000000002", false)}
	switch {
	case of.ID == "0":
		return dialect.Page{}, nil
	case cursor == "m/2+=":
		return dialect.Page{Keys: all[1:]}, nil
	case cursor != "":
		return dialect.Page{}, &dialect.Fault{Kind: dialect.Invalid, Detail: "the cursor is not one of this list"}
	case limit == 1 || of.ID == "3":
		return dialect.Page{Keys: all[:1], Next: "m/2+="}, nil
	}
	return dialect.Page{Keys: all}, worldFaults[of.ID]
}

func (w world) Show(_ context.Context, of dialect.Owner, id string) (dialect.Key, error) {
	return w.key(of.ID, id, id != "KLAK0000000000000002"), worldFaults[id]
}

func (w world) SetStatus(_ context.Context, _ dialect.Owner, id string, _ bool) error {
	return worldFaults[id]
}

func (w world) Update(_ context.Context, _ dialect.Owner, id string, _ dialect.Change) error {
	return worldFaults[id]
}

func (w world) Delete(_ context.Context, _ dialect.Owner, id string) error { return worldFaults[id] }

func (w world) LastUsed(_ context.Context, _ dialect.Owner, id string) (dialect.LastUse, error) {
	if id == "KLAK0000000000000002" {
		return dialect.LastUse{UserName: "alice"}, nil
	}
	return dialect.LastUse{UserName: "alice", Time: born.Add(time.Hour)}, nil
}

func (world) Caller(context.Context) dialect.Identity {
	return dialect.Identity{Account: "123456789012", UserID: alice, UserName: "alice"}
}

// sign signs r by SDK-HMAC-SHA256 as the SDK for Go does.
func sign(t testing.TB, r *dialect.Request, key, secret string) {
	t.Helper()
	set("X-Sdk-Date", signedAt.Format("20060102T150405Z"))(r)
	set("Authorization", "SDK-HMAC-SHA256 Access="+key+", SignedHeaders=x-sdk-date, Signature="+strings.Repeat("0", 64))(r)
	resign(t, r, secret)
}

// resign puts a right signature into a request that carries a wrong one.
func resign(t testing.TB, r *dialect.Request, secret string) {
	t.Helper()
	claims, err := dialect.Read(r, huawei.Dialect().Schemes)
	if err != nil {
		t.Fatal(err)
	}
	old, good := hex.EncodeToString(claims[0].Signature), hex.EncodeToString(claims[0].MAC([]byte(secret)))
	set("Authorization", strings.Replace(r.Get("Authorization"), old, good, 1))(r)
}

func set(name, value string) func(*dialect.Request) {
	return func(r *dialect.Request) {
		drop(name)(r)
		add(name, value)(r)
	}
}

func add(name, value string) func(*dialect.Request) {
	return func(r *dialect.Request) { r.Header = append(r.Header, dialect.Field{Name: name, Value: value}) }
}

func drop(name string) func(*dialect.Request) {
	return func(r *dialect.Request) {
		kept := r.Header[:0]
		for _, f := range r.Header {
			if !strings.EqualFold(f.Name, name) {
				kept = append(kept, f)
			}
		}
		r.Header = kept
	}
}

// serve does what a server does with a request, at the time the transcripts
// are of.
func serve(w http.ResponseWriter, r *dialect.Request, state string, now time.Time) dialect.Outcome {
	const id = "0198-request"
	claims, err := dialect.Read(r, huawei.Dialect().Schemes)
	if err != nil {
		return front.Refuse(w, r, id, err)
	}
	if claims[0].AccessKeyID != testKey {
		return front.Refuse(w, r, id, dialect.ErrUnknownKey)
	}
	if _, err := dialect.CheckAny(claims, []byte(testSecret), now); err != nil {
		return front.Refuse(w, r, id, err)
	}
	switch state {
	case "disabled":
		return front.Refuse(w, r, id, dialect.ErrKeyDisabled)
	case "restricted":
		return front.Refuse(w, r, id, dialect.ErrKeyRestricted)
	case "locked":
		return front.Refuse(w, r, id, dialect.ErrKeyLocked)
	case "network":
		return front.Refuse(w, r, id, &dialect.NetworkError{Key: true})
	}
	if err := front.CheckScope(r, claims[0]); err != nil {
		return front.Refuse(w, r, id, err)
	}
	return front.Answer(context.Background(), w, r, id, world{})
}

// A transcript is a request, a line of dashes, and the response. The request
// is signed by the test unless its comments say otherwise:
//
//	# unsigned          leave it as it is
//	# key ID            sign as another key
//	# secret            sign with another secret
//	# state WORD        disabled, restricted, locked or network: what the ledger says of the key
//	# later DURATION    receive it that much later
//	# body TEXT         send another body than was signed
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
	notes := map[string]string{}
	for strings.HasPrefix(text, "#") {
		note, rest, _ := strings.Cut(text, "\n")
		word, argument, _ := strings.Cut(strings.TrimPrefix(note, "# "), " ")
		notes[word], text = argument, rest
	}
	head, body, _ := strings.Cut(text, "\n\n")
	body = strings.TrimSuffix(body, "\n")
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(strings.TrimSuffix(head, "\n"), "\n", "\r\n") + "\r\n\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	r := dialect.FromHTTP(req, []byte(body))
	now := prepare(t, r, notes)
	if !front.Recognise(r) {
		return "not recognised\n"
	}
	w := httptest.NewRecorder()
	outcome := serve(w, r, notes["state"], now)
	response := w.Result()
	if length := response.Header.Get("Content-Length"); outcome.Status != w.Code || w.Code != 204 && length != fmt.Sprint(w.Body.Len()) {
		t.Errorf("got length %s of %d, outcome %+v", length, w.Body.Len(), outcome)
	}
	dump, err := httputil.DumpResponse(response, true)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimRight(strings.ReplaceAll(string(dump), "\r\n", "\n"), "\n") + "\n"
}

// prepare follows the notes.
func prepare(t *testing.T, r *dialect.Request, notes map[string]string) time.Time {
	t.Helper()
	key, secret := testKey, testSecret
	if other, ok := notes["key"]; ok {
		key = other
	}
	if _, ok := notes["secret"]; ok {
		secret += "x"
	}
	if _, ok := notes["unsigned"]; !ok {
		sign(t, r, key, secret)
	}
	if body, ok := notes["body"]; ok {
		r.Body = []byte(body)
	}
	later, err := time.ParseDuration(notes["later"] + "0s")
	if err != nil {
		t.Fatal(err)
	}
	return signedAt.Add(later)
}

func TestRecognise(t *testing.T) {
	sdk := add("Authorization", "SDK-HMAC-SHA256 Access=A")
	for _, c := range []struct {
		method, target string
		change         func(*dialect.Request)
		want           bool
	}{
		{"POST", "/v3.0/OS-CREDENTIAL/credentials", nil, true},
		{"PATCH", "/v3.0/OS-CREDENTIAL/credentials/X?a=b", nil, true},
		{"GET", "/v3.0/OS-CREDENTIAL/credentials/", nil, false},
		{"GET", "/v3.0/OS-CREDENTIAL/credentials/a/b", nil, false},
		{"GET", "/v5/users/1/access-keys", nil, true},
		{"GET", "/v5/users//access-keys", nil, false},
		{"GET", "/v5/users/1/access-keys/X/last-used", nil, true},
		{"GET", "/v3/auth/domains", nil, true},
		{"GET", "/", nil, false},
		{"GET", "/", sdk, true},
		{"GET", "/v3/projects?name=x", add("Authorization", "V11-HMAC-SHA256 Credential=A"), true},
		{"GET", "/v3/projects", add("Authorization", "AWS4-HMAC-SHA256 Credential=A"), false},
		{"GET", "/v1/keys", sdk, false},
		{"GET", "/v1", sdk, false},
		{"GET", "/v10/keys", sdk, true},
	} {
		r := &dialect.Request{Method: c.method, Target: c.target}
		if c.change != nil {
			c.change(r)
		}
		if got := front.Recognise(r); got != c.want {
			t.Errorf("%s %s: got %t", c.method, c.target, got)
		}
	}
}

func TestCheckScope(t *testing.T) {
	all := dialect.Method | dialect.Path | dialect.Query | dialect.Body
	for _, c := range []struct {
		claim dialect.Claim
		want  string
	}{
		{dialect.Claim{Covers: all}, ""},
		{dialect.Claim{Covers: all, Service: "iam"}, ""},
		{dialect.Claim{Covers: all, Service: "ecs"}, huawei.CodeScopeService},
		{dialect.Claim{Covers: all, Presigned: true}, huawei.CodePresigned},
		{dialect.Claim{Covers: all &^ dialect.Body}, huawei.CodePayloadUnsigned},
		{dialect.Claim{Covers: all &^ dialect.Query}, huawei.CodePayloadUnsigned},
	} {
		got := ""
		if bad, ok := errors.AsType[*dialect.MalformedError](front.CheckScope(&dialect.Request{}, c.claim)); ok {
			got = bad.Code
		}
		if got != c.want {
			t.Errorf("%+v: got %q, want %q", c.claim, got, c.want)
		}
	}
}

// The captured requests of real clients get past the front as they should.
func TestFrontReadsRealClients(t *testing.T) {
	want := map[string]string{
		"iam3-create": "", "iam3-create-empty-desc": "IAM.0072", "iam3-list-nouser": "", "iam3-list-empty-user": "",
		"iam3-list-odd-user": "IAM.0004", "iam3-show-odd-path": "IAM.0004", "iam3-update-inactive": "", "iam3-delete": "",
		"iam5-create": "", "iam5-list-page": "PAP5.0010", "iam5-update": "", "iam5-delete": "", "derived-create": "", "derived-delete": "",
		"node-iam3-create": "", "node-iam3-list-empty": "", "node-iam3-show": "", "node-iam3-delete": "",
	}
	for _, v := range dialecttest.Load(t, "testdata/vectors") {
		code, listed := want[v.Name]
		if !listed {
			continue
		}
		r := v.Request()
		claims, err := dialect.Read(r, huawei.Dialect().Schemes)
		if err != nil || !front.Recognise(r) || front.CheckScope(r, claims[0]) != nil {
			t.Errorf("%s: not taken for a request of this API (%v)", v.Name, err)
			continue
		}
		if got := front.Answer(t.Context(), httptest.NewRecorder(), r, "1", world{}); got.Code != code || got.Action != front.Action(r) || got.Action == "" {
			t.Errorf("%s: got %+v, want code %q", v.Name, got, code)
		}
		delete(want, v.Name)
	}
	if len(want) > 0 {
		t.Errorf("not in the vectors: %v", want)
	}
}

func TestNothingIsInvented(t *testing.T) {
	if got := front.Identity(&dialect.Request{}); got != "" {
		t.Errorf("got the identity %q", got)
	}
	if got := front.Action(&dialect.Request{Method: "PATCH", Target: "/v3/auth/domains"}); got != "" {
		t.Errorf("got the action %q", got)
	}
}

// FuzzAnswer: whatever is asked, there is one answer that is as long as it says.
func FuzzAnswer(f *testing.F) {
	for _, v := range dialecttest.Load(f, "testdata/vectors") {
		f.Add(v.Method, v.RequestTarget, v.Body)
	}
	f.Add("PUT", "/v3.0/OS-CREDENTIAL/credentials/KLAK0000000000000001", []byte(`{"credential":{"status":"\ud800","description":null}}`))
	f.Fuzz(func(t *testing.T, method, target string, body []byte) {
		r := &dialect.Request{Method: method, Target: target, Body: body}
		_ = front.Recognise(r)
		w := httptest.NewRecorder()
		out := front.Answer(t.Context(), w, r, "1", world{})
		if out.Status != w.Code || w.Code == 500 && !strings.HasPrefix(target, "/v") || out.Code == "" != (w.Code < 300) {
			t.Fatalf("got %d, %+v", w.Code, out)
		}
		if bytes.Contains(w.Body.Bytes(), []byte("secret path")) {
			t.Fatalf("shows what is inside: %s", w.Body)
		}
	})
}
