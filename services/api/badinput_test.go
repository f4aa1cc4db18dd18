package api_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A bad request and how it is answered.
type bad struct {
	name   string
	call   call
	status int
	code   string
}

// refused holds that an answer is a problem as every problem is.
func refused(t *testing.T, a answer, status int, code string) {
	t.Helper()
	p := a.problem()
	if a.status != status || p.Code != code {
		t.Errorf("got %d %s, want %d %s: %s", a.status, p.Code, status, code, a.body)
		return
	}
	if p.Status != status || p.Title != http.StatusText(status) || p.Type != "https://keyledger.dev/problems/"+code {
		t.Errorf("the problem contradicts itself: %s", a.body)
	}
	if len(strings.Fields(p.Detail)) < 3 {
		t.Errorf("%q is no sentence", p.Detail)
	}
	if id := a.header.Get("X-Keyledger-Request-Id"); id == "" || p.RequestID != id {
		t.Errorf("the request IDs are %q in the header and %q in the body", id, p.RequestID)
	}
	if got := a.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control is %q", got)
	}
	if (status == 503) != p.Retryable || (status == 503) != (a.header.Get("Retry-After") != "") {
		t.Errorf("retryable is %v and Retry-After %q", p.Retryable, a.header.Get("Retry-After"))
	}
	if the.leaks(a.body) {
		t.Errorf("the answer holds a secret")
	}
	if bytes.Contains(a.body, []byte("goroutine")) || bytes.Contains(a.body, []byte(".go:")) {
		t.Errorf("the answer speaks of the program: %s", a.body)
	}
}

func (b bad) run(t *testing.T, c client) {
	t.Run(b.name, func(t *testing.T) {
		refused(t, c.send(t, b.call), b.status, b.code)
	})
}

func post(path, body string) call  { return call{method: "POST", path: path, body: body} }
func patch(path, body string) call { return call{method: "PATCH", path: path, body: body} }
func get(path string) call         { return call{method: "GET", path: path} }

func with(k call, before func(*http.Request)) call {
	k.before = before
	return k
}

// beyond is how many bytes a body may have.
const beyond = 256 << 10

