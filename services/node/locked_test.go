package node_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/vector"
	"github.com/keyledger/keyledger/services/verify"
)

// TestLockedWhereverItIsVerified: what is signed as Huawei Cloud's clients do is locked for the source of too many wrong
// signatures at every door, and for no other source; nor is what others sign by that key.
func TestLockedWhereverItIsVerified(t *testing.T) {
	e, derived := captured(t, "huawei", "iam3-list-nouser"), captured(t, "huawei", "derived-create")
	g := newGateway(t, []vector.Vector{e})
	g.put(e.VerifyAt)
	a := g.opened("huawei")
	g.token = g.ask(http.MethodPost, "/v1/gateway-tokens", `{"name":"all","installation":true}`)["token"].(string)
	own := [2]string{a.as.AccessKeyID, a.as.SecretAccessKey}
	right, wrong := as(t, e, own), as(t, e, [2]string{own[0], own[1] + "x"})
	asked := func(what, source string, e vector.Vector, want string) {
		t.Helper()
		g.source = source
		if got := g.verify(e); got.Reason != want || got.Allowed != (want == "") {
			t.Errorf("%s: got %+v, want %q", what, got, want)
		}
	}
	for range 6 {
		asked("a wrong one, from nowhere", "", wrong, dialect.SignatureMismatch)
	}
	asked("a right one, from nowhere", "", right, "")
	for range 6 {
		asked("a wrong one", "192.0.2.1", wrong, dialect.SignatureMismatch)
	}
	asked("a right one, from there", "192.0.2.1", right, verify.KeyLocked)
	asked("by the vendor's other signature", "192.0.2.1", as(t, derived, own), verify.KeyLocked)
	asked("from elsewhere", "192.0.2.2", right, "")
	if status, body := g.direct(right); status != http.StatusOK {
		t.Errorf("at its own door, from elsewhere: got %d %s", status, body)
	}
	g.source = "127.0.0.1" // where the test itself is, which knocks at the vendor's own door
	for range 6 {
		asked("a wrong one, from here", g.source, wrong, dialect.SignatureMismatch)
	}
	if status, body := g.direct(right); status != http.StatusUnauthorized || !strings.Contains(body, "AK access failed to reach the limit") {
		t.Errorf("at its own door, from where too many wrong ones were verified: got %d %s", status, body)
	}
	for what, e := range map[string]vector.Vector{"right": right, "wrong": wrong} {
		if status, reason := g.held(e, "127.0.0.1"); status != http.StatusUnauthorized || reason != "signature_refused" {
			t.Errorf("a %s one, held by a proxy: got %d %s; want nothing by which to tell a right guess", what, status, reason)
		}
	}
	if status, reason := g.held(right, "192.0.2.3"); status != http.StatusNoContent {
		t.Errorf("held by a proxy, from elsewhere: got %d %s", status, reason)
	}
	if status, answer := a.send(http.MethodGet, "/v1/caller", ""); status != http.StatusOK {
		t.Errorf("signed as another vendor's clients do: got %d %s", status, answer)
	}
}

// held asks about a request as a proxy does that holds it, and returns the status and the reason.
func (g *gateway) held(e vector.Vector, client string) (status int, reason string) {
	g.Helper()
	req, err := http.NewRequestWithContext(g.Context(), http.MethodGet, g.url+"/v1/forward-auth", nil)
	if err != nil {
		g.Fatal(err)
	}
	for _, h := range e.Headers {
		req.Header.Add(h[0], h[1])
	}
	req.Header.Del("Host")
	for name, value := range map[string]string{
		"Method": e.Method, "Uri": e.RequestTarget, "Host": e.Request().Get("Host"), "For": client,
	} {
		req.Header.Set("X-Forwarded-"+name, value)
	}
	req.Header.Set("X-Keyledger-Gateway-Token", g.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		g.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode, res.Header.Get("X-Keyledger-Reason")
}
