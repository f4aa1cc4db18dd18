package alibaba_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/alibaba"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
)

// world is a ledger as small as it can be: the user's name says what happens.
type world struct{ dialect.Keys }

// front is the one under test.
var front = alibaba.Front{}

var worldFaults = map[string]*dialect.Fault{
	"nobody":      {Kind: dialect.NoUser, Detail: "The user with name nobody cannot be found."},
	"full":        {Kind: dialect.Limit, Detail: "the user's quota of keys, active or disabled, is full (2 of 2); delete one first"},
	"crowded":     {Kind: dialect.BinFull},
	"stranger":    {Kind: dialect.Denied},
	"strict":      {Kind: dialect.Conflict},
	"odd":         {Kind: dialect.Invalid},
	"reused":      {Kind: dialect.Reused},
	"slow":        {Kind: dialect.Unknown},
	"down":        {Kind: dialect.Unavailable},
	"broken":      {Kind: dialect.Internal, Detail: "pebble: /var/lib/secret path"},
	"from-future": {Kind: dialect.Kind(99), Detail: "of a kind this code does not know"},
}

func (world) fault(of dialect.Owner) error {
	switch f := worldFaults[of.Name]; {
	case f != nil:
		return f
	case of.Name == "timeout":
		return fmt.Errorf("append: %w", context.DeadlineExceeded)
	case of.Name == "plain":
		return errors.New("journal: /var/lib/secret path")
	}
	return nil
}

var born = time.Date(2026, 11, 22, 5, 30, 0, 987, time.FixedZone("", 3600))

func key(n int, active bool) dialect.Key {
	return dialect.Key{UserName: "alice", AccessKeyID: fmt.Sprintf("KLAK%016d", n), Active: active, CreatedAt: born, ChangedAt: born.Add(time.Hour)}
}

func (w world) Create(_ context.Context, of dialect.Owner, _ string) (dialect.CreatedKey, error) {
	k := dialect.CreatedKey{Key: key(1, true), Secret: "kls_made-for-the-transcript"}
	if of.Name == "twice" {
		k.Secret = ""
	}
	return k, w.fault(of)
}

// List has two keys, a page each.
func (w world) List(_ context.Context, of dialect.Owner, cursor string, _ int) (dialect.Page, error) {
	switch {
	case of.Name == "empty":
		return dialect.Page{}, nil
	case cursor == "second":
		return dialect.Page{Keys: []dialect.Key{key(2, false)}}, nil
	}
	return dialect.Page{Keys: []dialect.Key{key(1, true)}, Next: "second"}, w.fault(of)
}

func (w world) SetStatus(_ context.Context, of dialect.Owner, id string, _ bool) error {
	return w.oneKey(of, id)
}
func (w world) Delete(_ context.Context, of dialect.Owner, id string) error  { return w.oneKey(of, id) }
func (w world) Restore(_ context.Context, of dialect.Owner, id string) error { return w.oneKey(of, id) }
func (w world) Purge(_ context.Context, of dialect.Owner, id string) error   { return w.oneKey(of, id) }

func (w world) oneKey(of dialect.Owner, id string) error {
	if id == "KLAK0000000000000404" {
		return &dialect.Fault{Kind: dialect.NotFound, Detail: "The Access Key with id " + id + " cannot be found."}
	}
	return w.fault(of)
}

func (w world) LastUsed(_ context.Context, of dialect.Owner, id string) (dialect.LastUse, error) {
	if id == "KLAK0000000000000002" {
		return dialect.LastUse{UserName: "alice"}, nil
	}
	return dialect.LastUse{UserName: "alice", Time: time.Date(2026, 11, 21, 23, 59, 58, 0, time.UTC), Service: "Ram"}, w.oneKey(of, id)
}

func binned(n int) dialect.BinnedKey {
	return dialect.BinnedKey{
		UserID: "234567890123456789", UserName: "alice", AccessKeyID: fmt.Sprintf("KLAK%016d", n),
		CreatedAt: born, DeletedAt: born.Add(time.Hour), PurgeAt: born.Add(721 * time.Hour),
	}
}

