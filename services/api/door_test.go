package api_test

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect/aws"
)

// An iam is an answer of the vendor's API, of whatever kind.
type iam struct {
	Status int
	Key    struct {
		UserName, AccessKeyId, Status, SecretAccessKey string
	} `xml:"CreateAccessKeyResult>AccessKey"`
	Keys    []struct{ AccessKeyId, Status string } `xml:"ListAccessKeysResult>AccessKeyMetadata>member"`
	Marker  string                                 `xml:"ListAccessKeysResult>Marker"`
	Arn     string                                 `xml:"GetCallerIdentityResult>Arn"`
	Account string                                 `xml:"GetCallerIdentityResult>Account"`
	Code    string                                 `xml:"Error>Code"`
	Message string                                 `xml:"Error>Message"`
}

// vendor calls an action of the vendor's API; parameters are name and value in turn.
func (c client) vendor(t *testing.T, action, identity string, parameters ...string) iam {
	t.Helper()
	return c.vendorAt(t, time.Now(), action, identity, parameters...)
}

// vendorAt signs the call at a time.
func (c client) vendorAt(t *testing.T, at time.Time, action, identity string, parameters ...string) iam {
	t.Helper()
	form := url.Values{"Action": {action}, "Version": {"2010-05-08"}}
	service := "iam"
	if action == "GetCallerIdentity" {
		form.Set("Version", "2011-06-15")
		service = "sts"
	}
	for i := 0; i < len(parameters); i += 2 {
		form.Set(parameters[i], parameters[i+1])
	}
	body := form.Encode()
	req, err := http.NewRequestWithContext(t.Context(), "POST", c.url+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if identity != "" {
		req.Header.Set("Amz-Sdk-Invocation-Id", identity)
	}
	aws.Sign(req, []byte(body), c.id, c.secret, service, "us-east-1", at)
	return sendVendor(t, req)
}

func sendVendor(t *testing.T, req *http.Request) iam {
	t.Helper()
	res, err := direct.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out iam
	if err := xml.Unmarshal(text, &out); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	out.Status = res.StatusCode
	if out.Key.SecretAccessKey != "" {
		the.keep(out.Key.SecretAccessKey)
	}
	return out
}

func (a iam) refused(t *testing.T, status int, code string) {
	t.Helper()
	if a.Status != status || a.Code != code || len(strings.Fields(a.Message)) < 3 {
		t.Errorf("got %d %s %q, want %d %s", a.Status, a.Code, a.Message, status, code)
	}
}

// TestUnsignedIsAnsweredByItsVendor: who asks a vendor's API for something and signs nothing is
// refused in that vendor's words, however the request names what it wants.
func TestUnsignedIsAnsweredByItsVendor(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	for _, c := range []struct {
		vendor, method, path, body string
		header                     []string
		status                     int
		media, says                string
	}{
		{"AWS", "POST", "/", "Action=ListAccessKeys&Version=2010-05-08", []string{"Content-Type", form}, 403, "text/xml", "<Code>MissingAuthenticationToken</Code>"},
		{"AWS, by query", "GET", "/?Action=ListAccessKeys&Version=2010-05-08", "", nil, 403, "text/xml", "<Code>MissingAuthenticationToken</Code>"},
		{"AWS STS", "POST", "/", "Action=GetCallerIdentity&Version=2011-06-15", []string{"Content-Type", form}, 403, "text/xml", "<Code>MissingAuthenticationToken</Code>"},
		{"Alibaba", "POST", "/", "Action=ListAccessKeys&Version=2015-05-01", []string{"Content-Type", form}, 400, "application/json;charset=utf-8", `"Code":"IncompleteSignature"`},
		{"Alibaba, by header", "POST", "/", "", []string{"x-acs-action", "ListAccessKeys", "x-acs-version", "2015-05-01"}, 400, "application/json;charset=utf-8", `"Code":"IncompleteSignature"`},
		{"Tencent", "POST", "/", "Action=ListAccessKeys&Version=2019-01-16", []string{"Content-Type", form}, 200, "application/json", `"Code":"AuthFailure.InvalidAuthorization"`},
		{"Tencent, by query", "GET", "/?Action=ListAccessKeys&Version=2019-01-16", "", nil, 200, "application/json", `"Code":"AuthFailure.InvalidAuthorization"`},
		{"Tencent, by header", "POST", "/", "{}", []string{"X-TC-Action", "ListAccessKeys"}, 200, "application/json", `"Code":"AuthFailure.InvalidAuthorization"`},
		{"Huawei", "GET", "/v3.0/OS-CREDENTIAL/credentials", "", nil, 401, "application/json;charset=UTF-8", `"error_code":"IAM.0001"`},
		{"CDNetworks", "GET", "/", "", []string{"x-cnc-auth-method", "AKSK"}, 401, "application/json", `"code":"MissingAuthentication"`},
		{"nobody", "POST", "/", "Action=ListAccessKeys", []string{"Content-Type", form}, 401, "application/problem+json", `"code":"signature.required"`},
	} {
		got := the.root.send(t, call{method: c.method, path: c.path, body: c.body, unsigned: true, after: func(r *http.Request) {
			for i := 0; i < len(c.header); i += 2 {
				r.Header.Set(c.header[i], c.header[i+1])
			}
		}})
		if got.status != c.status || got.header.Get("Content-Type") != c.media || !strings.Contains(string(got.body), c.says) {
			t.Errorf("%s: got %d %s %s, want %d %s %s", c.vendor, got.status, got.header.Get("Content-Type"), got.body, c.status, c.media, c.says)
		}
	}
}

func TestVendorLife(t *testing.T) {
	a := open(t, "strict", "")
	u := a.add(t, "alice", "user")
	alice := a.create(t, u)
	if got := alice.vendor(t, "GetCallerIdentity", ""); got.Account != a.id || !strings.HasSuffix(got.Arn, ":user/alice") {
		t.Errorf("the caller is %+v", got)
	}
	made := alice.vendor(t, "CreateAccessKey", "invocation-1")
	if made.Status != 200 || made.Key.SecretAccessKey == "" || made.Key.UserName != "alice" || made.Key.Status != "Active" {
		t.Fatalf("created: %+v", made)
	}
	k := made.Key.AccessKeyId
	again := alice.vendor(t, "CreateAccessKey", "invocation-1")
	again.refused(t, 409, "EntityAlreadyExists")
	if !strings.Contains(again.Message, k) {
		t.Errorf("a repeated create does not name the key: %s", again.Message)
	}
	alice.vendor(t, "CreateAccessKey", "invocation-1", "UserName", "alice").refused(t, 400, "IdempotentParameterMismatch")
	alice.vendor(t, "CreateAccessKey", "").refused(t, 409, "LimitExceeded")

	fresh := client{a.url, k, made.Key.SecretAccessKey}
	if got := fresh.vendor(t, "GetCallerIdentity", ""); got.Status != 200 {
		t.Errorf("the new key: %+v", got)
	}
	first := alice.vendor(t, "ListAccessKeys", "", "MaxItems", "1")
	rest := alice.vendor(t, "ListAccessKeys", "", "Marker", first.Marker)
	if len(first.Keys) != 1 || first.Keys[0].AccessKeyId != k || len(rest.Keys) != 1 || rest.Keys[0].AccessKeyId != alice.id {
		t.Errorf("listed: %+v, then %+v", first, rest)
	}
	alice.vendor(t, "ListAccessKeys", "", "Marker", "garbage").refused(t, 400, "InvalidInput")
	alice.vendor(t, "DeleteAccessKey", "", "AccessKeyId", k).refused(t, 409, "DeleteConflict")
	for range 2 {
		if got := alice.vendor(t, "UpdateAccessKey", "", "AccessKeyId", k, "Status", "Inactive"); got.Status != 200 {
			t.Errorf("disabled: %+v", got)
		}
	}
	if got := alice.vendor(t, "DeleteAccessKey", "", "AccessKeyId", k); got.Status != 200 {
		t.Errorf("deleted: %+v", got)
	}
	alice.vendor(t, "UpdateAccessKey", "", "AccessKeyId", k, "Status", "Active").refused(t, 404, "NoSuchEntity")
	alice.vendor(t, "DeleteAccessKey", "", "AccessKeyId", k).refused(t, 404, "NoSuchEntity")
	if got := decode[key](t, a.get(t, "/v1/keys/"+k)); got.Status != "deleted" {
		t.Errorf("natively it is %+v", got)
	}
	history := decode[page[event]](t, a.get(t, "/v1/keys/"+k+"/history")).Items
	if e := history[len(history)-1].Event; e.Dialect != "aws" || e.RequestID != "aws#invocation-1" || e.Actor != a.id+"/"+u {
		t.Errorf("recorded as %+v", e)
	}
}

// TestVendorIdentityIsItsOwn: the vendor's identity of a request and an
// Idempotency-Key do not meet, and the longest is as good as any.
func TestVendorIdentityIsItsOwn(t *testing.T) {
	a := open(t, "strict", `{"quota":{"max":10}}`)
	alice := a.create(t, a.add(t, "alice", "admin"))
	native := alice.named(t, "one", "POST", "/v1/users/"+a.root+"/keys", "").ok(t, 201)
	the.keep(*decode[key](t, native).SecretAccessKey)
	for _, identity := range []string{"one", strings.Repeat("x", 128)} {
		if got := alice.vendor(t, "CreateAccessKey", identity); got.Status != 200 {
			t.Errorf("%.10s: %+v", identity, got)
		}
		alice.vendor(t, "CreateAccessKey", identity).refused(t, 409, "EntityAlreadyExists")
	}
}

// TestVendorStrangers: to whoever holds no active key, every key is unknown.
func TestVendorStrangers(t *testing.T) {
	a := open(t, "strict", `{"quota":{"max":10}}`)
	u := a.add(t, "alice", "user")
	active := a.create(t, u)
	for name, c := range map[string]client{
		"unknown": {a.url, "KLAK0000000000000000", active.secret}, "disabled": a.in(t, u, "disabled"),
		"deleted": a.in(t, u, "deleted"), "purged": a.in(t, u, "purged"),
	} {
		for _, secret := range []string{c.secret, "kls_" + strings.Repeat("x", 36)} {
			got := client{c.url, c.id, secret}.vendor(t, "ListAccessKeys", "")
			if got.refused(t, 403, "InvalidClientTokenId"); got.Message != "The security token included in the request is invalid." {
				t.Errorf("%s: %s", name, got.Message)
			}
		}
	}
	client{a.url, active.id, "kls_" + strings.Repeat("x", 36)}.vendor(t, "ListAccessKeys", "").refused(t, 403, "SignatureDoesNotMatch")
}

func TestVendorRoles(t *testing.T) {
	a, foreign := open(t, "strict", `{"quota":{"max":10}}`), open(t, "strict", "")
	foreign.add(t, "stranger", "user")
	alice := a.create(t, a.add(t, "alice", "user"))
	auditor := a.create(t, a.add(t, "auditor", "auditor"))
	bob := a.add(t, "bob", "user")
	k := a.create(t, bob).id
	for _, c := range []client{alice, auditor} {
		c.vendor(t, "CreateAccessKey", "", "UserName", "bob").refused(t, 403, "AccessDenied")
		c.vendor(t, "UpdateAccessKey", "", "UserName", "bob", "AccessKeyId", k, "Status", "Inactive").refused(t, 403, "AccessDenied")
		c.vendor(t, "DeleteAccessKey", "", "UserName", "bob", "AccessKeyId", k).refused(t, 403, "AccessDenied")
	}
	alice.vendor(t, "ListAccessKeys", "", "UserName", "bob").refused(t, 403, "AccessDenied")
	alice.vendor(t, "ListAccessKeys", "", "UserName", "nobody").refused(t, 403, "AccessDenied") // as for one who exists
	alice.vendor(t, "UpdateAccessKey", "", "AccessKeyId", k, "Status", "Inactive").refused(t, 404, "NoSuchEntity")
	auditor.vendor(t, "CreateAccessKey", "").refused(t, 403, "AccessDenied")
	if got := auditor.vendor(t, "ListAccessKeys", "", "UserName", "bob"); len(got.Keys) != 1 {
		t.Errorf("an auditor sees %+v", got)
	}
	for _, name := range []string{"stranger", "nobody"} {
		a.vendor(t, "CreateAccessKey", "", "UserName", name).refused(t, 404, "NoSuchEntity")
	}
	if got := a.vendor(t, "DeleteAccessKey", "", "UserName", "alice", "AccessKeyId", k); got.Code != "NoSuchEntity" {
		t.Errorf("bob's key as alice's: %+v", got)
	}
}
