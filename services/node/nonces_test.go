package node_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/builtin"
	"github.com/keyledger/keyledger/services/node"
)

// once is a scheme whose nonce may come but once: "Authorization: ONCE id time nonce mac".
type once struct{}

func (once) Name() string { return "ONCE" }

func (once) Names(*dialect.Request) string { return "" }

func (once) Read(r *dialect.Request, _ *dialect.Scratch) ([]dialect.Claim, error) {
	part := strings.Split(r.Get("Authorization"), " ")
	if len(part) != 5 || part[0] != "ONCE" {
		return nil, dialect.ErrUnsigned
	}
	at, _ := strconv.ParseInt(part[2], 10, 64)
	mac, _ := hex.DecodeString(part[4])
	signed := strings.Join(append(part[:4:4], r.Method, r.Target, string(r.Body)), " ")
	return []dialect.Claim{{
		Scheme: "ONCE", AccessKeyID: part[1], SignedAt: time.Unix(at, 0), Skew: 15 * time.Minute, Nonce: part[3],
		Covers: dialect.Method | dialect.Path | dialect.Query | dialect.Body, Signature: mac,
		Sign: func(_ *dialect.Claim, out, secret []byte) []byte { return append(out, onceMAC(secret, signed)...) },
	}}, nil
}

func onceMAC(secret []byte, signed string) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(signed))
	return h.Sum(nil)
}

// once asks who the caller is, under a nonce.
func (c *client) once(n *node.Node, nonce string) (status int, body string) {
	c.Helper()
	return c.onceAt(n, nonce, c.clock.now())
}

// onceAt is once, signed at a time.
func (c *client) onceAt(n *node.Node, nonce string, signed time.Time) (status int, body string) {
	c.Helper()
	head := fmt.Sprintf("ONCE %s %d %s", c.as.AccessKeyID, signed.Unix(), nonce)
	req, err := http.NewRequestWithContext(c.Context(), http.MethodGet, n.URL()+"/v1/caller", nil)
	c.must(err)
	req.Header.Set("Authorization", head+" "+hex.EncodeToString(onceMAC([]byte(c.as.SecretAccessKey), head+" GET /v1/caller ")))
	answer, err := http.DefaultClient.Do(req)
	c.must(err)
	defer answer.Body.Close()
	text := make([]byte, 1000)
	k, _ := answer.Body.Read(text)
	return answer.StatusCode, string(text[:k])
}

// TestReplayOverRestarts makes a request again before and after the ledger was started anew, with many
// others between: it goes through once.
func TestReplayOverRestarts(t *testing.T) {
	w := newWorld(t)
	w.config.Dialects = append(builtin.All(), dialect.Dialect{Name: "once", Schemes: []dialect.Scheme{once{}}})
	n := w.start()
	c := w.client(n)
	ask := func(nonce string) (status int) {
		w.eventually("the memory of nonces", func() bool {
			var body string
			status, body = c.once(n, nonce)
			if status == http.StatusUnauthorized && !strings.Contains(body, `"signature.replayed"`) {
				t.Fatalf("got %s", body)
			}
			return status != http.StatusServiceUnavailable
		})
		return status
	}
	if first, again := ask("one"), ask("one"); first != http.StatusOK || again != http.StatusUnauthorized {
		t.Errorf("got %d and %d, want 200 and 401", first, again)
	}
	for i := range 600 { // more messages than are read at once
		ask(fmt.Sprint("many-", i))
	}
	w.stop(n)
	w.clock.turn(10 * time.Minute)
	n = w.start()
	for nonce, want := range map[string]int{"one": 401, "many-0": 401, "many-599": 401, "new": 200} {
		if got := ask(nonce); got != want {
			t.Errorf("after a restart, %s: got %d, want %d", nonce, got, want)
		}
	}
	w.stop(n)
	w.clock.turn(40 * time.Minute)
	n = w.start()
	if got := ask("one"); got != http.StatusOK {
		t.Errorf("when nobody can make it again: got %d", got)
	}
}

