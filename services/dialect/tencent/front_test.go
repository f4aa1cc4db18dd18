package tencent_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
	"github.com/keyledger/keyledger/services/dialect/tencent"
)

var front = tencent.Front{}

// world is a ledger as small as it can be: the user's ID says what happens.
type world struct{ dialect.Keys }

const (
	bob     = "200000000000000001"
	empty   = "200000000000000002"
	many    = "200000000000000003"
	twice   = "200000000000000004"
	slow    = "200000000000000005"
	leaking = "200000000000000006"
)

var worldFaults = map[string]error{
	"300000000000000001": &dialect.Fault{Kind: dialect.NoUser, Detail: "The user with ID 300000000000000001 cannot be found."},
	"300000000000000002": &dialect.Fault{Kind: dialect.Limit, Detail: "a user may have 2 keys"},
	"300000000000000003": &dialect.Fault{Kind: dialect.Denied},
	"300000000000000004": &dialect.Fault{Kind: dialect.Conflict},
	"300000000000000005": &dialect.Fault{Kind: dialect.Invalid, Detail: "a description has at most 256 characters"},
	"300000000000000006": &dialect.Fault{Kind: dialect.Reused},
	"300000000000000007": &dialect.Fault{Kind: dialect.Unknown},
	"300000000000000008": &dialect.Fault{Kind: dialect.Unavailable},
	"300000000000000009": &dialect.Fault{Kind: dialect.Internal, Detail: "pebble: /var/lib/secret path"},
	"300000000000000010": &dialect.Fault{Kind: dialect.BinFull},
	slow:                 fmt.Errorf("append: %w", context.DeadlineExceeded),
	leaking:              errors.New("journal: /var/lib/secret path"),
}

var born = time.Date(2026, 11, 22, 5, 30, 0, 987, time.FixedZone("", 3600))

func key(n int, active bool) dialect.Key {
	return dialect.Key{UserID: bob, UserName: "bob", AccessKeyID: fmt.Sprintf("KLAK%016d", n), Active: active, Description: "build<&>", CreatedAt: born}
}

func (world) Create(_ context.Context, of dialect.Owner, description string) (dialect.CreatedKey, error) {
	k := dialect.CreatedKey{Key: key(1, true), Secret: "kls_made-for-the-transcript"}
	k.Description = description
	if of.ID == twice {
		k.Secret = ""
	}
	return k, worldFaults[of.ID]
}

func (world) List(_ context.Context, of dialect.Owner, cursor string, limit int) (dialect.Page, error) {
	switch {
	case limit != 1000:
		return dialect.Page{}, errors.New("another page size")
	case of.ID == empty:
		return dialect.Page{}, nil
	case of.ID == many && cursor == "":
		return dialect.Page{Keys: []dialect.Key{key(1, true)}, Next: "more"}, nil
	case of.ID == many && cursor == "more":
		return dialect.Page{Keys: []dialect.Key{key(2, true)}}, nil
	}
	return dialect.Page{Keys: []dialect.Key{key(1, true), key(2, false)}}, worldFaults[of.ID]
}

func (w world) SetStatus(_ context.Context, of dialect.Owner, id string, _ bool) error {
	return w.oneKey(of, id)
}
func (w world) Delete(_ context.Context, of dialect.Owner, id string) error { return w.oneKey(of, id) }

func (world) oneKey(of dialect.Owner, id string) error {
	if id == "KLAK0000000000000404" {
		return &dialect.Fault{Kind: dialect.NotFound, Detail: "The Access Key with id " + id + " cannot be found."}
	}
	return worldFaults[of.ID]
}

func (world) LastUsed(_ context.Context, _ dialect.Owner, id string) (dialect.LastUse, error) {
	switch id {
	case "KLAK0000000000000001":
		return dialect.LastUse{UserName: "bob", Time: time.Date(2026, 11, 21, 23, 59, 58, 5e6, time.UTC)}, nil
	case "KLAK0000000000000002":
		return dialect.LastUse{UserName: "bob"}, nil
	case "KLAK0000000000000500":
		return dialect.LastUse{}, &dialect.Fault{Kind: dialect.Unavailable}
	}
	return dialect.LastUse{}, &dialect.Fault{Kind: dialect.NotFound}
}