func TestBadBodies(t *testing.T) {
	a := open(t, "strict", "")
	u := a.add(t, "alice", "user")
	k := a.in(t, u, "active")
	keys, users, one, usr := "/v1/users/"+u+"/keys", "/v1/users", "/v1/keys/"+k.id, "/v1/users/"+u
	described := func(text string) call { return patch(one, `{"description":"`+text+`"}`) }
	named := func(text string) call { return post(users, `{"name":"`+text+`"}`) }
	for _, b := range []bad{
		{"cut short", post(users, `{"name":"bob"`), 400, "request.malformed"},
		{"no JSON", post(users, `name=bob`), 400, "request.malformed"},
		{"something behind it", post(users, `{"name":"bob"} {}`), 400, "request.malformed"},
		{"two members of one name", post(users, `{"name":"bob","role":"user","role":"admin"}`), 400, "request.malformed"},
		{"two members of one name, spelt twice", post(users, `{"name":"bob","role":"user","r\u006fle":"admin"}`), 400, "request.malformed"},
		{"two members of one name, deep down", call{method: "PUT", path: "/v1/accounts/" + a.id + "/policy", body: `{"overrides":{"quota":{"max":3,"max":100}}}`}, 400, "request.malformed"},
		{"not UTF-8", named("b\xffb"), 400, "request.malformed"},
		{"not UTF-8 in a description", described("\xc3\x28"), 400, "request.malformed"},
		{"half a surrogate pair", described(`\ud800`), 400, "request.malformed"},
		{"a list", post(users, `[{"name":"bob"}]`), 422, "request.invalid"},
		{"null", post(users, `null`), 422, "request.invalid"},
		{"no body", post(users, ``), 400, "request.malformed"},
		{"an unknown field", post(users, `{"name":"bob","rolle":"admin"}`), 422, "request.invalid"},
		{"a field in other letters", post(users, `{"Name":"bob"}`), 422, "request.invalid"},
		{"a missing field", post(users, `{"role":"user"}`), 422, "request.invalid"},
		{"a number for a string", post(users, `{"name":5}`), 422, "request.invalid"},
		{"null for a string", post(users, `{"name":null}`), 422, "request.invalid"},
		{"a string for a list", patch(usr, `{"grants":"manage-own-keys"}`), 422, "request.invalid"},
		{"a list of numbers for a list of strings", patch(usr, `{"grants":[1]}`), 422, "request.invalid"},
		{"an object for a string", described(`","reason":{"a":1},"x":"`), 422, "request.invalid"},
		{"nothing to change of a user", patch(usr, `{}`), 422, "request.invalid"},
		{"nothing to change of a key", patch(one, `{}`), 422, "request.invalid"},
		{"status and description", patch(one, `{"status":"disabled","description":"x"}`), 422, "request.invalid"},
		{"an unknown status", patch(one, `{"status":"purged"}`), 422, "request.invalid"},
		{"a reason to enable", patch(one, `{"status":"active","reason":"x"}`), 422, "request.invalid"},
		{"too large", post(keys, `{"description":"`+strings.Repeat("x", beyond)+`"}`), 413, "request.too_large"},
		{"as large as may be", post(keys, `{"description":"`+strings.Repeat("x", beyond-18)+`"}`), 422, "key.description"},
		{"deeply nested", post(users, strings.Repeat("[", 20000)), 400, "request.malformed"},
		{"a form", with(post(users, `name=bob`), header("Content-Type", "application/x-www-form-urlencoded")), 415, "request.unsupported_media_type"},
		{"JSON called text", with(post(users, `{"name":"bob"}`), header("Content-Type", "text/plain")), 415, "request.unsupported_media_type"},
		{"a body on GET", call{method: "GET", path: one, body: `{"status":"disabled"}`}, 422, "request.invalid"},
		{"a body on DELETE", call{method: "DELETE", path: one, body: `{"force":true}`}, 422, "request.invalid"},
		{"a body where none is taken", post(one+"/restore", `{}`), 422, "request.invalid"},
		{"a user name with a control character", named(`b\u0000b`), 422, "user.name"},
		{"a user name with a space", named(`b b`), 422, "user.name"},
		{"an empty user name", named(``), 422, "user.name"},
		{"a long user name", named(strings.Repeat("b", 65)), 422, "user.name"},
		{"a user name from elsewhere", named(`bøb`), 422, "user.name"},
		{"an unknown role", post(users, `{"name":"bob","role":"owner"}`), 422, "user.role"},
		{"an empty role", patch(usr, `{"role":""}`), 422, "user.role"},
		{"an unknown kind", post(users, `{"name":"bob","kind":"robot"}`), 422, "user.kind"},
		{"a second root", post(users, `{"name":"bob","kind":"root"}`), 409, "user.second_root"},
		{"an unknown grant", patch(usr, `{"grants":["everything"]}`), 422, "user.grant"},
		{"NUL in a description", described(`\u0000`), 422, "key.description"},
		{"a new line in a description", described(`a\nb`), 422, "key.description"},
		{"an escape in a description", described(`\u001b[31m`), 422, "key.description"},
		{"a line separator in a description", described(`a\u2028b`), 422, "key.description"},
		{"a long description", described(strings.Repeat("ü", 257)), 422, "key.description"},
		{"a long reason", patch(one, `{"status":"disabled","reason":"`+strings.Repeat("x", 257)+`"}`), 422, "key.reason"},
		{"a control character in a reason", patch(one, `{"status":"disabled","reason":"\t"}`), 422, "key.reason"},
	} {
		b.run(t, a.client)
	}
	if got := decode[key](t, a.get(t, one).ok(t, 200)); got.Status != "active" || got.Description != "" {
		t.Errorf("something of it was carried out: %+v", got)
	}
	if got := decode[page[user]](t, a.get(t, users).ok(t, 200)); len(got.Items) != 2 {
		t.Errorf("something of it was carried out: %+v", got)
	}
}

