package node_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/builtin"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
	"github.com/keyledger/keyledger/services/dialect/vector"
	"github.com/keyledger/keyledger/services/verify"
)

// imports are shapes of keys from elsewhere: the vendors', and what is just allowed.
var imports = map[string][2]string{
	"AWS":        {"AKIATESTQ7ZK4M2X9VB3", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"},
	"Alibaba":    {"LTAI5tTESTONLYqtWL7EpyDr", "T7rS5wM2kX9vB3nQ8zL4cF6hJ1pD0y"},
	"Alibaba 16": {"6MKOqxGiGU4AUk44", "ufu7nS8kS59awNihtjSonMETLI0KLy"},
	"Tencent":    {"AKIDTESTONLYIZALYWnpwegkUBmwlYh5mHKY", "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"},
	"Huawei":     {"TESTHW7Q2K9ZX4M1VB8C", "9mR3tY7uI1oP5aS8dF2gH6jK0lZ4xC7vB1nM3qW5"},
	"CDNetworks": {"TESTcncAk4kV9bQ2xL7mZ8pW3rT6yN1cF5hJ", strings.Repeat("aZ09", 16) + "="},
	"shortest":   {"a-_", "x"},
	"longest":    {strings.Repeat("Ab0-_z9K", 16), strings.Repeat("~ }{|&=%+", 28) + "end"},
}

// templates is a captured request of each scheme that is spoken, in the order of their times.
func templates(t *testing.T) (out []vector.Vector) {
	t.Helper()
	found := map[string]vector.Vector{}
	for _, d := range builtin.All() {
		for _, e := range dialecttest.Load(t, filepath.Join("../dialect", d.Name, "testdata/vectors")) {
			if _, there := found[e.Scheme]; there || !e.Valid {
				continue
			}
			if _, err := signedAs(e, "AKIATESTQ7ZK4M2X9VB3", "another secret"); err == nil {
				found[e.Scheme] = e
			}
		}
	}
	for _, s := range builtin.Schemes() {
		e, there := found[s.Name()]
		if !there {
			t.Fatalf("no captured request of %s can be signed anew; got %d", s.Name(), len(found))
		}
		out = append(out, e)
	}
	slices.SortStableFunc(out, func(a, b vector.Vector) int { return int(a.VerifyAt - b.VerifyAt) })
	return out
}

// signedAs is a captured request signed anew by another key, wherever it writes ID and signature; change is what else stands in
// it, and what is to stand there, in turn.
func signedAs(e vector.Vector, id, secret string, change ...string) (vector.Vector, error) {
	claims, err := dialect.Read(e.Request(), builtin.Schemes())
	if err != nil {
		return e, err
	}
	i := slices.IndexFunc(claims, func(c dialect.Claim) bool { return bytes.Equal(c.MAC([]byte(e.Secret)), c.Signature) })
	if i < 0 || claims[i].SessionToken != "" || claims[i].Scheme != e.Scheme {
		return e, fmt.Errorf("it is no plain request of %s", e.Scheme)
	}
	for i := 0; i < len(change); i += 2 {
		e = replaced(e, change[i], change[i+1])
	}
	e = replaced(e, e.AccessKeyID, id)
	e.AccessKeyID, e.Secret = id, secret
	if claims, err = dialect.Read(e.Request(), builtin.Schemes()); err != nil {
		return e, err
	}
	old, anew := claims[i].Signature, claims[i].MAC([]byte(secret))
	e = replaced(e, hex.EncodeToString(old), hex.EncodeToString(anew))
	b64 := base64.StdEncoding.EncodeToString
	e = replaced(e, url.QueryEscape(b64(old)), url.QueryEscape(b64(anew)))
	e = replaced(e, b64(old), b64(anew))
	if j := vector.Judge(e, builtin.Schemes()); !j.Valid {
		return e, fmt.Errorf("signed anew it is %s", j.Reason)
	}
	return e, nil
}

func replaced(e vector.Vector, old, anew string) vector.Vector {
	e.RequestTarget = strings.ReplaceAll(e.RequestTarget, old, anew)
	e.Body = bytes.ReplaceAll(e.Body, []byte(old), []byte(anew))
	headers := make([][]string, len(e.Headers))
	for i, h := range e.Headers {
		headers[i] = []string{h[0], strings.ReplaceAll(h[1], old, anew)}
	}
	e.Headers = headers
	return e
}

// opened opens an account with a preset that leaves room for many keys; the client signs as its root user.
func (g *gateway) opened(preset string) *client {
	g.Helper()
	answer := g.ask(http.MethodPost, "/v1/accounts", fmt.Sprintf(`{"name":%q,"preset":%q,"overrides":{"quota":{"max":50}}}`, preset, preset))
	c := &client{world: g.world, url: g.url}
	c.as.AccountID, c.as.UserID = answer["account_id"].(string), answer["root_user_id"].(string)
	c.as.AccessKeyID, c.as.SecretAccessKey = answer["access_key_id"].(string), answer["secret_access_key"].(string)
	return c
}

// TestAnyKeyWithAnyScheme: a key that is drawn under any preset, and one of any shape that is imported, signs by every
// scheme that is spoken; where a policy narrows them, what is signed by another is refused, at every door.
func TestAnyKeyWithAnyScheme(t *testing.T) {
	all := templates(t)
	g := newGateway(t, all[:1])
	g.token = g.ask(http.MethodPost, "/v1/gateway-tokens", `{"name":"all","installation":true}`)["token"].(string)
	keys := map[string][2]string{}
	for _, preset := range []string{"huawei", "cdnetworks", "tencent", "obs", "alibaba", "strict", "aws"} {
		c := g.opened(preset)
		k := c.ask(http.MethodPost, "/v1/users/"+c.as.UserID+"/keys", "")
		keys["a key under "+preset] = [2]string{k["access_key_id"].(string), k["secret_access_key"].(string)}
	}
	c := g.opened("strict")
	for shape, k := range imports {
		if k[0] == all[0].AccessKeyID {
			t.Fatalf("%s is imported already", k[0])
		}
		body, err := json.Marshal(map[string]string{"access_key_id": k[0], "secret_access_key": k[1]})
		if err != nil {
			t.Fatal(err)
		}
		c.ask(http.MethodPost, "/v1/users/"+c.as.UserID+"/keys/import", string(body))
		keys["imported, "+shape] = k
	}
	narrowed := map[string]*narrow{}
	for _, s := range builtin.Schemes() {
		narrowed[s.Name()] = g.narrow(s.Name())
	}
	for _, e := range all {
		g.put(e.VerifyAt)
		for what, k := range keys {
			if got := g.verify(as(t, e, k)); !got.Allowed {
				t.Errorf("%s, %s: got %+v, want it allowed", what, e.Scheme, got)
			}
		}
		for _, n := range narrowed {
			n.tries(e)
		}
	}
	for _, n := range narrowed {
		n.recorded(all)
	}
}

func as(t *testing.T, e vector.Vector, k [2]string, change ...string) vector.Vector {
	t.Helper()
	signed, err := signedAs(e, k[0], k[1], change...)
	if err != nil {
		t.Fatalf("%s, by %s: %v", e.Scheme, k[0], err)
	}
	return signed
}

// A narrow is an account whose policy allows one scheme, and two of its keys: a nonce comes but once from a key.
type narrow struct {
	*gateway
	scheme       string
	asked, knock [2]string
}

func (g *gateway) narrow(scheme string) *narrow {
	g.Helper()
	c := g.opened("strict")
	k := c.ask(http.MethodPost, "/v1/users/"+c.as.UserID+"/keys", "")
	g.ask(http.MethodPut, "/v1/accounts/"+c.as.AccountID+"/policy", fmt.Sprintf(`{"overrides":{"signature":{"schemes":[%q]}}}`, scheme))
	return &narrow{g, scheme, [2]string{c.as.AccessKeyID, c.as.SecretAccessKey}, [2]string{k["access_key_id"].(string), k["secret_access_key"].(string)}}
}

// tries asks about a request, and sends it to its own door: it is refused unless it is signed by the one scheme.
func (n *narrow) tries(e vector.Vector) {
	n.Helper()
	got, reason := n.verify(as(n.T, e, n.asked)), verify.SchemeNotAllowed
	if e.Scheme == n.scheme {
		reason = ""
	}
	if got.Allowed != (reason == "") || got.Reason != reason || !got.Genuine {
		n.Errorf("%s, where %s alone is allowed: got %+v", e.Scheme, n.scheme, got)
	}
	if status, body := n.direct(as(n.T, e, n.knock)); reason != "" && !refusal(status, body) {
		n.Errorf("%s at its own door, where %s alone is allowed: got %d %s", e.Scheme, n.scheme, status, body)
	}
}

// refusal says whether an answer is one of those that a request gets whose key is not valid.
func refusal(status int, body string) bool {
	for _, code := range []string{"InvalidClientTokenId", "InvalidAccessKeyId", "InvalidAccessKey", "APIGW.0301", "AuthFailure.SecretIdNotFound", "signature.refused"} {
		if strings.Contains(body, code) {
			return status >= 400 || strings.HasPrefix(code, "AuthFailure.") // which comes with 200
		}
	}
	return false
}

// recorded holds that what was sent to the doors is on record as genuine, and denied but for the one scheme: it was the policy that refused.
func (n *narrow) recorded(all []vector.Vector) {
	n.Helper()
	var seen map[string]string
	n.eventually("the records of "+n.knock[0], func() bool {
		seen = map[string]string{}
		for _, item := range n.ask(http.MethodGet, "/v1/keys/"+n.knock[0]+"/records?limit=100", "")["items"].([]any) {
			r := item.(map[string]any)
			seen[r["scheme"].(string)] = fmt.Sprint(r["outcome"], " ", r["reason"])
		}
		return len(seen) == len(all)
	})
	for _, e := range all {
		want := "denied " + verify.SchemeNotAllowed
		if e.Scheme == n.scheme {
			want = "allowed <nil>"
		}
		if seen[e.Scheme] != want {
			n.Errorf("%s, where %s alone is allowed, is on record as %q, want %q", e.Scheme, n.scheme, seen[e.Scheme], want)
		}
	}
}

// direct sends a request to the node itself, byte for byte.
func (g *gateway) direct(e vector.Vector) (status int, body string) {
	g.Helper()
	r := httptest.NewRequest(e.Method, "http://x/", bytes.NewReader(e.Body))
	r.RequestURI, r.Host, r.URL = "", e.Request().Get("Host"), &url.URL{Scheme: "http", Host: strings.TrimPrefix(g.url, "http://"), Opaque: e.RequestTarget}
	r.Header = http.Header{}
	for _, h := range e.Headers {
		if !strings.EqualFold(h[0], "Host") && !strings.EqualFold(h[0], "Content-Length") && !strings.EqualFold(h[0], "Transfer-Encoding") {
			r.Header.Add(h[0], h[1])
		}
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		g.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		g.Fatal(err)
	}
	return res.StatusCode, string(text)
}
