package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A restricting is what a preset makes of a restricted key.
type restricting struct {
	preset string
	uses   bool // gateways may let it pass, and are told
	lifted bool // an admin may end it
}

var restrictings = []restricting{{"strict", false, true}, {"aws", true, true}, {"alibaba", true, false}}

const leak = `{"reason":"found by a scanner","found_in":"https://git.example/app"}`

// TestRestrict follows a key into leak protection and, where the preset lets it, out again,
// asked of by a gateway, by a proxy and by itself. Every change counts from the next request on.
func TestRestrict(t *testing.T) {
	for _, c := range restrictings {
		t.Run(c.preset, func(t *testing.T) {
			a := open(t, c.preset, "")
			k := a.create(t, a.add(t, "alice", "user"))
			at, gateway := "/v1/keys/"+k.id, *a.gateway(t, "edge").Token
			r := restrictedKey{k, gateway}
			r.isFree(t)
			before := a.get(t, at).ok(t, 200)
			set := a.do(t, "POST", at+"/restrict", leak).ok(t, 200)
			got := decode[key](t, set)
			if got.Status != "active" || got.RestrictedAt == "" || got.Reason != "found by a scanner" || got.FoundIn != "https://git.example/app" {
				t.Errorf("restricted: %s", set.body)
			}
			again := a.do(t, "POST", at+"/restrict", `{"reason":"again"}`).ok(t, 200)
			if string(again.body) != string(set.body) || string(a.get(t, at).body) != string(set.body) {
				t.Errorf("twice: %s, then %s", set.body, again.body)
			}
			r.isRestricted(t, c)
			then := decode[key](t, a.get(t, fmt.Sprint(at, "?as_of_position=", set.position(t))).ok(t, 200))
			if then.RestrictedAt != got.RestrictedAt || then.Reason != got.Reason || then.FoundIn != got.FoundIn {
				t.Errorf("at that moment it was %+v, want %+v", then, got)
			}
			if was := a.get(t, fmt.Sprint(at, "?as_of_position=", set.position(t)-1)).ok(t, 200); string(was.body) != string(before.body) {
				t.Errorf("the moment before it was %s, want %s", was.body, before.body)
			}
			if !c.lifted {
				refused(t, a.do(t, "POST", at+"/unrestrict", ""), http.StatusForbidden, "leak.unrestrict")
				r.isRestricted(t, c)
				return
			}
			lifted := a.do(t, "POST", at+"/unrestrict", `{"reason":"it was a sample"}`).ok(t, 200)
			if got := decode[key](t, lifted); got.RestrictedAt != "" || got.Reason != "" || got.FoundIn != "" {
				t.Errorf("unrestricted: %s", lifted.body)
			}
			r.isFree(t)
			history := string(a.get(t, at+"/history").ok(t, 200).body)
			if strings.Count(history, "key.restricted.v1") != 1 || strings.Count(history, "key.unrestricted.v1") != 1 {
				t.Errorf("the history: %s", history)
			}
		})
	}
}

// A restrictedKey is a key, and the token of a gateway that asks about it.
type restrictedKey struct {
	client
	gateway string
}

func (r restrictedKey) ask(t *testing.T) verdict {
	t.Helper()
	return decode[verdict](t, r.send(t, call{method: "POST", path: "/v1/verify", body: signedBy(t, r.client, "x").json(), unsigned: true,
		after: header("Authorization", "Bearer "+r.gateway)}).ok(t, 200))
}

func (r restrictedKey) isFree(t *testing.T) {
	t.Helper()
	if got := r.ask(t); !got.Allowed || got.Restricted {
		t.Errorf("a gateway hears %+v", got)
	}
	if res := ask(t, proxied(t, r.client, r.gateway, byNginx)); res.StatusCode != 204 || res.Header.Values("X-Keyledger-Restricted") != nil {
		t.Errorf("a proxy hears %d %v", res.StatusCode, res.Header)
	}
	r.get(t, "/v1/caller").ok(t, 200)
	if got := r.vendor(t, "GetCallerIdentity", ""); got.Status != 200 {
		t.Errorf("a vendor's client hears %+v", got)
	}
}