func TestBadGatewayTokens(t *testing.T) {
	a, other := open(t, "strict", ""), open(t, "strict", "")
	one, theirs := a.gateway(t, "edge").TokenID, other.gateway(t, "edge").TokenID
	const tokens = "/v1/gateway-tokens"
	revoke := func(path string) call { return call{method: "DELETE", path: tokens + path} }
	a.add(t, "alice", "user")
	cursor := decode[page[user]](t, a.get(t, "/v1/users?limit=1").ok(t, 200)).NextCursor
	for _, b := range []bad{
		{"no body", post(tokens, ``), 400, "request.malformed"},
		{"no JSON", post(tokens, `name=edge`), 400, "request.malformed"},
		{"no name", post(tokens, `{}`), 422, "request.invalid"},
		{"an empty name", post(tokens, `{"name":""}`), 422, "gateway_token.name"},
		{"a name of spaces", post(tokens, `{"name":"  "}`), 422, "gateway_token.name"},
		{"a long name", post(tokens, `{"name":"`+strings.Repeat("ü", 65)+`"}`), 422, "gateway_token.name"},
		{"a name with NUL", post(tokens, `{"name":"a\u0000b"}`), 422, "gateway_token.name"},
		{"a name with an escape", post(tokens, `{"name":"a\u001b[31mb"}`), 422, "gateway_token.name"},
		{"a name that is turned around", post(tokens, `{"name":"a\u202eb"}`), 422, "gateway_token.name"},
		{"a number for a name", post(tokens, `{"name":5}`), 422, "request.invalid"},
		{"a text for a truth", post(tokens, `{"name":"a","installation":"yes"}`), 422, "request.invalid"},
		{"an unknown field", post(tokens, `{"name":"a","scope":"all"}`), 422, "request.invalid"},
		{"a token of one's own", post(tokens, `{"name":"a","token":"klgw_0Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St3ljC22"}`), 422, "request.invalid"},
		{"a field in other letters", post(tokens, `{"Name":"a"}`), 422, "request.invalid"},
		{"for the installation", post(tokens, `{"name":"a","installation":true}`), 403, "gateway_token.installation"},
		{"an unknown parameter", post(tokens+"?force=true", `{"name":"a"}`), 422, "request.invalid"},
		{"an account of the wrong shape", post(tokens+"?account_id=12", `{"name":"a"}`), 422, "request.invalid"},
		{"another's account", post(tokens+"?account_id="+other.id, `{"name":"a"}`), 404, "account.not_found"},
		{"another's list", get(tokens + "?account_id=" + other.id), 404, "account.not_found"},
		{"limit 0", get(tokens + "?limit=0"), 422, "request.invalid"},
		{"garbage for a cursor", get(tokens + "?cursor=garbage"), 422, "cursor.invalid"},
		{"a cursor of another list", get(tokens + "?cursor=" + cursor), 422, "cursor.invalid"},
		{"a body on GET", call{method: "GET", path: tokens, body: `{}`}, 422, "request.invalid"},
		{"a body on DELETE", call{method: "DELETE", path: tokens + "/" + one, body: `{}`}, 422, "request.invalid"},
		{"an ID of the wrong shape", revoke("/edge"), 422, "request.invalid"},
		{"an ID in small letters", revoke("/" + strings.ToLower(one)), 422, "request.invalid"},
		{"a token for an ID", revoke("/klgw_0Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St3ljC22"), 422, "request.invalid"},
		{"an unknown token", revoke("/KLGT0000000000000000"), 404, "gateway_token.not_found"},
		{"another's token", revoke("/" + theirs), 404, "gateway_token.not_found"},
		{"another's token in its account", revoke("/" + theirs + "?account_id=" + other.id), 404, "gateway_token.not_found"},
		{"a token by POST", post(tokens+"/"+one, ``), 405, "method_not_allowed"},
	} {
		b.run(t, a.client)
	}
	refused(t, the.root.send(t, post(tokens+"?account_id="+a.id, `{"name":"a","installation":true}`)), 403, "gateway_token.installation")
	for _, of := range []account{a, other} {
		if got := decode[page[gatewayToken]](t, of.get(t, tokens).ok(t, 200)).Items; len(got) != 1 || got[0].RevokedAt != "" {
			t.Errorf("something of it was carried out: %+v", got)
		}
	}
}

func TestBadPolicies(t *testing.T) {
	a := open(t, "strict", "")
	policy := func(body string) call {
		return call{method: "PUT", path: "/v1/accounts/" + a.id + "/policy", body: body}
	}
	opening := func(body string) call { return post("/v1/accounts", body) }
	for _, b := range []bad{
		{"an unknown preset", policy(`{"preset":"gcp"}`), 422, "policy.unknown_preset"},
		{"a field that no policy has", policy(`{"overrides":{"quota":{"maximum":3}}}`), 422, "policy.invalid"},
		{"a part that no policy has", policy(`{"overrides":{"quotas":{}}}`), 422, "policy.invalid"},
		{"a list", policy(`{"overrides":[]}`), 422, "policy.invalid"},
		{"a text", policy(`{"overrides":"{}"}`), 422, "policy.invalid"},
		{"a quota of nothing", policy(`{"overrides":{"quota":{"max":0}}}`), 422, "policy.invalid"},
		{"a negative quota", policy(`{"overrides":{"quota":{"max":-1}}}`), 422, "policy.invalid"},
		{"a huge quota", policy(`{"overrides":{"quota":{"max":1e30}}}`), 422, "policy.invalid"},
		{"half a key", policy(`{"overrides":{"quota":{"max":1.5}}}`), 422, "policy.invalid"},
		{"a retention beyond time", policy(`{"overrides":{"recycle":{"retention_seconds":9223372036854775808}}}`), 422, "policy.invalid"},
		{"an unknown word", policy(`{"overrides":{"self_service":"maybe"}}`), 422, "policy.invalid"},
		{"a scheme that cannot be", policy(`{"overrides":{"signature":{"schemes":["a b"]}}}`), 422, "policy.invalid"},
		{"a scheme that nobody speaks", policy(`{"overrides":{"signature":{"schemes":["AWS4-HMAC-SHA256","AWS5-HMAC-SHA512"]}}}`), 422, "policy.invalid"},
		{"a field besides", policy(`{"preset":"aws","name":"x"}`), 422, "request.invalid"},
	} {
		b.run(t, a.client)
	}
	for _, b := range []bad{
		{"an account without a name", opening(`{"name":""}`), 422, "account.name"},
		{"a name of spaces", opening(`{"name":"   "}`), 422, "account.name"},
		{"a name with NUL", opening(`{"name":"a\u0000b"}`), 422, "account.name"},
		{"a name with an escape", opening(`{"name":"a\u001bb"}`), 422, "account.name"},
		{"a name that is turned around", opening(`{"name":"a\u202eb"}`), 422, "account.name"},
		{"a name too long", opening(`{"name":"` + strings.Repeat("x", 129) + `"}`), 422, "account.name"},
		{"an unknown preset at opening", opening(`{"name":"x","preset":"gcp"}`), 422, "policy.unknown_preset"},
		{"an unknown scheme at opening", opening(`{"name":"x","overrides":{"signature":{"schemes":["AWS5-HMAC-SHA512"]}}}`), 422, "policy.invalid"},
		{"unknown overrides at opening", opening(`{"name":"x","overrides":{"x":1}}`), 422, "policy.invalid"},
		{"an operator at opening", opening(`{"name":"x","operator":true}`), 422, "request.invalid"},
		{"a projection that is not", post("/v1/projections/nothing/rebuild", ""), 404, "projection.not_found"},
		{"a record that is not", post("/v1/projections/audit/acknowledge", `{"position":0,"reason":"x"}`), 422, "request.invalid"},
		{"a record before all", post("/v1/projections/audit/acknowledge", `{"position":-1,"reason":"x"}`), 422, "request.invalid"},
		{"half a record", post("/v1/projections/audit/acknowledge", `{"position":1.5,"reason":"x"}`), 422, "request.invalid"},
		{"a record beyond all numbers", post("/v1/projections/audit/acknowledge", `{"position":1e30,"reason":"x"}`), 422, "request.invalid"},
		{"no reason", post("/v1/projections/audit/acknowledge", `{"position":1,"reason":""}`), 422, "acknowledge.reason"},
		{"a reason of two lines", post("/v1/projections/audit/acknowledge", `{"position":1,"reason":"a\nb"}`), 422, "acknowledge.reason"},
		{"a projection that cannot be", post("/v1/projections/No%20Way/acknowledge", `{"position":1,"reason":"a"}`), 422, "acknowledge.projection"},
	} {
		b.run(t, the.root)
	}
}