// serve does what a server does with a request, at the time the transcripts are of.
func serve(w http.ResponseWriter, r *dialect.Request, now time.Time) dialect.Outcome {
	const id = "0198aaaa-0000-7000-8000-000000000001"
	claims, err := dialect.Read(r, schemes)
	if err != nil {
		return front.Refuse(w, r, id, err)
	}
	if claims[0].AccessKeyID != testKey || claims[0].SessionToken != "" {
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

// TestFront plays the transcripts. A request is signed by TC3; their own word is
//
//	# v1                sign it by v1: the body or the query is the form before
func TestFront(t *testing.T) {
	dialecttest.Transcripts{
		Front: front, Key: testKey, Secret: testSecret, SignedAt: signedAt, Sign: signTranscript,
		Serve: func(w http.ResponseWriter, r *dialect.Request, n dialecttest.Notes) dialect.Outcome {
			return serve(w, r, n.Now)
		},
		Failed: func(body string) bool { return strings.Contains(body, `"Error"`) },
	}.Run(t)
}

func signTranscript(t testing.TB, req *http.Request, body []byte, n dialecttest.Notes) *dialect.Request {
	t.Helper()
	r := dialect.FromHTTP(req, body)
	if !n.Has("v1") {
		signTC3(r, n.Key, n.Secret, signedAt)
		return r
	}
	text := r.Query()
	if r.Method == "POST" {
		text = string(r.Body)
	}
	form, err := url.ParseQuery(text)
	if err != nil {
		t.Fatal(err)
	}
	text = signV1(r.Method, r.Host, r.Path(), form, n.Key, n.Secret, signedAt)
	if r.Method == "POST" {
		r.Body = []byte(text)
	} else {
		r.Target = r.Path() + "?" + text
	}
	return r
}

func TestRecognise(t *testing.T) {
	form := "application/x-www-form-urlencoded"
	for _, c := range []struct {
		name, method, target, body string
		header                     []string
		want                       bool
	}{
		{"TC3", "POST", "/", "{}", []string{"Authorization", "TC3-HMAC-SHA256 x"}, true},
		{"TC3, by another method", "PUT", "/", "", []string{"Authorization", "TC3-HMAC-SHA256 x"}, true},
		{"TC3 and another", "POST", "/", "{}", []string{"Authorization", "Bearer x", "Authorization", "TC3-HMAC-SHA256 x"}, true},
		{"TC3, elsewhere", "GET", "/v1/keys", "", []string{"Authorization", "TC3-HMAC-SHA256 x"}, false},
		{"TC3, at another path", "POST", "/cam", "{}", []string{"Authorization", "TC3-HMAC-SHA256 x"}, true},
		{"v1, at another path", "GET", "/cam?SecretId=a&Nonce=1", "", nil, true},
		{"unsigned, at another path", "POST", "/cam", "{}", []string{"x-tc-action", "ListAccessKeys"}, false},
		{"unsigned", "POST", "/", "{}", []string{"x-tc-action", "ListAccessKeys"}, true},
		{"signed another way", "POST", "/", "{}", []string{"X-TC-Action", "ListAccessKeys", "Authorization", "AWS4-HMAC-SHA256 x"}, false},
		{"v1", "GET", "/?SecretId=a&Nonce=1", "", nil, true},
		{"v1 without a nonce", "GET", "/?SecretId=a&Signature=1", "", nil, true},
		{"v1, elsewhere", "GET", "/v1/keys?SecretId=a&Nonce=1", "", nil, false},
		{"v1 by form", "POST", "/", "SecretId=a&Nonce=1", []string{"Content-Type", form}, true},
		{"no form", "POST", "/", "SecretId=a&Nonce=1", []string{"Content-Type", "text/plain"}, false},
		{"another vendor's parameters", "GET", "/?AccessKeyId=a&SignatureNonce=1&Signature=x&SignatureVersion=1.0", "", nil, false},
		{"unsigned, by query", "GET", "/?Action=ListAccessKeys&Version=2019-01-16", "", nil, true},
		{"unsigned, by form", "POST", "/", "Version=2019-01-16&Action=ListAccessKeys", []string{"Content-Type", form}, true},
		{"another API's version", "GET", "/?Action=ListAccessKeys&Version=2010-05-08", "", nil, false},
		{"a version alone", "GET", "/?Version=2019-01-16", "", nil, false},
		{"by form, signed another way", "GET", "/?Action=ListAccessKeys&Version=2019-01-16", "", []string{"Authorization", "AWS4-HMAC-SHA256 x"}, false},
		{"a secret's ID alone", "GET", "/?SecretId=a", "", nil, false},
		{"nothing", "GET", "/", "", nil, false},
	} {
		r := &dialect.Request{Method: c.method, Target: c.target, Body: []byte(c.body)}
		for i := 0; i < len(c.header); i += 2 {
			add(c.header[i], c.header[i+1])(r)
		}
		if got := front.Recognise(r); got != c.want {
			t.Errorf("%s: got %t", c.name, got)
		}
	}
}

// TestCheckScope: what another vendor's scheme reads is not taken for this vendor's.
func TestCheckScope(t *testing.T) {
	all := dialect.Method | dialect.Path | dialect.Query | dialect.Body
	for _, c := range []struct {
		scheme string
		covers dialect.Parts
		want   string
	}{
		{"TC3-HMAC-SHA256", all, ""}, {"TC-V1-HmacSHA1", all, ""}, {"TC-V1-HmacSHA256", all, ""},
		{"AWS4-HMAC-SHA256", all, tencent.CodeScheme}, {"TC3-HMAC-SHA256", all &^ dialect.Body, tencent.CodeBodyUnsigned},
	} {
		err := front.CheckScope(nil, dialect.Claim{Scheme: c.scheme, Covers: c.covers})
		if bad, _ := errors.AsType[*dialect.MalformedError](err); (err == nil) != (c.want == "") || err != nil && bad.Code != c.want {
			t.Errorf("%s: got %v", c.scheme, err)
		}
	}
}

// TestIdentity: only what has a nonce has an identity.
func TestIdentity(t *testing.T) {
	one, other := genuineV1(nil, nil), genuineV1(func(f url.Values) { f.Set("TargetUin", bob) }, nil)
	if a, b := front.Identity(one), front.Identity(other); len(a) != 44 || a == b || a != front.Identity(one) {
		t.Errorf("got %q and %q", a, b)
	}
	if got := front.Identity(genuine("POST", "/", "{}")); got != "" {
		t.Errorf("TC3: got %q", got)
	}
	bad := genuineV1(nil, func(f url.Values) { f.Set("Signature", "a b") })
	if got := front.Identity(bad); got != "" {
		t.Errorf("with a space: got %q", got)
	}
}

// TestNetworkPolicy: a key that is used from where it may not be.
func TestNetworkPolicy(t *testing.T) {
	for err, want := range map[error]string{&dialect.NetworkError{Key: true}: "IpNotInWhitelist", dialect.ErrKeyDisabled: "AuthFailure.SecretIdNotFound", dialect.ErrKeyRestricted: "AuthFailure.SecretIdNotFound"} {
		if got := front.Refuse(httptest.NewRecorder(), genuine("POST", "/", "{}"), "1", err); got.Code != want || got.Status != 200 {
			t.Errorf("%v: got %+v", err, got)
		}
	}
}

// TestFrontReadsRealClients: the captured requests get past the front as they should.
func TestFrontReadsRealClients(t *testing.T) {
	want := map[string]string{
		"node-v3-post-create-description": "InvalidParameter.ParamError", "go-v3-post-create-description": "UnknownParameter",
		"node-v3-post-lastused": "FailedOperation", "go-v3-post-lastused": "FailedOperation",
		"node-v3-get-odd": "UnknownParameter", "node-v1-sha1-post-odd": "UnknownParameter", "node-v1-sha1-get-odd": "UnknownParameter",
		"node-v1-sha256-post-odd": "UnknownParameter", "node-v1-sha256-get-odd": "UnknownParameter",
	}
	for _, v := range dialecttest.Load(t, "testdata/vectors") {
		if !v.Valid {
			continue
		}
		r := v.Request()
		claims, err := dialect.Read(r, schemes)
		if err != nil || !front.Recognise(r) || front.CheckScope(r, claims[0]) != nil {
			t.Errorf("%s: not taken for a request of this API (%v)", v.Name, err)
			continue
		}
		code := want[v.Name]
		if front.Action(r) == "AddUser" {
			code = "InvalidAction"
		}
		if got := front.Answer(t.Context(), httptest.NewRecorder(), r, "1", world{}); got.Code != code {
			t.Errorf("%s: got %+v, want code %q", v.Name, got, code)
		}
	}
}

// FuzzAnswer: whatever is asked, the answer is one JSON object of this vendor's shape.
func FuzzAnswer(f *testing.F) {
	for _, v := range dialecttest.Load(f, "testdata/vectors") {
		r := v.Request()
		f.Add(r.Method, r.Target, headerText(r), r.Body)
	}
	f.Fuzz(func(t *testing.T, method, target, head string, body []byte) {
		r := &dialect.Request{Method: method, Target: target, Body: body}
		for line := range strings.SplitSeq(head, "\n") {
			name, value, _ := strings.Cut(line, ":")
			add(name, value)(r)
		}
		w := httptest.NewRecorder()
		outcome := front.Answer(t.Context(), w, r, "1", world{})
		if w.Code != 200 || !strings.HasPrefix(w.Body.String(), `{"Response":{`) || outcome.Code == "InternalError" && !bytes.Contains(body, []byte("00000000")) && !strings.Contains(target, "00000000") {
			t.Fatalf("got %+v %s", outcome, w.Body)
		}
	})
}
