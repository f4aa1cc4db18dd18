package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect/aws"
)

// proxied is what a proxy sends when it holds a request: the client's own headers,
// and its own.
func proxied(t *testing.T, k client, token string, own map[string]string) *http.Request {
	t.Helper()
	held, err := http.NewRequestWithContext(t.Context(), "PUT", "https://photos.example.com/albums/7%20a?size=full", nil)
	if err != nil {
		t.Fatal(err)
	}
	aws.Sign(held, []byte("a picture"), k.id, k.secret, "photos", "local", time.Now())
	path := "/v1/forward-auth"
	if _, nginx := own["X-Original-URI"]; nginx {
		path += "/nginx"
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", k.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = held.Header.Clone()
	req.Header.Set("User-Agent", "camera/1")
	req.Header.Set("X-Keyledger-Gateway-Token", token)
	for name, value := range own {
		req.Header.Set(name, value)
	}
	return req
}

var byNginx = map[string]string{
	"X-Original-Method": "PUT", "X-Original-URI": "/albums/7%20a?size=full", "X-Original-Host": "photos.example.com", "X-Real-IP": "198.51.100.7",
	"X-Keyledger-Service": "photos", "X-Keyledger-Action": "PutPhoto",
}

var byTraefik = map[string]string{
	"X-Forwarded-Method": "PUT", "X-Forwarded-Uri": "/albums/7%20a?size=full", "X-Forwarded-Host": "photos.example.com",
	"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1, 198.51.100.7",
}

func ask(t *testing.T, req *http.Request) *http.Response {
	t.Helper()
	res, err := direct.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res
}

func TestForwardAuth(t *testing.T) {
	a := open(t, "strict", "")
	u := a.add(t, "alice", "user")
	k := a.create(t, u)
	token := decode[struct{ Token string }](t, a.do(t, "POST", "/v1/gateway-tokens", `{"name":"edge"}`).ok(t, 201)).Token
	the.keep(token)
	wrong := func(own map[string]string, name, value string) map[string]string {
		out := map[string]string{name: value}
		for n, v := range own {
			if _, there := out[n]; !there {
				out[n] = v
			}
		}
		return out
	}
	for name, own := range map[string]map[string]string{"nginx": byNginx, "traefik": byTraefik} {
		res := ask(t, proxied(t, k, token, own))
		h := res.Header
		if res.StatusCode != 204 || h.Get("X-Keyledger-Key-Id") != k.id || h.Get("X-Keyledger-Account-Id") != a.id || h.Get("X-Keyledger-User-Id") != u || h.Get("X-Keyledger-Position") == "" {
			t.Errorf("%s: got %d %v", name, res.StatusCode, h)
		}
	}
	if got := a.records(t, "/v1/keys/"+k.id+"/records", 2); len(got) != 2 || got[0].SourceIP != "198.51.100.7" || got[1].SourceIP != "198.51.100.7" {
		t.Errorf("on record: got %v", got)
	}
	for name, c := range map[string]struct {
		own    map[string]string
		token  string
		status int
		reason string
	}{
		"another path":             {wrong(byNginx, "X-Original-URI", "/albums/8?size=full"), token, 401, "signature_refused"},
		"another method":           {wrong(byTraefik, "X-Forwarded-Method", "GET"), token, 401, "signature_refused"},
		"another body":             {wrong(byNginx, "X-Amz-Content-Sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"), token, 401, "signature_refused"},
		"unsigned":                 {wrong(byNginx, "Authorization", ""), token, 401, "unsigned"},
		"no token":                 {byTraefik, "", 401, "gateway_token.required"},
		"a token that is none":     {byNginx, "klgw_000000000000000000000000000000000000", 401, "gateway_token.required"},
		"no method to nginx":       {wrong(byNginx, "X-Original-Method", ""), token, 403, "request.invalid"},
		"nothing said by a proxy":  {map[string]string{}, token, 400, "request.invalid"},
		"identity that is claimed": {wrong(byNginx, "X-Keyledger-Key-Id", "KLAK0000000000000000"), token, 204, ""},
	} {
		res := ask(t, proxied(t, k, c.token, c.own))
		if res.StatusCode != c.status || res.Header.Get("X-Keyledger-Reason") != c.reason {
			t.Errorf("%s: got %d %q, want %d %q", name, res.StatusCode, res.Header.Get("X-Keyledger-Reason"), c.status, c.reason)
		}
		for _, told := range map[string][]string{
			"no method to nginx":      {"X-Original-Method"},
			"nothing said by a proxy": {"X-Forwarded-Method, X-Forwarded-Uri, X-Forwarded-Host"},
		}[name] {
			if detail := res.Header.Get("X-Keyledger-Detail"); !strings.HasSuffix(detail, ": "+told) {
				t.Errorf("%s: it says %q, want it to end in %s", name, detail, told)
			}
		}
		if c.status == 204 && res.Header.Get("X-Keyledger-Key-Id") != k.id {
			t.Errorf("%s: got the identity %q", name, res.Header.Get("X-Keyledger-Key-Id"))
		}
	}
	// What a client claims beside what its proxy says counts for nothing.
	for name, claim := range map[string]http.Header{
		"the other family": {"X-Original-Method": {"PUT"}, "X-Original-Uri": {"/albums/7%20a?size=full"}, "X-Original-Host": {"photos.example.com"}},
		"its own twice":    {"X-Forwarded-Uri": {"/albums/7%20a?size=full", "/admin"}},
	} {
		req := proxied(t, k, token, wrong(wrong(byTraefik, "X-Forwarded-Uri", "/admin"), "X-Forwarded-Method", "DELETE"))
		for n, values := range claim {
			req.Header[n] = values
		}
		if res := ask(t, req); res.StatusCode/100 != 4 {
			t.Errorf("%s: got %d", name, res.StatusCode)
		}
	}
	forged := proxied(t, k, token, wrong(wrong(byTraefik, "X-Real-IP", "10.0.0.1"), "X-Keyledger-Action", "forged"))
	if res := ask(t, forged); res.StatusCode != 204 {
		t.Errorf("with a claimed address: got %d", res.StatusCode)
	}
	for _, r := range a.records(t, "/v1/keys/"+k.id+"/records", 4) {
		if r.Action == "forged" || r.SourceIP == "10.0.0.1" {
			t.Errorf("the client has written its own record: %v", r)
		}
	}
	a.do(t, "PATCH", "/v1/keys/"+k.id, `{"status":"disabled"}`).ok(t, 200)
	if res := ask(t, proxied(t, k, token, byNginx)); res.StatusCode != 403 || res.Header.Get("X-Keyledger-Reason") != "key_disabled" {
		t.Errorf("disabled: got %d %v", res.StatusCode, res.Header)
	}
}

// TestForwardedClient: the record names who spoke with the proxy that asks, or
// whoever a trusted proxy before it names. 192.0.2.0/24 is trusted.
func TestForwardedClient(t *testing.T) {
	a := open(t, "strict", "")
	k := a.create(t, a.add(t, "alice", "user"))
	token := *a.gateway(t, "edge").Token
	for n, c := range []struct {
		family map[string]string
		real   string
		lines  []string
		client string
	}{
		{byNginx, "198.51.100.7", []string{"203.0.113.1"}, "198.51.100.7"},
		{byNginx, "192.0.2.1", []string{"203.0.113.1"}, "203.0.113.1"},
		{byNginx, "192.0.2.1", []string{"10.0.0.1", "203.0.113.1"}, "203.0.113.1"},
		{byNginx, "192.0.2.1", nil, "192.0.2.1"},
		{byNginx, "", []string{"203.0.113.1"}, ""},
		{byTraefik, "", []string{"203.0.113.1, 198.51.100.7"}, "198.51.100.7"},
		{byTraefik, "", []string{"203.0.113.1, 192.0.2.1"}, "203.0.113.1"},
		{byTraefik, "", []string{"203.0.113.1", "192.0.2.1"}, "203.0.113.1"},
		{byTraefik, "", []string{"203.0.113.1, unknown"}, ""},
		{byTraefik, "192.0.2.1", nil, ""},
	} {
		req := proxied(t, k, token, c.family)
		req.Header.Set("X-Real-Ip", c.real)
		req.Header["X-Forwarded-For"] = c.lines
		if res := ask(t, req); res.StatusCode != 204 {
			t.Fatalf("%d: got %d", n, res.StatusCode)
		}
		if got := a.records(t, "/v1/keys/"+k.id+"/records", n+1); len(got) != n+1 || got[0].SourceIP != c.client {
			t.Errorf("%d: got %v, want the address %s", n, got[0], c.client)
		}
	}
}
