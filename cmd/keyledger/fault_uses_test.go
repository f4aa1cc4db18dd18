package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/services/journal"
)

// TestCrashOfUses kills a server under gateways that ask for verification, again and again. After
// each crash every verification that was answered is in USED once, and what the records API
// tells is what is in USED, each record once. What was not answered is there at most once.
func TestCrashOfUses(t *testing.T) {
	v := newVictim(t, t.TempDir())
	g := newGateways(v)
	for round := range faultRounds() {
		g.open()
		eventually(t, time.Minute, "verifications", func() bool { return g.answered.Load() >= int64(100*(round+1)) })
		time.Sleep(time.Duration(v.lots.Int64N(int64(500 * time.Millisecond)))) // the moment of the crash
		v.kill()
		g.pause()
		left := usesLeft(t, v.data())
		g.holds(left)
		if round%3 == 1 {
			v.killStarting()
		}
		v.start()
		g.told(left)
		if t.Failed() {
			t.Fatalf("after crash %d", round+1)
		}
	}
	v.stop()
	left := usesLeft(t, v.data())
	g.holds(left)
	t.Logf("%d verifications answered, %d attempts among them, %d records", g.answered.Load(), g.forged.Load(), len(left))
	v.doctor()
}

// callers is by how many connections gateways ask at once.
const callers = 16

// gateways are callers that have requests verified, each those of a key of its own. Every request
// has an action of its own, by which its record is known.
type gateways struct {
	victim   *victim
	token    string
	root     caller // may read the keys' records
	keys     []credentialsFile
	answered atomic.Int64
	forged   atomic.Int64

	quit atomic.Bool
	busy sync.WaitGroup

	mu   sync.Mutex
	asks map[string]string // by action: the ID of the request that was answered; empty if none was
}

func newGateways(v *victim) *gateways {
	v.t.Helper()
	g := &gateways{victim: v, token: v.gatewayToken(), asks: map[string]string{}}
	g.root, g.keys = v.keys(callers)
	return g
}

// open lets the callers ask the server that runs.
func (g *gateways) open() {
	g.quit.Store(false)
	url := g.victim.running.URL
	for i := range g.keys {
		g.busy.Go(func() { g.run(url, i) })
	}
}

// pause waits for the callers to see that the server is gone.
func (g *gateways) pause() {
	g.quit.Store(true)
	g.busy.Wait()
}

// run asks until the connection breaks. Ten times a second it asks about a request that
// somebody forged: half as often as attempts are recorded one by one.
func (g *gateways) run(url string, i int) {
	w, err := dial(url)
	if err != nil {
		return
	}
	defer func() { _ = w.conn.Close() }()
	next := time.Now()
	for !g.quit.Load() {
		key, forged := g.keys[i], false
		if now := time.Now(); now.After(next) {
			next, forged = now.Add(100*time.Millisecond), true
			key.SecretAccessKey = "kls_of_somebody_else"
		}
		action := g.begin(i, forged)
		status, err := w.ask(verification(g.token, key, action, time.Now()))
		if err != nil {
			return
		}
		g.settle(action, forged, status, w.body)
	}
}

func (g *gateways) begin(i int, forged bool) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	action := fmt.Sprintf("caller %d request %d forged %t", i, len(g.asks), forged)
	g.asks[action] = ""
	return action
}

// settle notes what was answered. A server that is about to refuse work says 503, which
// promises nothing.
func (g *gateways) settle(action string, forged bool, status int, body []byte) {
	if status == http.StatusServiceUnavailable {
		return
	}
	var verdict answeredUse
	if err := json.Unmarshal(body, &verdict); err != nil || status != http.StatusOK || verdict.Allowed == forged || verdict.RequestID == "" {
		g.victim.t.Errorf("%s: got %d %s", action, status, body)
		return
	}
	g.mu.Lock()
	g.asks[action] = verdict.RequestID
	g.mu.Unlock()
	g.answered.Add(1)
	if forged {
		g.forged.Add(1)
	}
}

// usesLeft is every record in the USED that a server left behind.
func usesLeft(t testing.TB, data string) (out []access.Record) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "copy")
	copyData(t, data, dir)
	defer func() { _ = os.RemoveAll(dir) }()
	j, err := journal.Open(t.Context(), journal.Config{
		Dir: filepath.Join(dir, "log"), Space: journal.Space{Off: 4 << 20, Hard: 1 << 20, Ballast: 1 << 20}, Scan: journal.Scan{Rate: -1},
	})
	if err != nil {
		t.Fatalf("open what the server left: %v", err)
	}
	defer func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}()
	last, err := j.LastUse(t.Context())
	if err != nil || last == 0 {
		t.Fatalf("USED ends at %d, %v", last, err)
	}
	for m, err := range j.FollowUses(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if out, err = access.Parse(out, m.Data); err != nil {
			t.Fatal(err)
		}
		if m.Position == last {
			break
		}
	}
	return out
}

// holds compares USED with what the callers know.
func (g *gateways) holds(left []access.Record) {
	g.victim.t.Helper()
	ids, actions := map[[16]byte]bool{}, map[string]string{}
	for _, r := range left {
		if ids[r.ID] {
			g.victim.t.Errorf("record %x stands twice in USED", r.ID)
		}
		ids[r.ID] = true
		if r.Service != "s3" {
			continue // a management call's
		}
		if _, twice := actions[r.Action]; twice {
			g.victim.t.Errorf("%q stands twice in USED", r.Action)
		}
		actions[r.Action] = r.RequestID
		if _, asked := g.asks[r.Action]; !asked {
			g.victim.t.Errorf("nobody asked for what USED has of %q", r.Action)
		}
	}
	for action, id := range g.asks {
		if got, there := actions[action]; id != "" && (!there || got != id) {
			g.victim.t.Errorf("%s was answered as request %s, and USED has %q", action, id, got)
		}
	}
}

// told compares what the records API tells of each key with USED.
func (g *gateways) told(left []access.Record) {
	g.victim.t.Helper()
	want := map[string]map[string]bool{}
	for _, r := range left {
		key := string(r.Key)
		if want[key] == nil {
			want[key] = map[string]bool{}
		}
		want[key][r.RequestID] = true
	}
	for _, key := range g.keys {
		id := key.AccessKeyID
		var got []string
		eventually(g.victim.t, time.Minute, "the records of "+id, func() bool { got = g.list(id); return len(got) >= len(want[id]) })
		seen := map[string]bool{}
		for _, request := range got {
			if seen[request] || !want[id][request] {
				g.victim.t.Errorf("%s: the records API tells of %s, which it has told before or is not in USED", id, request)
			}
			seen[request] = true
		}
		if len(seen) != len(want[id]) {
			g.victim.t.Errorf("%s: the records API tells of %d requests, USED has %d", id, len(seen), len(want[id]))
		}
	}
}

// list is every request that the records API tells of a key.
func (g *gateways) list(key string) (out []string) {
	g.victim.t.Helper()
	for cursor := ""; ; {
		var page struct {
			Items []struct {
				RequestID string `json:"request_id"`
			} `json:"items"`
			Next string `json:"next_cursor"`
		}
		if !g.root.ask("/v1/keys/"+key+"/records?limit=1000&cursor="+cursor, &page) {
			g.victim.t.Fatalf("the records of %s cannot be read", key)
		}
		for _, r := range page.Items {
			out = append(out, r.RequestID)
		}
		if cursor = page.Next; cursor == "" {
			return out
		}
	}
}