func (w world) Bin(_ context.Context, of dialect.Owner, cursor string, _ int) (dialect.BinPage, error) {
	switch {
	case of.ID == "300000000000000000":
		return dialect.BinPage{}, nil
	case cursor == "second":
		return dialect.BinPage{Keys: []dialect.BinnedKey{binned(2)}}, nil
	}
	return dialect.BinPage{Keys: []dialect.BinnedKey{binned(1)}, Next: "second"}, w.fault(of)
}

func (w world) Binned(_ context.Context, of dialect.Owner, id string) (dialect.BinnedKey, error) {
	return binned(1), w.oneKey(of, id)
}

var network = dialect.NetworkPolicy{Active: true, Statements: []dialect.NetworkStatement{
	{Addresses: []string{"203.0.113.0/24", "2001:db8::/32"}}, {VPC: "vpc-1", Addresses: []string{"10.0.0.0/8"}}, {VPC: dialect.AnyVPC, Addresses: []string{"10.0.0.0/8"}},
}}

func (w world) NetworkPolicy(_ context.Context, of dialect.Owner, id string) (dialect.NetworkPolicy, error) {
	if id == "KLAK0000000000000002" {
		return dialect.NetworkPolicy{}, nil
	}
	return network, w.oneKey(of, id)
}
func (w world) AccountNetworkPolicy(context.Context) (dialect.NetworkPolicy, error) {
	return network, nil
}
func (w world) SetNetworkPolicy(_ context.Context, of dialect.Owner, id string, p dialect.NetworkPolicy) error {
	if id == "KLAK0000000000000001" && fmt.Sprint(p) != fmt.Sprint(network) {
		return fmt.Errorf("got %v, want %v", p, network)
	}
	return w.oneKey(of, id)
}
func (w world) SetAccountNetworkPolicy(context.Context, dialect.NetworkPolicy) error {
	return &dialect.Fault{Kind: dialect.Invalid, Detail: "the policy does not allow the address that this request came from"}
}

func (world) Quota(context.Context) (int, error) { return 2, nil }

func (world) Caller(context.Context) dialect.Identity {
	return dialect.Identity{Account: "123456789012", UserID: "234567890123456789", UserName: "alice"}
}

// serve does what a server does with a request, at the time the transcripts
// are of. The keys with other IDs than the tests' are refused as their names say.
func serve(w http.ResponseWriter, r *dialect.Request, now time.Time) dialect.Outcome {
	const id = "0198a0de-4f5a-7d4c-8d6b-0a1b2c3d4e5f"
	claims, err := dialect.Read(r, alibaba.Dialect().Schemes)
	if err != nil {
		return front.Refuse(w, r, id, err)
	}
	held, err := dialect.CheckAny(claims, []byte(testSecret), now)
	if claims[0].AccessKeyID == "unknown" {
		err = dialect.ErrUnknownKey
	}
	if err != nil {
		return front.Refuse(w, r, id, err)
	}
	switch held.AccessKeyID {
	case "disabled":
		return front.Refuse(w, r, id, dialect.ErrKeyDisabled)
	case "restricted":
		return front.Refuse(w, r, id, dialect.ErrKeyRestricted)
	case "elsewhere":
		return front.Refuse(w, r, id, &dialect.NetworkError{Key: true})
	case "abroad":
		return front.Refuse(w, r, id, &dialect.NetworkError{})
	case "again":
		return front.Refuse(w, r, id, &dialect.RefusedError{Reason: dialect.Replayed})
	}
	if err := front.CheckScope(r, *held); err != nil {
		return front.Refuse(w, r, id, err)
	}
	return front.Answer(context.Background(), w, r, id, world{})
}