func (r restrictedKey) isRestricted(t *testing.T, c restricting) {
	t.Helper()
	want := map[bool]string{false: "key_restricted"}[c.uses]
	if got := r.ask(t); got.Allowed != c.uses || !got.Genuine || !got.Restricted || got.Reason != want {
		t.Errorf("a gateway hears %+v", got)
	}
	status, told := 403, ""
	if c.uses {
		status, told = 204, "true"
	}
	if res := ask(t, proxied(t, r.client, r.gateway, byNginx)); res.StatusCode != status || res.Header.Get("X-Keyledger-Reason") != want || res.Header.Get("X-Keyledger-Restricted") != told {
		t.Errorf("a proxy hears %d %v", res.StatusCode, res.Header)
	}
	refused(t, r.get(t, "/v1/caller"), http.StatusForbidden, "key.restricted")
	r.vendor(t, "GetCallerIdentity", "").refused(t, 403, "InvalidClientTokenId")
	r.vendor(t, "CreateAccessKey", "").refused(t, 403, "InvalidClientTokenId")
	stranger := r.client
	stranger.secret = strings.Repeat("x", len(r.secret))
	refused(t, stranger.get(t, "/v1/caller"), http.StatusUnauthorized, "signature.refused")
	if got := (restrictedKey{stranger, r.gateway}).ask(t); got.Restricted || got.Reason != "signature_mismatch" {
		t.Errorf("of a request that somebody else signed a gateway hears %+v", got)
	}
}

// TestRestrictedOnRecord: what is refused for it is a denied use, on record.
func TestRestrictedOnRecord(t *testing.T) {
	a := open(t, "strict", "")
	k := a.create(t, a.add(t, "alice", "user"))
	a.do(t, "POST", "/v1/keys/"+k.id+"/restrict", leak).ok(t, 200)
	refused(t, k.get(t, "/v1/caller"), http.StatusForbidden, "key.restricted")
	got := a.records(t, "/v1/keys/"+k.id+"/records?outcome=denied", 1)
	if len(got) != 1 || got[0].Reason != "key_restricted" || got[0].Action != "show-caller" {
		t.Errorf("on record: %v", got)
	}
	explained := a.explain(t, signedBy(t, k, "x"))
	if !explained.Genuine || explained.Reason != "key_restricted" || !explained.Restricted {
		t.Errorf("explained: %+v", explained)
	}
}

// TestRestrictedToAVendorsCustomer: to whom a key is listed by its status and does what he asks of it, and no change of its
// status ends the restriction. docs/vendors says so.
func TestRestrictedToAVendorsCustomer(t *testing.T) {
	a := open(t, "aws", "")
	u := a.add(t, "alice", "user")
	k, other := a.create(t, u), a.create(t, u)
	a.do(t, "POST", "/v1/keys/"+k.id+"/restrict", leak).ok(t, 200)
	for _, status := range []string{"Active", "Inactive", "Active"} {
		if got := other.vendor(t, "UpdateAccessKey", "", "AccessKeyId", k.id, "Status", status); got.Status != 200 {
			t.Errorf("made %s: got %+v", status, got)
		}
		listed := ""
		for _, one := range other.vendor(t, "ListAccessKeys", "").Keys {
			if one.AccessKeyId == k.id {
				listed = one.Status
			}
		}
		if listed != status {
			t.Errorf("listed as %q, want %s", listed, status)
		}
		k.vendor(t, "ListAccessKeys", "").refused(t, 403, "InvalidClientTokenId")
	}
	if got := other.vendor(t, "DeleteAccessKey", "", "AccessKeyId", k.id); got.Status != 200 {
		t.Errorf("deleted: got %+v", got)
	}
}