func TestBadQueries(t *testing.T) {
	a := open(t, "strict", `{"quota":{"max":10}}`)
	u := a.add(t, "alice", "user")
	for range 3 {
		a.create(t, u)
	}
	k := a.create(t, u)
	keys := "/v1/users/" + u + "/keys"
	cursor := decode[page[key]](t, a.get(t, keys+"?limit=1").ok(t, 200)).NextCursor
	unknownUser, unknownAccount, unknownKey := "999999999999999999", "999999999999", "KLAK0000000000000000"
	for _, b := range []bad{
		{"garbage for a cursor", get(keys + "?cursor=garbage"), 422, "cursor.invalid"},
		{"a cursor cut short", get(keys + "?limit=1&cursor=" + cursor[:10]), 422, "cursor.invalid"},
		{"a cursor of another list", get("/v1/keys?limit=1&cursor=" + cursor), 422, "cursor.invalid"},
		{"a cursor of another status", get(keys + "?status=active&cursor=" + cursor), 422, "cursor.invalid"},
		{"a cursor of another user", get("/v1/users/" + a.root + "/keys?cursor=" + cursor), 422, "cursor.invalid"},
		{"a cursor of keys among users", get("/v1/users?cursor=" + cursor), 422, "cursor.invalid"},
		{"a cursor of keys among events", get("/v1/audit?cursor=" + cursor), 422, "cursor.invalid"},
		{"a cursor beyond bounds", get(keys + "?cursor=" + strings.Repeat("A", 1025)), 422, "request.invalid"},
		{"a cursor into the past", get(keys + "?as_of_position=1&cursor=" + cursor), 422, "request.invalid"},
		{"limit 0", get(keys + "?limit=0"), 422, "request.invalid"},
		{"limit -1", get(keys + "?limit=-1"), 422, "request.invalid"},
		{"limit 1001", get(keys + "?limit=1001"), 422, "request.invalid"},
		{"a limit that is no number", get(keys + "?limit=ten"), 422, "request.invalid"},
		{"a huge limit", get(keys + "?limit=99999999999999999999"), 422, "request.invalid"},
		{"two limits", get(keys + "?limit=1&limit=2"), 422, "request.invalid"},
		{"an unknown parameter", get(keys + "?stauts=active"), 422, "request.invalid"},
		{"an unknown parameter on a write", patch("/v1/keys/"+k.id+"?force=true", `{"description":"x"}`), 422, "request.invalid"},
		{"a query that splits in two ways", get(keys + "?limit=1;status=active"), 400, "request.malformed"},
		{"an unknown status", get(keys + "?status=lost"), 422, "request.invalid"},
		{"an unknown action", get("/v1/audit?action=key.stolen"), 422, "request.invalid"},
		{"a time that is none", get("/v1/audit?since=yesterday"), 422, "request.invalid"},
		{"a period that holds nothing", get("/v1/audit?since=2026-02-01T00:00:00Z&until=2026-01-01T00:00:00Z"), 422, "request.invalid"},
		{"a period before all time", get("/v1/records?until=0001-01-01T00:00:00Z"), 422, "request.invalid"},
		{"a day that is none", get("/v1/audit?until=2026-02-30T00:00:00Z"), 422, "request.invalid"},
		{"an account of the wrong shape", get("/v1/keys?account_id=12"), 422, "request.invalid"},
		{"a user of the wrong shape", get("/v1/audit?user_id=alice"), 422, "request.invalid"},
		{"a user of the wrong shape in the path", get("/v1/users/alice"), 422, "request.invalid"},
		{"an account of the wrong shape in the path", get("/v1/accounts/012345678901"), 422, "request.invalid"},
		{"a key ID too long", get("/v1/keys/" + strings.Repeat("K", 129)), 422, "request.invalid"},
		{"a key ID of the wrong shape", get("/v1/keys/not%20a%2Fkey"), 404, "key.not_found"},
		{"a key ID with NUL", get("/v1/keys/%00"), 404, "key.not_found"},
		{"a key ID that is not UTF-8", get("/v1/keys/%ff%fe"), 404, "key.not_found"},
		{"an unknown key", get("/v1/keys/" + unknownKey), 404, "key.not_found"},
		{"the history of an unknown key", get("/v1/keys/" + unknownKey + "/history"), 404, "key.not_found"},
		{"an unknown key to change", patch("/v1/keys/"+unknownKey, `{"status":"disabled"}`), 404, "key.not_found"},
		{"an unknown key to delete", call{method: "DELETE", path: "/v1/keys/" + unknownKey}, 404, "key.not_found"},
		{"an unknown key to restore", post("/v1/keys/"+unknownKey+"/restore", ""), 404, "key.not_found"},
		{"an unknown key to purge", post("/v1/keys/"+unknownKey+"/purge", ""), 404, "key.not_found"},
		{"an unknown user", get("/v1/users/" + unknownUser), 404, "user.not_found"},
		{"keys of an unknown user", get("/v1/users/" + unknownUser + "/keys"), 404, "user.not_found"},
		{"a key for an unknown user", post("/v1/users/"+unknownUser+"/keys", ""), 404, "user.not_found"},
		{"an unknown user to change", patch("/v1/users/"+unknownUser, `{"role":"admin"}`), 404, "user.not_found"},
		{"an unknown user to remove", call{method: "DELETE", path: "/v1/users/" + unknownUser}, 404, "user.not_found"},
		{"an unknown user's recycle bin", get("/v1/recycle-bin?user_id=" + unknownUser), 404, "user.not_found"},
		{"an unknown account", get("/v1/accounts/" + unknownAccount), 404, "account.not_found"},
		{"users of an unknown account", get("/v1/users?account_id=" + unknownAccount), 404, "account.not_found"},
		{"both past moments", get("/v1/keys/" + k.id + "?as_of=2026-01-01T00:00:00Z&as_of_position=1"), 422, "request.invalid"},
		{"a position beyond the end", get("/v1/keys/" + k.id + "?as_of_position=18446744073709551615"), 422, "request.invalid"},
		{"a position beyond all numbers", get("/v1/keys/" + k.id + "?as_of_position=18446744073709551616"), 422, "request.invalid"},
		{"a position before all", get("/v1/keys/" + k.id + "?as_of_position=-1"), 422, "request.invalid"},
		{"position 0", get("/v1/keys/" + k.id + "?as_of_position=0"), 422, "request.invalid"},
		{"the zero time", get("/v1/keys/" + k.id + "?as_of=0001-01-01T00:00:00Z"), 422, "request.invalid"},
		{"a moment before the key", get("/v1/keys/" + k.id + "?as_of=2020-01-01T00:00:00Z"), 404, "key.not_found"},
		{"a time without a zone", get("/v1/keys/" + k.id + "?as_of=2026-01-01T00:00:00"), 422, "request.invalid"},
		{"a negative min_position", get("/v1/keys?min_position=-1"), 422, "request.invalid"},
		{"an unknown path", get("/v1/nothing"), 404, "not_found"},
		{"a path besides", get("/v1/keys/" + k.id + "/"), 404, "not_found"},
		{"a path with an empty part", get("//v1/keys"), 404, "not_found"},
		{"a path that climbs", get("/v1/users/../keys"), 404, "not_found"},
		{"the root", get("/"), 404, "not_found"},
	} {
		b.run(t, a.client)
	}
}

