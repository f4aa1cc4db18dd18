package api_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// A family is an account with a user of every role and, besides, one to whom
// things are done.
type family struct {
	account
	users   map[string]string // by name
	clients map[string]client // by name
	keys    map[string]targetKeys
	token   string // ID of a gateway token
}

// targetKeys are keys of one user to try things on.
type targetKeys struct{ active, disabled, deleted string }

// raise opens an account and adds users, name by name with their roles.
func raise(t *testing.T, preset, overrides string, members ...[2]string) family {
	t.Helper()
	f := family{account: open(t, preset, overrides)}
	f.populate(t, f.root, members)
	return f
}

func (f *family) populate(t *testing.T, root string, members [][2]string) {
	t.Helper()
	f.token = f.gateway(t, "edge").TokenID
	f.users, f.clients, f.keys = map[string]string{"root": root}, map[string]client{"root": f.client}, map[string]targetKeys{}
	for _, m := range members {
		f.users[m[0]] = f.add(t, unique(m[0]), m[1])
		f.clients[m[0]] = f.create(t, f.users[m[0]])
	}
	for name, u := range f.users {
		// The recycle bin is filled first: the quota counts the others.
		f.keys[name] = targetKeys{deleted: f.in(t, u, "deleted").id, disabled: f.in(t, u, "disabled").id, active: f.create(t, u).id}
	}
}

// A target is what a request in the table is about.
type target struct {
	account, user string
	keys          targetKeys
	token         string
}

// A routed is a route with a request to it that is harmless when it is allowed,
// and how it is answered then.
type routed struct {
	id      string // of the operation in the OpenAPI document
	op      string // what permission calls it
	request func(target) call
	status  int
	code    string
}

func do(method, path, body string) func(target) call {
	return func(g target) call {
		return call{method: method, path: fill(path, g), body: fill(body, g)}
	}
}

func fill(text string, g target) string {
	return strings.NewReplacer("$account", g.account, "$user", g.user, "$active", g.keys.active, "$disabled", g.keys.disabled,
		"$deleted", g.keys.deleted, "$token", g.token, "$new", unique("u")).Replace(text)
}

