package node_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/builtin"
)

// TestWritesOffTellsNoKeys has a gateway ask about a key that exists and one that does not while the log
// takes no writes: the answers are the same, through every door.
func TestWritesOffTellsNoKeys(t *testing.T) {
	for _, async := range []bool{false, true} {
		var free atomic.Uint64
		free.Store(1 << 30)
		w := newWorld(t)
		w.config.Dialects = append(builtin.All(), dialect.Dialect{Name: "once", Schemes: []dialect.Scheme{once{}}})
		w.config.Space.Statfs = func(string) (uint64, error) { return free.Load(), nil }
		w.config.AsyncUses = async
		n := w.start()
		c := w.client(n)
		token := c.ask(http.MethodPost, "/v1/gateway-tokens", `{"name":"edge"}`)["token"].(string)
		ask := func(door, key, secret string) (int, string) {
			w.Helper()
			head := fmt.Sprintf("ONCE %s %d %s-%d", key, w.clock.now().Unix(), door[len(door)-4:], free.Load())
			signature := head + " " + hex.EncodeToString(onceMAC([]byte(secret), head+" GET / "))
			body, _ := json.Marshal(map[string]any{"method": "GET", "target": "/", "host": "a", "headers": []any{map[string]string{"name": "Authorization", "value": signature}}})
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.URL()+door, strings.NewReader(string(body)))
			w.must(err)
			req.Header.Set("Authorization", "Bearer "+token)
			if door != "/v1/verify" {
				req, err = http.NewRequestWithContext(t.Context(), http.MethodGet, n.URL()+door, nil)
				w.must(err)
				req.Header = http.Header{"Authorization": {signature}, "X-Keyledger-Gateway-Token": {token}, "X-Forwarded-Method": {"GET"}, "X-Forwarded-Uri": {"/"}, "X-Forwarded-Host": {"a"}}
			}
			answer, err := http.DefaultClient.Do(req)
			w.must(err)
			defer answer.Body.Close()
			text, err := io.ReadAll(answer.Body)
			w.must(err)
			var p struct{ Code, Detail, Reason string }
			_ = json.Unmarshal(text, &p)
			return answer.StatusCode, fmt.Sprint(p)
		}
		unknown := "KLAK0000000000000000"
		w.eventually("the memory of nonces", func() bool {
			status, _ := ask("/v1/verify", c.as.AccessKeyID, c.as.SecretAccessKey)
			return status == http.StatusOK
		})
		free.Store(2 << 20) // what makes the ledger safer is still written
		w.eventually("writes to be off", func() bool { return !n.Writable() })
		if async { // records are taken for as long as the window
			w.eventually("the window to have passed", func() bool {
				status, _ := ask("/v1/verify", c.as.AccessKeyID, "wrong")
				return status == http.StatusServiceUnavailable
			})
		}
		for _, door := range []string{"/v1/verify", "/v1/forward-auth"} {
			status, why := ask(door, unknown, "wrong")
			if status != http.StatusServiceUnavailable {
				t.Errorf("%s, async %v, of no key: got %d %s", door, async, status, why)
			}
			for _, secret := range []string{"wrong", c.as.SecretAccessKey} {
				if s, y := ask(door, c.as.AccessKeyID, secret); s != status || y != why {
					t.Errorf("%s, async %v: of a key %d %s, of none %d %s", door, async, s, y, status, why)
				}
			}
		}
		c.ask(http.MethodPatch, "/v1/keys/"+c.as.AccessKeyID, `{"status":"disabled"}`)
		free.Store(1 << 30)
		w.eventually("writes to be on", func() bool { status, _ := ask("/v1/verify", unknown, "wrong"); return status == http.StatusOK })
	}
}