// TestRestrictedWhateverItsStatus: only a purge ends both, and then nothing is left to restrict.
func TestRestrictedWhateverItsStatus(t *testing.T) {
	a := open(t, "strict", "")
	k := a.create(t, a.add(t, "alice", "user"))
	at := "/v1/keys/" + k.id
	a.do(t, "POST", at+"/restrict", "").ok(t, 200)
	for _, s := range []struct{ method, path, body, status string }{
		{"PATCH", "", `{"status":"disabled"}`, "disabled"}, {"PATCH", "", `{"status":"active"}`, "active"}, {"PATCH", "", `{"status":"disabled"}`, "disabled"},
		{"DELETE", "", "", "deleted"}, {"POST", "/restore", "", "disabled"}, {"DELETE", "", "", "deleted"},
	} {
		if got := decode[key](t, a.do(t, s.method, at+s.path, s.body).ok(t, 200)); got.Status != s.status || got.RestrictedAt == "" {
			t.Errorf("%s %s: %+v", s.method, s.path, got)
		}
	}
	if got := decode[key](t, a.do(t, "POST", at+"/purge", "").ok(t, 200)); got.Status != "purged" || got.RestrictedAt != "" {
		t.Errorf("purged: %+v", got)
	}
	refused(t, a.do(t, "POST", at+"/restrict", ""), http.StatusGone, "key.purged")
	refused(t, a.do(t, "POST", at+"/unrestrict", ""), http.StatusGone, "key.purged")
}

func TestRestrictBadInput(t *testing.T) {
	a := open(t, "strict", "")
	at := "/v1/keys/" + a.create(t, a.add(t, "alice", "user")).id
	for body, code := range map[string]string{
		`{"reason":1}`:            "request.invalid",
		`{"why":"x"}`:             "request.invalid",
		`{"reason":"two\nlines"}`: "key.reason",
		`{"found_in":"` + strings.Repeat("x", 1025) + `"}`: "key.found_in",
	} {
		refused(t, a.do(t, "POST", at+"/restrict", body), http.StatusUnprocessableEntity, code)
	}
	refused(t, a.do(t, "POST", at+"/unrestrict", `{"found_in":"x"}`), http.StatusUnprocessableEntity, "request.invalid")
	if got := decode[key](t, a.get(t, at).ok(t, 200)); got.RestrictedAt != "" {
		t.Errorf("what was refused left %+v", got)
	}
	refused(t, a.do(t, "POST", "/v1/keys/KLAK0000000000000000/restrict", ""), http.StatusNotFound, "key.not_found")
}

// TestOutOfTimeTellsNothing: a request that is out of time gets one answer, whatever there is to
// the key that it names, at every door.
func TestOutOfTimeTellsNothing(t *testing.T) {
	a, b := open(t, "strict", ""), open(t, "strict", "")
	k, foreign := a.create(t, a.add(t, "alice", "user")), b.create(t, b.add(t, "bob", "user"))
	disabled := a.create(t, a.add(t, "carol", "user"))
	a.do(t, "PATCH", "/v1/keys/"+disabled.id, `{"status":"disabled"}`).ok(t, 200)
	gateway, longAgo := *a.gateway(t, "edge").Token, time.Now().Add(-24*time.Hour)
	for name, c := range map[string]client{
		"a key": k, "a disabled one": disabled, "another account's": foreign, "none": {k.url, "KLAK0000000000000000", k.secret},
		"a key, with a wrong secret": {k.url, k.id, strings.Repeat("x", len(k.secret))},
	} {
		body := signedAt(t, c, "x", longAgo).json()
		got := decode[verdict](t, k.send(t, call{method: "POST", path: "/v1/verify", body: body, unsigned: true, after: header("Authorization", "Bearer "+gateway)}).ok(t, 200))
		if own := c.id == k.id || c.id == disabled.id; got.Allowed || got.Reason != "request_expired" || (got.AccountID != "") != own {
			t.Errorf("%s: a gateway hears %+v", name, got)
		}
		refused(t, c.send(t, call{method: "GET", path: "/v1/caller", at: longAgo}), http.StatusUnauthorized, "signature.request_expired")
		c.vendorAt(t, longAgo, "GetCallerIdentity", "").refused(t, 403, "SignatureDoesNotMatch")
	}
}