// routes is every route of the API.
var routes = []routed{
	{"show-caller", "self", do("GET", "/v1/caller", ""), 200, ""},
	{"verify-request", "self", do("POST", "/v1/verify", `{"method":"GET","target":"/","host":"x"}`), 200, ""},
	{"verify-requests", "self", do("POST", "/v1/verify/batch", `{"requests":[{"method":"GET","target":"/","host":"x"}]}`), 200, ""},
	{"explain-request", "key.explain", do("POST", "/v1/explain", `{"method":"GET","target":"/","host":"x","headers":[{"name":"X-Amz-Date","value":"20260101T000000Z"},{"name":"Authorization",`+
		`"value":"AWS4-HMAC-SHA256 Credential=$active/20260101/r/s/aws4_request, SignedHeaders=host;x-amz-date, Signature=`+strings.Repeat("0", 64)+`"}]}`), 200, ""},
	{"list-key-records", "key.read", do("GET", "/v1/keys/$active/records", ""), 200, ""},
	{"list-records", "audit.read", do("GET", "/v1/records?account_id=$account", ""), 200, ""},
	{"show-last-used", "key.read", do("GET", "/v1/keys/$active/last-used", ""), 200, ""},
	{"list-key-counts", "key.read", do("GET", "/v1/keys/$active/counts", ""), 200, ""},
	{"report-unused", "key.list", do("GET", "/v1/reports/unused?account_id=$account", ""), 200, ""},
	{"open-account", "account.open", do("POST", "/v1/accounts", `{"name":"$new"}`), 201, ""},
	{"list-accounts", "account.open", do("GET", "/v1/accounts", ""), 200, ""},
	{"show-account", "account.read", do("GET", "/v1/accounts/$account", ""), 200, ""},
	{"set-policy", "account.policy", do("PUT", "/v1/accounts/$account/policy", `{"overrides":{"quota":{"max":100},"self_service":"on"}}`), 200, ""},
	{"show-account-network-policy", "account.read", do("GET", "/v1/accounts/$account/network-policy", ""), 200, ""},
	{"set-account-network-policy", "account.network", do("PUT", "/v1/accounts/$account/network-policy", `{"status":"inactive","statements":[]}`), 200, ""},
	{"show-key-network-policy", "key.read", do("GET", "/v1/keys/$active/network-policy", ""), 200, ""},
	{"set-key-network-policy", "key.network", do("PUT", "/v1/keys/$active/network-policy", `{"status":"inactive","statements":[]}`), 200, ""},
	{"restrict-key", "key.restrict", do("POST", "/v1/keys/$disabled/restrict", `{"reason":"leaked"}`), 200, ""},
	{"unrestrict-key", "key.restrict", do("POST", "/v1/keys/$disabled/unrestrict", ""), 200, ""},
	{"add-user", "user.write", do("POST", "/v1/users?account_id=$account", `{"name":"$new"}`), 201, ""},
	{"change-user", "user.write", do("PATCH", "/v1/users/$user?account_id=$account", `{"grants":[]}`), 200, ""},
	{"remove-user", "user.write", do("DELETE", "/v1/users/$user?account_id=$account", ""), 409, "keyring.keys_exist"},
	{"show-user", "user.read", do("GET", "/v1/users/$user?account_id=$account", ""), 200, ""},
	{"list-users", "user.list", do("GET", "/v1/users?account_id=$account", ""), 200, ""},
	{"create-key", "key.write", do("POST", "/v1/users/$user/keys?account_id=$account", ""), 201, ""},
	{"import-key", "key.write", do("POST", "/v1/users/$user/keys/import?account_id=$account", `{"access_key_id":"AK$new","secret_access_key":"from elsewhere"}`), 201, ""},
	{"list-user-keys", "key.read", do("GET", "/v1/users/$user/keys?account_id=$account", ""), 200, ""},
	{"show-key", "key.read", do("GET", "/v1/keys/$active", ""), 200, ""},
	{"update-key", "key.write", do("PATCH", "/v1/keys/$active", `{"status":"active"}`), 200, ""},
	{"delete-key", "key.write", do("DELETE", "/v1/keys/$deleted", ""), 200, ""},
	{"restore-key", "key.write", do("POST", "/v1/keys/$disabled/restore", ""), 200, ""},
	{"purge-key", "key.write", do("POST", "/v1/keys/$disabled/purge", ""), 409, "purge.not_in_bin"},
	{"show-key-history", "key.read", do("GET", "/v1/keys/$deleted/history", ""), 200, ""},
	{"list-keys", "key.list", do("GET", "/v1/keys?account_id=$account", ""), 200, ""},
	{"list-recycle-bin", "key.list", do("GET", "/v1/recycle-bin?account_id=$account", ""), 200, ""},
	{"list-recycle-bin", "key.read", do("GET", "/v1/recycle-bin?account_id=$account&user_id=$user", ""), 200, ""},
	{"create-gateway-token", "gateway.write", do("POST", "/v1/gateway-tokens?account_id=$account", `{"name":"$new"}`), 201, ""},
	{"revoke-gateway-token", "gateway.write", do("DELETE", "/v1/gateway-tokens/$token?account_id=$account", ""), 200, ""},
	{"list-gateway-tokens", "gateway.list", do("GET", "/v1/gateway-tokens?account_id=$account", ""), 200, ""},
	{"list-audit", "audit.read", do("GET", "/v1/audit?account_id=$account&user_id=$user", ""), 200, ""},
	{"follow-events", "audit.read", do("GET", "/v1/events?account_id=$account&follow=false&type=key.created", ""), 200, ""},
	{"follow-events", "key.read", do("GET", "/v1/events?account_id=$account&user_id=$user&follow=false", ""), 200, ""},
	{"follow-events", "operate", do("GET", "/v1/events?account_id=all&follow=false", ""), 200, ""},
	{"show-status", "operate", do("GET", "/v1/status", ""), 200, ""},
	{"confirm-clock", "operate", do("POST", "/v1/clock/confirm", ""), 200, ""},
	{"acknowledge-record", "operate", do("POST", "/v1/projections/audit/acknowledge", `{"position":1,"reason":"it was looked at"}`), 409, "acknowledge.not_stopped"},
	{"rebuild-projection", "operate", do("POST", "/v1/projections/deadlines/rebuild", ""), 202, ""},
}

// ops is the order of the columns of the table.
var ops = strings.Fields("self account.open account.read account.policy user.write user.read user.list account.network key.network key.restrict key.write key.read key.list audit.read gateway.write gateway.list operate key.explain")

// allowed is the table: for each caller and operation in the order of ops, about
// its own user, another user of its account, and another account. A: allowed, d:
// denied, h: answered as if it did not exist.
var allowed = map[string]string{
	"operator root":    "AAA AAA AAA AAA AAA AAA AAA AAA AAA AAA AAA AAA AAA AAA AAA AAA AAA AAh",
	"operator admin":   "AAA AAA AAA AAA AAA AAA AAA AAA AAA AAA AAA AAA AAA AAA AAA AAA AAA AAh",
	"operator auditor": "AAA ddd AAh ddh ddh AAh AAh ddh ddh ddh ddh AAh AAh AAh ddh ddh ddd ddd",
	"operator user":    "AAA ddd ddh ddh ddh Ahh ddh ddh dhh dhh Ahh Ahh ddh ddh ddh ddh ddd ddd",
	"root":             "AAA ddd AAh AAh AAh AAh AAh AAh AAh AAh AAh AAh AAh AAh AAh AAh ddd AAh",
	"admin":            "AAA ddd AAh AAh AAh AAh AAh AAh AAh AAh AAh AAh AAh AAh AAh AAh ddd AAh",
	"auditor":          "AAA ddd AAh ddh ddh AAh AAh ddh ddh ddh ddh AAh AAh AAh ddh ddh ddd ddd",
	"user":             "AAA ddd ddh ddh ddh Ahh ddh ddh dhh dhh Ahh Ahh ddh ddh ddh ddh ddd ddd",
	"ungranted":        "AAA ddd ddh ddh ddh Ahh ddh ddh dhh dhh dhh Ahh ddh ddh ddh ddh ddd ddd",
	"granted":          "AAA ddd ddh ddh ddh Ahh ddh ddh dhh dhh Ahh Ahh ddh ddh ddh ddh ddd ddd",
}