// TestWhatWouldBeRight: a problem says what to give instead.
func TestWhatWouldBeRight(t *testing.T) {
	a := open(t, "strict", "")
	for query, want := range map[string]string{
		"/v1/records?since=2026-11-22":                                      "query.since: want a time in RFC 3339, such as 2026-11-22T00:00:00Z",
		"/v1/keys/" + a.client.id + "?as_of=yesterday":                      "query.as_of: want a time in RFC 3339, such as 2026-11-22T00:00:00Z",
		"/v1/events?follow=perhaps":                                         "query.follow: want true or false",
		"/v1/records?until=0001-01-01T00:00:00Z":                            "query.until: must be later than the year 1",
		"/v1/records?until=2026-11-01T00:00:00Z&since=2026-11-02T00:00:00Z": "query.until: must be later than since",
		"/v1/events?type=key.used,foo":                                      `type: "foo" is no type of event; want such as key.used or dev.keyledger.key.used.v1`,
		"/v1/events?type=key.used,," + "key.created":                        `type: "" is no type of event`,
		"/v1/events?type=" + strings.Repeat("f", 100):                       `type: "` + strings.Repeat("f", 64) + `" is no type`,
	} {
		answer := a.get(t, query)
		refused(t, answer, 422, "request.invalid")
		if got := answer.problem().Detail; !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
}

// TestOneMistakeIsToldOnce: what cannot be read is not complained of again for what it would have meant.
func TestOneMistakeIsToldOnce(t *testing.T) {
	a := open(t, "strict", "")
	for _, query := range []string{
		"/v1/events?until=xyz", "/v1/events?from=2026-11-01T00:00:00Z&until=xyz", "/v1/events?until=", "/v1/events?follow=", "/v1/events?until=0001-01-01T00:00:00Z",
		"/v1/audit?until=xyz", "/v1/records?since=2026-11-01T00:00:00Z&until=xyz", "/v1/records?since=xyz&until=2026-11-01T00:00:00Z",
		"/v1/keys/" + a.client.id + "?as_of=xyz", "/v1/keys/" + a.client.id + "?as_of=0001-01-01T00:00:00Z",
	} {
		answer := a.get(t, query)
		refused(t, answer, 422, "request.invalid")
		if got := answer.problem().Detail; strings.Count(got, "query.") != 1 {
			t.Errorf("%s: got %q, want one complaint", query, got)
		}
	}
}

func TestMethods(t *testing.T) {
	for path, methods := range the.document.Paths {
		path = regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, "1")
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			if o := methods["get"]; methods[strings.ToLower(method)] != nil || o != nil && o.forProxies() { // they take any
				continue
			}
			a := the.root.do(t, method, path, "")
			refused(t, a, 405, "method_not_allowed")
			if got := strings.Join(a.header.Values("Allow"), ","); len(a.header.Values("Allow")) != len(methods) {
				t.Errorf("%s %s: Allow is %s, want what is documented", method, path, got)
			}
		}
	}
	for _, path := range []string{"/openapi.json", "/livez", "/readyz"} {
		refused(t, the.root.do(t, "DELETE", path, ""), 405, "method_not_allowed")
	}
}

