package api_test

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

type network struct {
	Status     string `json:"status"`
	Statements []struct {
		Type      string   `json:"type"`
		VPC       string   `json:"vpc"`
		Addresses []string `json:"addresses"`
	} `json:"statements"`
}

// allowing is an active network policy.
func allowing(addresses ...string) string {
	return `{"status":"active","statements":[{"type":"address","addresses":["` + strings.Join(addresses, `","`) + `"]}]}`
}

const unrestricted = `{"status":"inactive","statements":[]}`

// TestNetworkPolicy follows a key through network policies of its account and of its own,
// asked of by a gateway. Every change counts from the next request on.
func TestNetworkPolicy(t *testing.T) {
	for preset, merged := range map[string]string{"alibaba": "", "strict": "network_policy"} {
		t.Run(preset, func(t *testing.T) {
			a := open(t, preset, "")
			k := a.create(t, a.add(t, "alice", "user"))
			ofAccount, ofKey := "/v1/accounts/"+a.id+"/network-policy", "/v1/keys/"+k.id+"/network-policy"
			gateway := decode[struct{ Token string }](t, a.do(t, "POST", "/v1/gateway-tokens", `{"name":"edge"}`).ok(t, 201)).Token
			the.keep(gateway)
			asked := func(what, source, want string) {
				t.Helper()
				f := signedBy(t, k, "x").with("source_ip", source)
				if source == "" {
					delete(f, "source_ip")
				}
				got := decode[verdict](t, k.send(t, call{method: "POST", path: "/v1/verify", body: f.json(), unsigned: true, after: header("Authorization", "Bearer "+gateway)}).ok(t, 200))
				if got.Reason != want || got.Allowed != (want == "") || !got.Genuine {
					t.Errorf("%s, from %q: got %+v, want the reason %q", what, source, got, want)
				}
			}
			if got := decode[network](t, a.get(t, ofKey).ok(t, 200)); got.Status != "inactive" || got.Statements == nil || len(got.Statements) != 0 {
				t.Errorf("before any: got %+v", got)
			}
			asked("no policy", "198.51.100.7", "")
			asked("no policy", "", "")
			a.do(t, "PUT", ofAccount, allowing("127.0.0.0/8", "192.0.2.0/24", "2001:db8::/32")).ok(t, 200)
			asked("the account's", "192.0.2.7", "")
			asked("the account's", "::ffff:192.0.2.7", "")
			asked("the account's", "2001:db8::7", "")
			asked("the account's", "198.51.100.7", "network_policy")
			asked("the account's", "", "network_policy")
			set := a.do(t, "PUT", ofKey, allowing("198.51.100.7")).ok(t, 200)
			if shown := a.get(t, ofKey).ok(t, 200); !reflect.DeepEqual(decode[network](t, shown), decode[network](t, set)) || set.position(t) == 0 {
				t.Errorf("set %s, shown %s", set.body, shown.body)
			}
			asked("the key's own", "198.51.100.7", merged)
			asked("the key's own", "192.0.2.7", "network_policy")
			a.do(t, "PUT", ofKey, unrestricted).ok(t, 200)
			asked("an inactive one of the key", "192.0.2.7", "")
			asked("an inactive one of the key", "198.51.100.7", "network_policy")
			a.do(t, "PUT", ofAccount, unrestricted).ok(t, 200)
			asked("none again", "198.51.100.7", "")

			// What was denied is on record as that.
			denied := a.records(t, "/v1/keys/"+k.id+"/records?outcome=denied", 1)
			if len(denied) < 1 || denied[0].Reason != "network_policy" {
				t.Errorf("on record: %+v", denied)
			}
			history := string(a.get(t, "/v1/keys/"+k.id+"/history").ok(t, 200).body)
			if n := strings.Count(history, "key.network.policy.set.v1"); n != 2 || !strings.Contains(history, "198.51.100.7") {
				t.Errorf("the history holds %d of the key's network policies: %s", n, history)
			}
			if n := strings.Count(string(a.get(t, "/v1/audit?action=account.network.policy.set").ok(t, 200).body), `"position"`); n != 2 {
				t.Errorf("the audit holds %d of the account's network policies, want 2", n)
			}
		})
	}
}