func TestRoles(t *testing.T) {
	const wide = `{"quota":{"max":100},"recycle":{"retention_seconds":86400,"max_per_user":0}}`
	everybody := [][2]string{{"admin", "admin"}, {"auditor", "auditor"}, {"user", "user"}, {"other", "user"}}
	tenant := raise(t, "strict", wide, everybody...)
	foreign := raise(t, "strict", wide, [2]string{"stranger", "user"})
	granting := raise(t, "cdnetworks", wide, [2]string{"ungranted", "user"}, [2]string{"granted", "user"}, [2]string{"other", "user"})
	granting.do(t, "PATCH", "/v1/users/"+granting.users["granted"], `{"grants":["manage-own-keys"]}`).ok(t, 200)
	operator := family{account: account{id: the.operator, client: the.root}}
	operator.do(t, "PUT", "/v1/accounts/"+the.operator+"/policy", `{"overrides":`+wide+`}`).ok(t, 200)
	self := decode[user](t, operator.get(t, "/v1/caller"))
	operator.populate(t, self.UserID, everybody)

	unknown := target{"888888888888", "999999999999999999", targetKeys{"KLAK0000000000000000", "KLAK0000000000000001", "KLAK0000000000000002"}, "KLGT0000000000000000"}
	stranger := target{foreign.id, foreign.users["stranger"], foreign.keys["stranger"], foreign.token}
	for who, verdicts := range allowed {
		home, name := tenant, who
		if role, ok := strings.CutPrefix(who, "operator "); ok {
			home, name = operator, role
		}
		if who == "granted" || who == "ungranted" {
			home = granting
		}
		own := target{home.id, home.users[name], home.keys[name], home.token}
		other := target{home.id, home.users["other"], home.keys["other"], home.token}
		caller := home.clients[name]
		for _, r := range routes {
			want := strings.Fields(verdicts)[index(t, r.op)]
			for i, g := range []target{own, other, stranger} {
				if who == "operator root" && i == 0 && r.id == "remove-user" || who == "root" && i == 0 && r.id == "remove-user" {
					continue // root is never removed
				}
				if g.account == the.operator && r.id == "set-policy" || home.id == granting.id && i < 2 && r.id == "set-policy" && want[i] == 'A' {
					continue // it would change the table
				}
				got := caller.send(t, r.request(g))
				if verdict := judged(got, r); verdict != string(want[i]) {
					t.Errorf("%s: %s of %s: got %s, want %c: %d %s", who, r.id, [3]string{"its own", "another", "another account"}[i], verdict, want[i], got.status, got.body)
				}
				if want[i] == 'h' && i == 2 {
					nobody := caller.send(t, r.request(unknown))
					if a, b := anonymous(got, stranger), anonymous(nobody, unknown); a != b {
						t.Errorf("%s: %s tells a foreign one from an unknown one:\n%s\n%s", who, r.id, a, b)
					}
				}
			}
		}
	}
}

func index(t *testing.T, op string) int {
	t.Helper()
	for i, o := range ops {
		if o == op {
			return i
		}
	}
	t.Fatalf("%s is no column of the table", op)
	return 0
}

// judged is how an answer stands in the table.
func judged(a answer, r routed) string {
	switch p := a.problem(); {
	case a.status == r.status && p.Code == r.code:
		return "A"
	case a.status == 403 && p.Code == "permission.denied":
		return "d"
	case a.status == 404 && strings.HasSuffix(p.Code, ".not_found"):
		return "h"
	}
	return "?"
}

var requestID = regexp.MustCompile(`"request_id":"[^"]*"`)

// anonymous is an answer without the IDs that were in the request.
func anonymous(a answer, g target) string {
	text := fmt.Sprint(a.status, " ", string(requestID.ReplaceAll(a.body, nil)))
	return strings.NewReplacer(g.account, "-", g.user, "-", g.keys.active, "-", g.keys.disabled, "-", g.keys.deleted, "-", g.token, "-").Replace(text)
}

// TestEveryRouteHasARow: a route of which the table does not say who may use
// it is not served.
func TestEveryRouteHasARow(t *testing.T) {
	rows := map[string]bool{}
	for _, r := range routes {
		rows[r.id] = true
	}
	for path, methods := range the.document.Paths {
		for method, o := range methods {
			if !rows[o.ID] {
				t.Errorf("%s %s (%s) is not in the table of roles", method, path, o.ID)
			}
			delete(rows, o.ID)
		}
	}
	for id := range rows {
		t.Errorf("%s is in the table of roles and is no route", id)
	}
}
