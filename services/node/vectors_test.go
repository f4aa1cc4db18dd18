package node_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/builtin"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
	"github.com/keyledger/keyledger/services/dialect/vector"
	"github.com/keyledger/keyledger/services/verify"
)

// TestVectorsThroughVerify asks POST /v1/verify of a running node about each captured request of each vendor's
// clients, at its own time, with its key imported under its own ID and secret.
func TestVectorsThroughVerify(t *testing.T) {
	for _, d := range builtin.All() {
		t.Run(d.Name, func(t *testing.T) {
			entries := dialecttest.Load(t, filepath.Join("../dialect", d.Name, "testdata/vectors"))
			slices.SortStableFunc(entries, func(a, b vector.Vector) int { return int(a.VerifyAt - b.VerifyAt) })
			asked := 0
			for _, together := range rounds(entries) {
				asked += newGateway(t, together).askAll(together)
			}
			if asked != len(entries) {
				t.Errorf("%d of %d were asked about", asked, len(entries))
			}
		})
	}
}

// rounds parts entries, in their order, into those that one ledger can be asked about: a key has one secret, and a nonce comes
// but once.
func rounds(entries []vector.Vector) (out [][]vector.Vector) {
	type taken struct {
		secrets map[string]string
		nonces  map[string]bool
	}
	var used []taken
next:
	for _, e := range entries {
		nonce := ""
		if claims, err := dialect.Read(e.Request(), builtin.Schemes()); err == nil && claims[0].Nonce != "" {
			nonce = claims[0].AccessKeyID + " " + claims[0].Nonce
		}
		for i := 0; ; i++ {
			if i == len(used) {
				used, out = append(used, taken{map[string]string{}, map[string]bool{"": false}}), append(out, nil)
			}
			secret, there := used[i].secrets[e.AccessKeyID]
			if used[i].nonces[nonce] || there && secret != e.Secret {
				continue
			}
			used[i].secrets[e.AccessKeyID], out[i] = e.Secret, append(out[i], e)
			if nonce != "" {
				used[i].nonces[nonce] = true
			}
			continue next
		}
	}
	return out
}

// A gateway asks a node whose clock stands still until it is put forward.
type gateway struct {
	*client
	stands *atomic.Int64 // unix seconds
	token  string
	source string // of what it asks about; "" if it does not say
}

// put puts the clock forward, and that by which the client signs.
func (g *gateway) put(unix int64) {
	g.stands.Store(unix)
	g.clock.turn(time.Unix(unix, 0).Sub(g.clock.now()))
}

// newGateway starts a node a minute before the first of the entries, and imports their keys.
func newGateway(t *testing.T, entries []vector.Vector) *gateway {
	t.Helper()
	w := newWorld(t)
	g := &gateway{client: &client{world: w}, stands: &atomic.Int64{}}
	w.config.Now = func() time.Time { return time.Unix(g.stands.Load(), 0) }
	g.put(entries[0].VerifyAt - 60)
	g.client = w.client(w.start())
	g.ask(http.MethodPut, "/v1/accounts/"+g.as.AccountID+"/policy", `{"overrides":{"quota":{"max":50}}}`)
	g.token = g.ask(http.MethodPost, "/v1/gateway-tokens", `{"name":"edge"}`)["token"].(string)
	known := map[string]bool{}
	for _, e := range entries {
		if !known[e.AccessKeyID] {
			g.ask(http.MethodPost, "/v1/users/"+g.as.UserID+"/keys/import", fmt.Sprintf(`{"access_key_id":%q,"secret_access_key":%q}`, e.AccessKeyID, e.Secret))
		}
		known[e.AccessKeyID] = true
	}
	return g
}

// askAll asks about each entry at its own time, and of one with a nonce again; it returns about how many.
func (g *gateway) askAll(entries []vector.Vector) (asked int) {
	g.Helper()
	for _, e := range entries {
		g.put(e.VerifyAt)
		allowed, reason := want(e)
		got := g.verify(e)
		if got.Allowed != allowed || got.Reason != reason || got.Genuine != (allowed || reason == verify.SessionToken) {
			g.Errorf("%s: got %+v, want allowed: %t %s", e.Name, got, allowed, reason)
		}
		if claims, err := dialect.Read(e.Request(), builtin.Schemes()); err == nil && claims[0].Nonce != "" && got.Genuine {
			if again := g.verify(e); again.Allowed || again.Reason != dialect.Replayed {
				g.Errorf("%s, asked about again: got %+v", e.Name, again)
			}
		}
		asked++
	}
	return asked
}

// want is the verdict that an entry deserves of a ledger that holds its key: its own, with a reason of those
// that the verifier gives. There are no temporary credentials here, however genuine.
func want(e vector.Vector) (allowed bool, reason string) {
	j := vector.Judge(e, builtin.Schemes())
	if claims, err := dialect.Read(e.Request(), builtin.Schemes()); e.Valid && err == nil && claims[0].SessionToken != "" {
		return false, verify.SessionToken
	}
	if j.Reason == vector.OtherKey {
		return e.Valid, verify.UnknownKey
	}
	return e.Valid, j.Reason
}

type answered struct {
	Allowed, Genuine bool
	Reason, Detail   string
}

func (g *gateway) verify(e vector.Vector) (out answered) {
	g.Helper()
	r := e.Request()
	type line struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	asked := map[string]any{"method": r.Method, "target": r.Target, "host": r.Get("Host"), "base_host": r.BaseHost, "body_base64": r.Body, "headers": []line{}}
	for _, h := range r.Header {
		if !strings.EqualFold(h.Name, "Host") {
			asked["headers"] = append(asked["headers"].([]line), line(h))
		}
	}
	if r.Body == nil {
		delete(asked, "body_base64")
	}
	if g.source != "" {
		asked["source_ip"] = g.source
	}
	body, err := json.Marshal(asked)
	if err != nil {
		g.Fatal(err)
	}
	status := http.StatusServiceUnavailable
	g.eventually("the nonces of before the start", func() bool {
		status, out = g.post("/v1/verify", body)
		return status != http.StatusServiceUnavailable
	})
	if status != http.StatusOK {
		g.Fatalf("%s: got %d %+v", e.Name, status, out)
	}
	return out
}

// post asks with the token of a gateway.
func (g *gateway) post(target string, body []byte) (status int, out answered) {
	g.Helper()
	req, err := http.NewRequestWithContext(g.Context(), http.MethodPost, g.url+target, bytes.NewReader(body))
	if err != nil {
		g.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+g.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		g.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		g.Fatal(err)
	}
	return res.StatusCode, out
}