// TestNetworkPolicyOfCallers: the native API is no way around.
func TestNetworkPolicyOfCallers(t *testing.T) {
	a := open(t, "strict", "")
	k := a.create(t, a.add(t, "alice", "admin"))
	a.do(t, "PUT", "/v1/keys/"+k.id+"/network-policy", allowing("192.0.2.1")).ok(t, 200)
	refused(t, k.get(t, "/v1/caller"), http.StatusForbidden, "network_policy.denied")
	refused(t, k.do(t, "PUT", "/v1/keys/"+k.id+"/network-policy", unrestricted), http.StatusForbidden, "network_policy.denied")
	wrong := k
	wrong.secret = strings.Repeat("x", len(k.secret))
	refused(t, wrong.get(t, "/v1/caller"), http.StatusUnauthorized, "signature.refused")
	a.do(t, "PUT", "/v1/keys/"+k.id+"/network-policy", unrestricted).ok(t, 200)
	k.get(t, "/v1/caller").ok(t, 200)
}

// TestNobodyLocksHimselfOut: the account of whoever asks, from where he asks.
func TestNobodyLocksHimselfOut(t *testing.T) {
	a := open(t, "alibaba", "")
	path := "/v1/accounts/" + a.id + "/network-policy"
	refused(t, a.do(t, "PUT", path, allowing("192.0.2.1")), http.StatusConflict, "network_policy.locks_out")
	a.get(t, "/v1/caller").ok(t, 200)
	the.root.do(t, "PUT", path, allowing("192.0.2.1")).ok(t, 200) // the operator is in another account, and can take it back
	refused(t, a.get(t, "/v1/caller"), http.StatusForbidden, "network_policy.denied")
	the.root.do(t, "PUT", path, unrestricted).ok(t, 200)
	a.get(t, "/v1/caller").ok(t, 200)
}

func TestNetworkPolicyBadInput(t *testing.T) {
	a := open(t, "alibaba", "")
	path := "/v1/accounts/" + a.id + "/network-policy"
	statement := `{"type":"address","addresses":["127.0.0.1"]}`
	for body, code := range map[string]string{
		`{}`:                                    "request.invalid",
		`{"status":"active"}`:                   "request.invalid",
		`{"status":"active","statements":null}`: "request.invalid",
		`{"status":"on","statements":[]}`:       "request.invalid",
		`{"status":"active","statements":[]}`:   "network_policy.invalid",
		`{"status":"inactive","statements":[` + strings.Repeat(statement+",", 8) + statement + `]}`:     "request.invalid",
		`{"status":"inactive","statements":[{"type":"ip","addresses":["127.0.0.1"]}]}`:                  "request.invalid",
		`{"status":"inactive","statements":[{"type":"address","addresses":[]}]}`:                        "request.invalid",
		`{"status":"inactive","statements":[{"type":"address","vpc":"any","addresses":["127.0.0.1"]}]}`: "network_policy.invalid",
		allowing("127.0.0.1/8"):  "network_policy.invalid",
		allowing("localhost"):    "network_policy.invalid",
		allowing("fe80::1%eth0"): "network_policy.invalid",
		fmt.Sprintf(`{"status":"inactive","statements":[{"type":"address","addresses":[%s"::1"]}]}`, strings.Repeat(`"::1",`, 50)): "request.invalid",
	} {
		refused(t, a.do(t, "PUT", path, body), http.StatusUnprocessableEntity, code)
	}
	if got := decode[network](t, a.get(t, path).ok(t, 200)); got.Status != "inactive" || len(got.Statements) != 0 {
		t.Errorf("what was refused left %+v", got)
	}
}

// TestNetworkPolicyBehindProxies: what counts is the client's address, as its proxy says it.
func TestNetworkPolicyBehindProxies(t *testing.T) {
	a := open(t, "alibaba", "")
	k := a.create(t, a.add(t, "alice", "user"))
	token := decode[struct{ Token string }](t, a.do(t, "POST", "/v1/gateway-tokens", `{"name":"edge"}`).ok(t, 201)).Token
	the.keep(token)
	for _, c := range []struct {
		allowed string
		status  int
		reason  string
	}{{"198.51.100.7", 204, ""}, {"127.0.0.1", 403, "network_policy"}} {
		a.do(t, "PUT", "/v1/keys/"+k.id+"/network-policy", allowing(c.allowed)).ok(t, 200)
		for name, own := range map[string]map[string]string{"nginx": byNginx, "traefik": byTraefik} {
			res := ask(t, proxied(t, k, token, own))
			if res.StatusCode != c.status || res.Header.Get("X-Keyledger-Reason") != c.reason {
				t.Errorf("%s, allowing %s: got %d %q", name, c.allowed, res.StatusCode, res.Header.Get("X-Keyledger-Reason"))
			}
		}
	}
}
