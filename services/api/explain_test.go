package api_test

import (
	"strings"
	"testing"
	"time"
)

type explanation struct {
	Genuine          bool
	Reason, Scheme   string
	AccessKeyID      string `json:"access_key_id"`
	UserID           string `json:"user_id"`
	CanonicalRequest string `json:"canonical_request"`
	StringToSign     string `json:"string_to_sign"`
	Restricted       bool   `json:"restricted"`
	SignatureMatches bool   `json:"signature_matches"`
	Differences      []struct {
		Of             string
		Line, Column   int
		Client, Server string
	}
}

func (c client) explain(t *testing.T, f foreign) explanation {
	t.Helper()
	a := c.do(t, "POST", "/v1/explain", f.json()).ok(t, 200)
	if the.leaks(a.body) {
		t.Errorf("the explanation holds a secret: %s", a.body)
	}
	return decode[explanation](t, a)
}

// An account's admin is told what was made of a request that names a key of the account,
// and where the client's own text differs.
func TestExplain(t *testing.T) {
	a := open(t, "strict", "")
	u := a.add(t, "alice", "user")
	k := a.create(t, u)
	genuine := signedBy(t, k, "a picture")
	first := a.explain(t, genuine)
	if !first.Genuine || first.Reason != "" || first.AccessKeyID != k.id || first.UserID != u || len(first.Differences) != 0 ||
		!strings.HasPrefix(first.CanonicalRequest, "PUT\n") || !strings.HasPrefix(first.StringToSign, "AWS4-HMAC-SHA256\n") {
		t.Errorf("a genuine one: got %+v", first)
	}
	// The client forgot to sign the query as it sent it.
	moved := genuine.with("target", "/albums/7%20a?size=small").with("client_canonical_request", first.CanonicalRequest).with("client_string_to_sign", first.StringToSign)
	got := a.explain(t, moved)
	if got.Genuine || got.Reason != "signature_mismatch" || len(got.Differences) != 2 {
		t.Fatalf("another query: got %+v", got)
	}
	d := got.Differences[0]
	if d.Of != "canonical_request" || d.Line != 3 || d.Column != 6 || d.Client != "size=full" || d.Server != "size=small" {
		t.Errorf("another query: got %+v", d)
	}
	if got.Differences[1].Of != "string_to_sign" || got.Differences[1].Line != 4 {
		t.Errorf("another query: got %+v", got.Differences[1])
	}
	// The same to the byte: it is the secret that is another.
	same := signedBy(t, client{k.url, k.id, k.secret + "x"}, "a picture")
	told := a.explain(t, same)
	same = same.with("client_string_to_sign", told.StringToSign)
	if got := a.explain(t, same); got.Reason != "signature_mismatch" || len(got.Differences) != 0 {
		t.Errorf("another secret: got %+v", got)
	}
	if got := a.explain(t, foreign{"method": "GET", "target": "/", "host": "x"}); got.Reason != "unsigned" || got.AccessKeyID != "" {
		t.Errorf("unsigned: got %+v", got)
	}
	// What cannot be read names its key all the same.
	cut := genuine.with("body_base64", "YQ==")
	if got := a.explain(t, cut); got.Reason != "payload_hash_mismatch" || got.AccessKeyID != k.id || got.UserID != u {
		t.Errorf("another body: got %+v", got)
	}
	if got := open(t, "strict", "").explain(t, cut); got.Reason != "payload_hash_mismatch" || got.AccessKeyID != k.id || got.UserID != "" {
		t.Errorf("another body, told to another account: got %+v", got)
	}
	// Requests are looked into long after they were made: of the signature it is told all the same.
	for name, c := range map[string]client{"right": k, "wrong": {k.url, k.id, k.secret + "x"}} {
		if got := a.explain(t, signedAt(t, c, "a picture", time.Now().Add(-time.Hour))); got.Genuine || got.Reason != "request_expired" || got.SignatureMatches != (name == "right") {
			t.Errorf("late, and %s: got %+v", name, got)
		}
	}
	if !first.SignatureMatches || told.SignatureMatches {
		t.Errorf("the signature: got %+v and %+v", first, told)
	}
	a.do(t, "PATCH", "/v1/keys/"+k.id, `{"status":"disabled"}`).ok(t, 200)
	if got := a.explain(t, genuine); !got.Genuine || got.Reason != "key_disabled" {
		t.Errorf("a disabled key: got %+v", got)
	}
	if got := decode[page[recorded]](t, a.get(t, "/v1/keys/"+k.id+"/records")); len(got.Items) != 0 {
		t.Errorf("explaining put %d requests on record", len(got.Items))
	}
}

// Nobody else is told: not the key's own user, not another account's admin, not the
// operator, no gateway and no stranger; and whether there is such a key is not told either.
func TestExplainIsForTheAccountsAdmins(t *testing.T) {
	a, b := open(t, "strict", ""), open(t, "strict", "")
	alice := a.create(t, a.add(t, "alice", "user"))
	about := signedBy(t, alice, "a picture").json()
	refused(t, alice.do(t, "POST", "/v1/explain", about), 403, "permission.denied")
	refused(t, a.create(t, a.add(t, "watch", "auditor")).do(t, "POST", "/v1/explain", about), 403, "permission.denied")
	nobody := signedBy(t, client{a.url, "KLAK0000000000000000", "no secret"}, "a picture").json()
	for name, c := range map[string]client{"another account's root": b.client, "the operator": the.root} {
		foreign, unknown := c.do(t, "POST", "/v1/explain", about), c.do(t, "POST", "/v1/explain", nobody)
		refused(t, foreign, 404, "key.not_found")
		refused(t, unknown, 404, "key.not_found")
		if x, y := strings.ReplaceAll(foreign.problem().Detail, alice.id, "-"), strings.ReplaceAll(unknown.problem().Detail, "KLAK0000000000000000", "-"); x != y {
			t.Errorf("%s: a foreign key is told from none: %q, %q", name, x, y)
		}
	}
	refused(t, a.send(t, call{method: "POST", path: "/v1/explain", body: about, unsigned: true}), 401, "signature.required")
	bearer := header("Authorization", "Bearer "+*a.gateway(t, "edge").Token)
	refused(t, a.send(t, call{method: "POST", path: "/v1/explain", body: about, unsigned: true, before: bearer}), 401, "signature.required")
}
