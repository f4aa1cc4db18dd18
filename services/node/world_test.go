package node_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/dialect/aws"
	"github.com/keyledger/keyledger/services/journal"
	"github.com/keyledger/keyledger/services/node"
)

// A clock is turned by hand and goes on by itself in between.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) turn(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// A world is an installation in a directory of its own.
type world struct {
	*testing.T
	dir    string
	clock  *clock
	config node.Config
}

// space lets a test run on a machine whose disk is nearly full.
var space = journal.Space{Off: 4 << 20, Hard: 1 << 20, Ballast: 1 << 20}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, dir: t.TempDir(), clock: &clock{}}
	w.config = node.Config{
		Data: filepath.Join(w.dir, "data"), Listen: "127.0.0.1:0", Now: w.clock.now, Schedule: 10 * time.Millisecond,
		Space: space,
	}
	return w
}

// installed is a world in which a first start has come to its end.
func installed(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.stop(w.start())
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// start starts a node that is closed when the test ends, unless stop was first.
func (w *world) start() *node.Node {
	w.Helper()
	n, err := node.Start(w.Context(), w.config)
	if err != nil {
		w.Fatalf("start: %v", err)
	}
	w.Cleanup(sync.OnceFunc(func() { _ = n.Close() }))
	return n
}

func (w *world) stop(n *node.Node) {
	w.Helper()
	if err := n.Close(); err != nil {
		w.Fatalf("close: %v", err)
	}
}

// A client signs as the key of a credentials file.
type client struct {
	*world
	url string
	as  node.Credentials

	header http.Header // sent along
}

func (w *world) client(n *node.Node) *client { return w.clientOf(n, w.path("data-credentials.json")) }

func (w *world) clientOf(n *node.Node, file string) *client {
	w.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		w.Fatal(err)
	}
	c := &client{world: w, url: n.URL()}
	if err := json.Unmarshal(text, &c.as); err != nil {
		w.Fatal(err)
	}
	return c
}

// send sends a request once and gives the status and the body.
func (c *client) send(method, target, body string) (int, []byte) {
	c.Helper()
	req, err := http.NewRequestWithContext(c.Context(), method, c.url+target, strings.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, values := range c.header {
		req.Header[name] = values
	}
	aws.Sign(req, []byte(body), c.as.AccessKeyID, c.as.SecretAccessKey, "keyledger", "local", c.clock.now())
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.Fatalf("%s %s: %v", method, target, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		c.Fatal(err)
	}
	return res.StatusCode, answer
}

// ask wants success and gives the answer.
func (c *client) ask(method, target, body string) map[string]any {
	c.Helper()
	status, answer := c.send(method, target, body)
	if status/100 != 2 {
		c.Fatalf("%s %s: got %d %s", method, target, status, answer)
	}
	out := map[string]any{}
	if len(bytes.TrimSpace(answer)) > 0 {
		if err := json.Unmarshal(answer, &out); err != nil {
			c.Fatalf("%s %s: %v", method, target, err)
		}
	}
	return out
}

// text is a field of the answer to a question.
func (c *client) text(target, field string) string {
	c.Helper()
	return fmt.Sprint(c.ask(http.MethodGet, target, "")[field])
}

// works wants the credentials to be those of the operator's root user.
func (c *client) works() {
	c.Helper()
	caller := c.ask(http.MethodGet, "/v1/caller", "")
	if caller["operator"] != true || caller["kind"] != events.KindRoot || caller["access_key_id"] != c.as.AccessKeyID {
		c.Fatalf("the credentials file opens %v, want the operator's root user", caller)
	}
}

// health is what /readyz says.
func (w *world) health(n *node.Node) (ready bool, state map[string]any) {
	w.Helper()
	res, err := http.Get(n.URL() + "/readyz")
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&state); err != nil {
		w.Fatal(err)
	}
	return res.StatusCode == http.StatusOK, state
}

// eventually polls until a condition holds.
func (w *world) eventually(what string, holds func() bool) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 30*time.Second)
	defer cancel()
	t := time.NewTicker(5 * time.Millisecond)
	defer t.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			w.Fatalf("waited in vain for %s", what)
		case <-t.C:
		}
	}
}

// withLog opens the log of a stopped node, makes what is missing, and lets f use it.
func (w *world) withLog(f func(j *journal.Journal)) {
	w.Helper()
	j, err := journal.Open(w.Context(), journal.Config{Dir: filepath.Join(w.config.Data, "log"), Create: true, Space: w.config.Space, Scan: journal.Scan{Rate: -1}})
	if err != nil {
		w.Fatal(err)
	}
	defer func() {
		if err := j.Close(); err != nil {
			w.Fatal(err)
		}
	}()
	f(j)
}

// records is the whole log of a stopped node.
func (w *world) records() (out []events.Record) {
	w.Helper()
	w.withLog(func(j *journal.Journal) {
		for m, err := range j.Read(w.Context(), 0) {
			if err != nil {
				w.Fatal(err)
			}
			r, err := events.Decode(m)
			if err != nil {
				w.Fatal(err)
			}
			out = append(out, r)
		}
	})
	return out
}

// count is how many events of a kind the records hold.
func count(records []events.Record, kind string) (n int) {
	for _, r := range records {
		for _, e := range r.Events {
			if e.Event.Kind() == kind {
				n++
			}
		}
	}
	return n
}

// installation is the file that says what the data directory is.
func (w *world) installation() (in struct {
	State    string           `json:"state"`
	Operator events.AccountID `json:"operator_account_id"`
	Root     events.UserID    `json:"operator_root_user_id"`
}) {
	w.Helper()
	text, err := os.ReadFile(filepath.Join(w.config.Data, "installation.json"))
	if err != nil {
		w.Fatal(err)
	}
	if err := json.Unmarshal(text, &in); err != nil {
		w.Fatal(err)
	}
	return in
}

// files is every file and folder of the world: mode and content.
func (w *world) files() map[string]string {
	w.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content := ""
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			content = fmt.Sprintf(" %x", sha256.Sum256(text))
		}
		out[strings.TrimPrefix(path, w.dir)] = info.Mode().String() + content
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
	return out
}

// same wants two answers of files to be one.
func (w *world) same(before, after map[string]string) {
	w.Helper()
	for path, was := range before {
		if after[path] != was {
			w.Errorf("%s was %q and is %q", path, was, after[path])
		}
	}
	for path, is := range after {
		if _, there := before[path]; !there {
			w.Errorf("%s was not there and is %q", path, is)
		}
	}
}