func TestMinPositionNeverReached(t *testing.T) {
	began := time.Now()
	a := the.root.get(t, "/v1/keys?min_position=9007199254740991")
	refused(t, a, 503, "position.not_reached")
	if took := time.Since(began); took < time.Second || took > 4*time.Second {
		t.Errorf("answered after %s, want about 2 s", took)
	}
}

func TestWrongStates(t *testing.T) {
	a := open(t, "strict", `{"quota":{"max":2},"recycle":{"max_per_user":1}}`)
	u, w := a.add(t, "alice", "user"), a.add(t, "bob", "user")
	active, disabled := a.in(t, u, "active"), a.in(t, u, "disabled")
	deleted := a.in(t, w, "deleted")
	purged := a.in(t, a.add(t, "carol", "user"), "purged")
	more := a.in(t, w, "disabled")
	at := func(k client) string { return "/v1/keys/" + k.id }
	remove := func(path string) call { return call{method: "DELETE", path: path} }
	for _, b := range []bad{
		{"enable a deleted key", patch(at(deleted), `{"status":"active"}`), 409, "key.in_bin"},
		{"disable a deleted key", patch(at(deleted), `{"status":"disabled"}`), 409, "key.in_bin"},
		{"restore an active key", post(at(active)+"/restore", ""), 409, "restore.not_in_bin"},
		{"purge an active key", post(at(active)+"/purge", ""), 409, "purge.not_in_bin"},
		{"purge a disabled key", post(at(disabled)+"/purge", ""), 409, "purge.not_in_bin"},
		{"delete an active key", remove(at(active)), 409, "delete.requires_disabled"},
		{"delete into a full bin", remove(at(more)), 409, "bin.full"},
		{"create beyond the quota", post("/v1/users/"+u+"/keys", ""), 409, "key.quota"},
		{"enable a purged key", patch(at(purged), `{"status":"active"}`), 410, "key.purged"},
		{"disable a purged key", patch(at(purged), `{"status":"disabled"}`), 410, "key.purged"},
		{"describe a purged key", patch(at(purged), `{"description":"x"}`), 410, "key.purged"},
		{"delete a purged key", remove(at(purged)), 410, "key.purged"},
		{"restore a purged key", post(at(purged)+"/restore", ""), 410, "key.purged"},
		{"purge a purged key", post(at(purged)+"/purge", ""), 410, "key.purged"},
		{"remove a user with keys", remove("/v1/users/" + u), 409, "keyring.keys_exist"},
		{"remove root", remove("/v1/users/" + a.root), 403, "user.root"},
		{"make root a user", patch("/v1/users/"+a.root, `{"role":"user"}`), 403, "user.root_role"},
		{"take a name", post("/v1/users", `{"name":"ALICE"}`), 409, "user.name_taken"},
		{"rename into a name", patch("/v1/users/"+w, `{"name":"Alice"}`), 409, "user.name_taken"},
		{"one change of two refused", patch("/v1/users/"+w, `{"role":"admin","grants":["x"]}`), 422, "user.grant"},
	} {
		b.run(t, a.client)
	}
	if got := decode[user](t, a.get(t, "/v1/users/"+w).ok(t, 200)); got.Role != "user" || got.Name != "bob" {
		t.Errorf("half of a change was made: %+v", got)
	}
	a.create(t, w)
	refused(t, a.send(t, post(at(deleted)+"/restore", "")), 409, "key.quota")
}