// answered asks once the memory of nonces is as good as it gets, which what is signed ten minutes ahead shows.
func (c *client) answered(n *node.Node, nonce string, signed time.Time) (status int) {
	c.Helper()
	c.eventually("the memory of nonces", func() bool {
		status, _ := c.onceAt(n, "ready", c.clock.now().Add(10*time.Minute))
		return status != http.StatusServiceUnavailable
	})
	status, _ = c.onceAt(n, nonce, signed)
	return status
}

// TestNoncesAfterAnAsyncCrash starts on what a server leaves that answered before its records were on disk, and
// was killed: a request that may have come before is refused, by that start and later ones, until nobody can make it
// again.
func TestNoncesAfterAnAsyncCrash(t *testing.T) {
	w := newWorld(t)
	w.config.Dialects = append(builtin.All(), dialect.Dialect{Name: "once", Schemes: []dialect.Scheme{once{}}})
	w.config.AsyncUses = true
	n := w.start()
	c := w.client(n)
	before := w.clock.now()
	if got := c.answered(n, "one", before); got != http.StatusOK {
		t.Errorf("at first: got %d", got)
	}
	mark, err := os.ReadFile(w.path("data/nonces"))
	w.must(err)
	w.stop(n)
	if _, err := os.Stat(w.path("data/nonces")); !os.IsNotExist(err) {
		t.Errorf("after a clean stop something may be missing: %v", err)
	}
	n = w.start()
	if got := c.answered(n, "two", before); got != http.StatusOK {
		t.Errorf("after a clean stop: got %d", got)
	}
	w.stop(n)

	w.must(os.WriteFile(w.path("data/nonces"), mark, 0o600)) // as a server that is killed leaves it
	for i, async := range []bool{true, false, false} {
		w.config.AsyncUses = async
		n = w.start()
		if got := c.answered(n, "three", before); got != http.StatusServiceUnavailable {
			t.Errorf("a request that may have come before the crash: got %d", got)
		}
		if got := c.answered(n, fmt.Sprint("later-", i), w.clock.now().Add(70*time.Second)); got != http.StatusOK {
			t.Errorf("a request that was signed afterwards: got %d", got)
		}
		w.stop(n)
	}
	w.clock.turn(40 * time.Minute)
	n = w.start()
	if got := c.answered(n, "four", w.clock.now()); got != http.StatusOK {
		t.Errorf("when nobody can make it again: got %d", got)
	}
	if _, err := os.Stat(w.path("data/nonces")); !os.IsNotExist(err) {
		t.Errorf("it is still said that something is missing: %v", err)
	}
}

// TestNoncesThatAreLost loses the message that a nonce was in: requests of then are refused.
func TestNoncesThatAreLost(t *testing.T) {
	for name, damage := range map[string]func(w *world){
		"it is damaged":        func(w *world) { w.damageMessage(2) },
		"the front is missing": func(w *world) { w.manyUses(); w.remove(usedBlock) },
		"USED is missing":      func(w *world) { w.remove(usedBlock) },
	} {
		t.Run(name, func(t *testing.T) { lostNonces(t, damage) })
	}
}

func lostNonces(t *testing.T, damage func(w *world)) {
	w := newWorld(t)
	w.config.Dialects = append(builtin.All(), dialect.Dialect{Name: "once", Schemes: []dialect.Scheme{once{}}})
	n := w.start()
	c := w.client(n)
	before := w.clock.now()
	for i := range 3 {
		if got := c.answered(n, fmt.Sprint("nonce-", i), before); got != http.StatusOK {
			t.Errorf("at first: got %d", got)
		}
	}
	w.stop(n)
	damage(w)
	n = w.start()
	if got := c.answered(n, "nonce-0", before); got == http.StatusOK {
		t.Errorf("a request that may have come before: got %d", got)
	}
	if got := c.answered(n, "later", w.clock.now().Add(70*time.Second)); got != http.StatusOK {
		t.Errorf("a request of later: got %d", got)
	}
}