// TestFront plays the transcripts. A request is signed by ACS3 if it has an x-acs-action header, else by the RPC
// signature; their own word is
//
//	# rpc               sign it by the RPC signature all the same
func TestFront(t *testing.T) {
	dialecttest.Transcripts{
		Front: front, Key: testKey, Secret: testSecret, SignedAt: signedAt,
		Sign: func(t testing.TB, req *http.Request, body []byte, n dialecttest.Notes) *dialect.Request {
			r := dialect.FromHTTP(req, body)
			if r.Get("x-acs-action") != "" && !n.Has("rpc") {
				signACS3(t, r, n.Key, n.Secret)
			} else {
				signRPC(t, r, n.Key, n.Secret)
			}
			return r
		},
		Serve: func(w http.ResponseWriter, r *dialect.Request, n dialecttest.Notes) dialect.Outcome {
			return serve(w, r, n.Now)
		},
	}.Run(t)
}

func TestRecognise(t *testing.T) {
	form := dialect.Field{Name: "Content-Type", Value: "application/x-www-form-urlencoded; charset=utf-8"}
	for _, c := range []struct {
		method, target, body string
		header               []dialect.Field
		want                 bool
	}{
		{"POST", "/?UserName=alice", "", []dialect.Field{{Name: "Authorization", Value: "ACS3-HMAC-SHA256 x"}}, true},
		{"POST", "/", "", []dialect.Field{{Name: "authorization", Value: "ACS3-RSA-SHA256 x"}}, true},
		{"POST", "/v1/keys", "", []dialect.Field{{Name: "Authorization", Value: "ACS3-HMAC-SHA256 x"}}, false},
		{"PUT", "/", "", []dialect.Field{{Name: "Authorization", Value: "ACS3-HMAC-SHA256 x"}}, true},
		{"POST", "/ram", "", []dialect.Field{{Name: "Authorization", Value: "ACS3-HMAC-SHA256 x"}}, true},
		{"GET", "/ram?AccessKeyId=a&SignatureVersion=1.0", "", nil, true},
		{"GET", "/v1/keys?AccessKeyId=a&SignatureVersion=1.0", "", nil, false},
		{"GET", "/ram?Action=CreateAccessKey&Version=2015-05-01", "", nil, false}, // not signed, so it could be anybody's
		{"GET", "/?AccessKeyId=a&SignatureVersion=1.0", "", nil, true},
		{"POST", "/", "AccessKeyId=a&SignatureVersion=1.0", []dialect.Field{form}, true},
		{"POST", "/?AccessKeyId=a", "SignatureVersion=1.0", []dialect.Field{form}, true},
		{"POST", "/", "AccessKeyId=a&SignatureVersion=1.0", nil, false}, // not a form, so that nothing of it is a parameter
		{"GET", "/?AWSAccessKeyId=a&SignatureVersion=2", "", nil, false},
		{"GET", "/?SecretId=a&Nonce=1&Signature=x", "", nil, false},
		{"GET", "/?Action=CreateAccessKey&Version=2015-05-01", "", nil, true},
		{"POST", "/", "Action=CreateAccessKey&Version=2019-08-15", []dialect.Field{form}, true},
		{"POST", "/", "", []dialect.Field{{Name: "x-acs-action", Value: "CreateAccessKey"}, {Name: "x-acs-version", Value: "2015-05-01"}}, true},
		{"POST", "/", "", []dialect.Field{{Name: "x-acs-action", Value: "RunInstances"}, {Name: "x-acs-version", Value: "2014-05-26"}}, false},
		{"GET", "/?Action=CreateAccessKey&Version=2015-05-01", "", []dialect.Field{{Name: "Authorization", Value: "AWS4-HMAC-SHA256 x"}}, false},
		{"GET", "/?Action=CreateAccessKey&Version=2010-05-08", "", nil, false},
		{"GET", "/", "", nil, false},
	} {
		r := &dialect.Request{Method: c.method, Target: c.target, Body: []byte(c.body), Header: c.header}
		if got := front.Recognise(r); got != c.want {
			t.Errorf("%s %s %s %v: got %t", c.method, c.target, c.body, c.header, got)
		}
	}
}