// TestStrangers holds that whoever cannot sign with an active key learns
// nothing of keys: the answers differ in the request ID alone.
func TestStrangers(t *testing.T) {
	a := open(t, "strict", "")
	u := a.add(t, "alice", "user")
	active := a.create(t, u)
	disabled, deleted := a.in(t, u, "disabled"), a.in(t, a.add(t, "bob", "user"), "deleted")
	purged := a.in(t, a.add(t, "carol", "user"), "purged")
	wrong := func(c client) client { c.secret = "kls_" + strings.Repeat("x", 36); return c }
	callers := map[string]client{
		"unknown": {a.url, "KLAK0000000000000000", active.secret}, "of another shape": {a.url, "AKIDEXAMPLE", active.secret},
		"badly signed": wrong(active), "disabled": disabled, "disabled, badly signed": wrong(disabled),
		"deleted": deleted, "deleted, badly signed": wrong(deleted), "purged": purged,
		"the decoy": {a.url, "DECOY-KEY-OF-NOBODY-", "a decoy, as long as a real secret is...."},
	}
	ids := regexp.MustCompile(`"request_id":"[^"]*"`)
	var first []byte
	for name, c := range callers {
		for _, k := range []call{get("/v1/caller"), get("/v1/keys/" + active.id), post("/v1/accounts", `{"name":"x"}`), get("/v1/nothing"),
			with(get("/v1/caller"), header("Idempotency-Key", ""))} {
			got := c.send(t, k)
			refused(t, got, 401, "signature.refused")
			body := ids.ReplaceAll(got.body, nil)
			if first == nil {
				first = body
			}
			if !bytes.Equal(body, first) {
				t.Errorf("%s: %s %s is answered\n%s\nand another\n%s", name, k.method, k.path, body, first)
			}
		}
	}
	if got := active.get(t, "/v1/caller"); got.status != 200 {
		t.Errorf("the active key: %s", got.body)
	}
}

func TestBadSignatures(t *testing.T) {
	c := the.root
	at := func(d time.Duration) call { return call{method: "GET", path: "/v1/caller", at: time.Now().Add(d)} }
	after := func(k call, change func(*http.Request)) call { k.after = change; return k }
	mine := get("/v1/caller")
	for _, b := range []bad{
		{"unsigned", call{method: "GET", path: "/v1/caller", unsigned: true}, 401, "signature.required"},
		{"unsigned to an unknown path", call{method: "GET", path: "/v1/nothing", unsigned: true}, 401, "signature.required"},
		{"another scheme", call{method: "GET", path: "/v1/caller", unsigned: true, before: header("Authorization", "Bearer x")}, 401, "signature.required"},
		{"stale", at(-6 * time.Minute), 401, "signature.request_expired"},
		{"from the future", at(6 * time.Minute), 401, "signature.request_not_yet_valid"},
		{"no date", after(mine, func(r *http.Request) { r.Header.Del("X-Amz-Date") }), 401, "signature.missing_date"},
		{"a bad date", after(mine, header("X-Amz-Date", "today")), 401, "signature.bad_date"},
		{"another algorithm", after(mine, header("Authorization", "AWS4-HMAC-SHA1 x")), 401, "signature.unsupported_algorithm"},
		{"half an Authorization", after(mine, header("Authorization", "AWS4-HMAC-SHA256 Credential=x")), 401, "signature.missing_parameter"},
		{"two Authorizations", after(mine, func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) }), 401, "signature.two_authorization_headers"},
		{"an unsigned x-amz- header", after(mine, header("X-Amz-Other", "x")), 401, "signature.header_not_signed"},
		{"unsigned payload", after(mine, header("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")), 401, "signature.unsupported_payload"},
		{"another body", after(post("/v1/users", `{"name":"bob"}`), func(r *http.Request) {
			r.Body, r.ContentLength = newBody(`{"name":"eve"}`), 14
		}), 401, "signature.payload_hash_mismatch"},
		{"another path", after(mine, func(r *http.Request) { r.URL.Path = "/v1/keys" }), 401, "signature.refused"},
		{"another query", after(mine, func(r *http.Request) { r.URL.RawQuery = "limit=1" }), 401, "signature.refused"},
		{"another method", after(mine, func(r *http.Request) { r.Method = "DELETE" }), 401, "signature.refused"},
		{"another Idempotency-Key", after(with(mine, header("Idempotency-Key", "a")), header("Idempotency-Key", "b")), 401, "signature.refused"},
		{"a session token", with(mine, header("X-Amz-Security-Token", "x")), 401, "signature.refused"},
		{"S3's unsigned payload", after(call{method: "GET", path: "/v1/caller", unsigned: true}, func(r *http.Request) {
			unsignedPayload(r, c)
		}), 401, "signature.incomplete"},
		{"presigned", call{method: "GET", path: presigned(c, "/v1/caller"), unsigned: true}, 401, "signature.incomplete"},
	} {
		b.run(t, c)
	}
}

