package aws_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/aws"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
)

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
		return dialect.Page{}, &dialect.Fault{Kind: dialect.Invalid, Detail: "the cursor does not belong to this list: use next_cursor of the same query, or none"}
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
	claims, err := aws.SigV4{}.Read(r, new(dialect.Scratch))
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

// TestFront plays the transcripts. Their own word is
//
//	# service NAME      scope the signature to another service than iam
func TestFront(t *testing.T) {
	dialecttest.Transcripts{
		Front: front, Key: testKey, Secret: testSecret, SignedAt: signedAt,
		Sign: func(_ testing.TB, req *http.Request, body []byte, n dialecttest.Notes) *dialect.Request {
			aws.Sign(req, body, n.Key, n.Secret, cmp.Or(n.Said["service"], "iam"), "us-east-1", signedAt)
			return dialect.FromHTTP(req, body)
		},
		Serve: func(w http.ResponseWriter, r *dialect.Request, n dialecttest.Notes) dialect.Outcome {
			return serve(w, r, n.Now)
		},
	}.Run(t)
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
		claims, err := aws.SigV4{}.Read(r, new(dialect.Scratch))
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