// TestIdentity: the nonce, where it is signed; what a header says of an RPC request is not.
func TestIdentity(t *testing.T) {
	r := &dialect.Request{Method: "POST", Target: "/?UserName=alice", Header: []dialect.Field{{Name: "Host", Value: "x"}, {Name: "x-acs-action", Value: "ListAccessKeys"}, {Name: "x-acs-version", Value: "2015-05-01"}}}
	byParameters := *r
	byParameters.Header = slices.Clone(r.Header)
	add(&byParameters, "x-acs-signature-nonce", "of-a-proxy")
	signRPC(t, &byParameters, testKey, testSecret)
	signACS3(t, r, testKey, testSecret)
	for _, one := range []*dialect.Request{r, &byParameters} {
		if got := front.Identity(one); got != testNonce {
			t.Errorf("got %q, want the nonce", got)
		}
		claims, err := dialect.Read(one, alibaba.Dialect().Schemes)
		if err != nil || claims[0].Nonce != testNonce {
			t.Errorf("got %+v, %v, want the nonce", claims, err)
		}
	}
	for _, nonce := range []string{"", "a b", "\x00", strings.Repeat("a", 129)} {
		odd := &dialect.Request{Header: []dialect.Field{{Name: "Authorization", Value: "ACS3-HMAC-SHA256 x"}, {Name: "x-acs-signature-nonce", Value: nonce}}}
		if got := front.Identity(odd); got != "" {
			t.Errorf("%q: got %q", nonce, got)
		}
	}
}

func TestParametersAreBounded(t *testing.T) {
	r := &dialect.Request{Method: "POST", Target: "/", Host: "x", Header: []dialect.Field{
		{Name: "Host", Value: "x"}, {Name: "x-acs-action", Value: "ListAccessKeys"}, {Name: "x-acs-version", Value: "2015-05-01"}, {Name: "Content-Type", Value: "application/x-www-form-urlencoded"},
	}, Body: []byte("a=" + strings.Repeat("a", 65536))}
	signACS3(t, r, testKey, testSecret)
	w := httptest.NewRecorder()
	if got := serve(w, r, signedAt); got.Code != "RequestEntityTooLarge" || w.Code != 413 {
		t.Errorf("got %+v", got)
	}
}

// The captured requests of real clients get past the front as they should.
func TestFrontReadsRealClients(t *testing.T) {
	want := map[string]string{ // where it is not "", the user or the key has an odd name
		"node-ims-v3-generic-get-odd": "InvalidParameter.UserPrincipalName.InvalidChars", "node-ram-v1-openapi-core-create": "InvalidParameter.UserName.InvalidChars",
		"gov3-ims-generic-form-odd": "InvalidParameter.UserPrincipalName.InvalidChars", "go-ims-v1-common-list-recycle": "", "node-ims-v3-generic-json-body": "",
	}
	seen := 0
	for _, v := range dialecttest.Load(t, "testdata/vectors") {
		if !v.Valid {
			continue
		}
		r := v.Request()
		claims, err := dialect.Read(r, alibaba.Dialect().Schemes)
		if err != nil || !front.Recognise(r) || front.CheckScope(r, claims[0]) != nil {
			t.Errorf("%s: not taken for a request of this API (%v)", v.Name, err)
			continue
		}
		code, listed := want[v.Name]
		got := front.Answer(t.Context(), httptest.NewRecorder(), r, "1", world{})
		if listed && got.Code != code || strings.HasPrefix(got.Code, "InvalidAction") || got.Status >= 500 || got.Code == "InvalidVersion" || got.Code == "MissingParameter" {
			t.Errorf("%s: got %+v, want code %q", v.Name, got, code)
		}
		seen++
	}
	if seen < 40 {
		t.Errorf("%d captured requests were looked at", seen)
	}
}