func TestBadIdempotencyKeys(t *testing.T) {
	a := open(t, "strict", "")
	with := func(values ...string) call {
		return call{method: "POST", path: "/v1/users", body: `{"name":"bob"}`, before: header("Idempotency-Key", values...)}
	}
	const code = "idempotency_key.invalid"
	for _, b := range []bad{
		{"empty", with(""), 400, code},
		{"quoted and empty", with(`""`), 400, code},
		{"too long", with(strings.Repeat("x", 129)), 400, code},
		{"with the ledger's own sign", with("a#b"), 400, code},
		{"with a space", with("a b"), 400, code},
		{"not ASCII", with("ü"), 400, code},
		{"twice", with("a", "a"), 400, code},
	} {
		b.run(t, a.client)
	}
	u := a.add(t, "alice", "user")
	reuse := func(name, method, path, body, otherMethod, otherPath, otherBody string) {
		t.Run(name, func(t *testing.T) {
			a.named(t, name, method, path, body)
			refused(t, a.named(t, name, otherMethod, otherPath, otherBody), 422, "request.reused")
		})
	}
	keys := "/v1/users/" + u + "/keys"
	reuse("another-body", "POST", "/v1/users", `{"name":"c"}`, "POST", "/v1/users", `{"name":"d"}`)
	reuse("another-spelling", "POST", "/v1/users", `{"name":"e"}`, "POST", "/v1/users", `{"name": "e"}`)
	reuse("another-path", "POST", keys, "", "POST", "/v1/users", `{"name":"f"}`)
	reuse("another-method", "PATCH", "/v1/users/"+u, `{"role":"auditor"}`, "DELETE", "/v1/users/"+u, "")
	refusedKey := func(t *testing.T, key string) {
		refused(t, a.named(t, key, "POST", "/v1/users", `{"name":"alice"}`), 409, "user.name_taken")
		a.named(t, key, "POST", "/v1/users", fmt.Sprintf(`{"name":%q}`, unique("u"))).ok(t, 201)
	}
	t.Run("a refused request is not remembered", func(t *testing.T) { refusedKey(t, "refused") })
}

// TestLongRequestIDs: the steps that the ledger adds to a long request have
// names of their own.
func TestLongRequestIDs(t *testing.T) {
	long := strings.Repeat("x", 128)
	body := fmt.Sprintf(`{"name":%q}`, t.Name())
	first := the.root.named(t, long, "POST", "/v1/accounts", body).ok(t, 201)
	again := the.root.named(t, long, "POST", "/v1/accounts", body).ok(t, 201)
	k, repeated := decode[key](t, first), decode[key](t, again)
	the.keep(*k.SecretAccessKey)
	if k.AccessKeyID != repeated.AccessKeyID || repeated.SecretAccessKey != nil {
		t.Errorf("repeated: %+v", repeated)
	}
	a := client{the.root.url, k.AccessKeyID, *k.SecretAccessKey}
	u := a.add(t, "alice", "user")
	a.named(t, long, "DELETE", "/v1/users/"+u, "").ok(t, 204)
}

func newBody(text string) io.ReadCloser { return io.NopCloser(strings.NewReader(text)) }

// presigned is a path with the signature in its query.
func presigned(c client, path string) string {
	now := time.Now()
	r, _ := http.NewRequestWithContext(context.Background(), "GET", c.url+path, nil)
	return path + "?" + presign(r, c, now)
}

// unsignedPayload signs a request as S3 may: its body is not covered.
func unsignedPayload(r *http.Request, c client) {
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	signPlainly(r, c, "s3", "UNSIGNED-PAYLOAD", time.Now())
}
