package node_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/keyledger/keyledger/aggregate/account"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/identity"
	"github.com/keyledger/keyledger/services/journal"
	"github.com/keyledger/keyledger/services/node"
)

// TestMain lets a test run a first start in a process of its own, which dies of
// SIGKILL when it has made a thing.
func TestMain(m *testing.M) {
	step := os.Getenv("NODE_TEST_DIES_AFTER")
	if step == "" {
		os.Exit(m.Run())
	}
	node.AtStep(func(made string) {
		if made == step {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	})
	_, err := node.Start(context.Background(), node.Config{Data: os.Getenv("NODE_TEST_DATA"), Listen: "127.0.0.1:0", Space: space})
	println("the start was to die after", step, "and did not:", err)
	os.Exit(1)
}

func TestFirstStart(t *testing.T) {
	w := newWorld(t)
	n := w.start()
	file := w.path("data-credentials.json")
	if got := n.FirstCredentials(); got != file {
		t.Errorf("the first start says that the credentials are in %q, want %q", got, file)
	}
	w.client(n).works()
	for name, mode := range map[string]fs.FileMode{
		"data": fs.ModeDir | 0o700, "data/keys": fs.ModeDir | 0o700, "data/log": fs.ModeDir | 0o700, "data/projections": fs.ModeDir | 0o700,
		"data/lock": 0o600, "data/installation.json": 0o600, "data/keys/epoch-1": 0o600, "data-unlock.key": 0o600, "data-credentials.json": 0o600,
	} {
		info, err := os.Stat(w.path(name))
		if err != nil {
			t.Error(err)
			continue
		}
		if info.Mode() != mode {
			t.Errorf("%s: got mode %v, want %v", name, info.Mode(), mode)
		}
	}
	w.stop(n)

	again := w.start()
	if file := again.FirstCredentials(); file != "" {
		t.Errorf("the second start says that it is a first one: %s", file)
	}
	w.clientOf(again, file).works()
	w.stop(again)
	w.openedOnce()
}

// openedOnce wants the log of a stopped node to hold the operator's account and
// its root key, each once.
func (w *world) openedOnce() {
	w.Helper()
	records := w.records()
	for _, kind := range []string{"account.opened", "key.created"} {
		if n := count(records, kind); n != 1 {
			w.Errorf("%s stands %d times in the log, want once", kind, n)
		}
	}
}

// comesUp wants a start to finish what an earlier one has begun, the
// credentials file to work, and the log to hold what a first start leaves.
func (w *world) comesUp() {
	w.Helper()
	n := w.start()
	w.client(n).works()
	if ready, state := w.health(n); !ready {
		w.Errorf("it is not ready: %v", state)
	}
	w.stop(n)
	if state := w.installation().State; state != "ready" {
		w.Errorf("the installation is %q, want ready", state)
	}
	w.openedOnce()
}

// TestFirstStartKilled has the process killed after each thing that a first start makes.
func TestFirstStartKilled(t *testing.T) {
	for _, step := range []string{"begun", "unlock key", "epoch key", "log", "log recorded", "credentials", "account", "done"} {
		t.Run(step, func(t *testing.T) {
			w := newWorld(t)
			w.dieAfter(step)
			w.comesUp()
		})
	}
}

func (w *world) dieAfter(step string) {
	w.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "NODE_TEST_DIES_AFTER="+step, "NODE_TEST_DATA="+w.config.Data)
	out, err := child.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		w.Fatalf("the first start: got %v, want it killed; it said:\n%s", err, out)
	}
}

// TestFirstStartKilledTwice has what was gone on with killed too.
func TestFirstStartKilledTwice(t *testing.T) {
	w := newWorld(t)
	w.dieAfter("begun")
	w.dieAfter("log")
	w.dieAfter("credentials")
	w.dieAfter("account")
	w.comesUp()
}

// TestFirstStartKilledBetweenItsDecisions finds the account and no key.
func TestFirstStartKilledBetweenItsDecisions(t *testing.T) {
	w := newWorld(t)
	w.dieAfter("credentials")
	in := w.installation()
	recorded, err := account.Decide(account.State{}, account.Open{
		Account: in.Operator, Name: "operator", Preset: "strict", Operator: true, RootUser: in.Root, RootName: "root",
	}, w.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	w.withLog(func(j *journal.Journal) {
		w.append(j, events.AccountSubject(in.Operator), 0, events.Meta{Actor: events.ActorFirstStart, Request: "first-start"}, recorded...)
	})
	w.comesUp()
}

// append records a decision as a ledger would.
func (w *world) append(j *journal.Journal, s events.Subject, after events.Position, m events.Meta, recorded ...events.Event) events.Position {
	w.Helper()
	if m.Time.IsZero() {
		m.Time = w.clock.now().UTC()
	}
	d := events.Decision{Subject: s, After: after, Meta: m}
	for _, e := range recorded {
		id, err := identity.Source{Rand: rand.Reader, Now: w.clock.now}.EventID()
		if err != nil {
			w.Fatal(err)
		}
		d.Events = append(d.Events, events.Recorded{ID: id, Event: e})
	}
	p, err := j.Append(w.Context(), d)
	if err != nil {
		w.Fatal(err)
	}
	return p
}

// TestFirstStartLeftovers finds what a process has left that died inside a
// write. One of them holds a secret, and none is there afterwards.
func TestFirstStartLeftovers(t *testing.T) {
	w := newWorld(t)
	w.dieAfter("log")
	leftovers := []string{"data/.installation.json.1.tmp", ".data-unlock.key.1.tmp", ".data-credentials.json.1.tmp"}
	if err := os.Remove(w.path("data-unlock.key")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(w.path("data/keys")); err != nil {
		t.Fatal(err)
	}
	for _, name := range leftovers {
		if err := os.WriteFile(w.path(name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.comesUp()
	for _, name := range leftovers {
		if _, err := os.Lstat(w.path(name)); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
}

// TestFirstStartGoesOnWithItsOwnFile gives the second start another name for
// the credentials: the file that the first has written is the one that works.
func TestFirstStartGoesOnWithItsOwnFile(t *testing.T) {
	w := newWorld(t)
	w.dieAfter("credentials")
	w.config.InitCredentials = w.path("elsewhere.json")
	n := w.start()
	if got, want := n.FirstCredentials(), w.path("data-credentials.json"); got != want {
		t.Errorf("the credentials are said to be in %q, want %q", got, want)
	}
	w.client(n).works()
	if _, err := os.Lstat(w.config.InitCredentials); err == nil {
		t.Errorf("%s was written too", w.config.InitCredentials)
	}
}

// TestFirstStartWritesNoKeyThatDoesNotOpen finds the account made and its
// credentials taken away to where they are safe: no other file takes their place.
func TestFirstStartWritesNoKeyThatDoesNotOpen(t *testing.T) {
	w := newWorld(t)
	w.dieAfter("account")
	w.move("data-credentials.json", "safe.json")
	n := w.start()
	w.clientOf(n, w.path("safe.json")).works()
	if _, err := os.Lstat(w.path("data-credentials.json")); err == nil {
		t.Error("there is a second credentials file, and the log knows one key")
	}
	w.stop(n)
	w.openedOnce()
}

// TestRestartServesTheSame compares what is known before and after.
func TestRestartServesTheSame(t *testing.T) {
	w := newWorld(t)
	n := w.start()
	c := w.client(n)
	user := c.ask(http.MethodPost, "/v1/users", `{"name":"alice"}`)["user_id"].(string)
	key := c.ask(http.MethodPost, "/v1/users/"+user+"/keys", `{"description":"build server"}`)["access_key_id"].(string)
	questions := []string{"/v1/accounts", "/v1/users", "/v1/keys", "/v1/keys/" + key, "/v1/keys/" + key + "/history", "/v1/audit"}
	before := c.answers(questions)
	w.stop(n)

	n = w.start()
	w.client(n).same(before)
	w.stop(n)
	if err := os.RemoveAll(filepath.Join(w.config.Data, "projections")); err != nil {
		t.Fatal(err)
	}
	n = w.start()
	w.eventually("the projections to be built anew", func() bool { return w.caughtUp(n) })
	w.client(n).same(before)
}

func (c *client) answers(questions []string) map[string]string {
	c.Helper()
	out := map[string]string{}
	for _, q := range questions {
		status, answer := c.send(http.MethodGet, q, "")
		if status != http.StatusOK {
			c.Fatalf("%s: got %d %s", q, status, answer)
		}
		out[q] = string(answer)
	}
	return out
}

// same wants the answers that were given before.
func (c *client) same(before map[string]string) {
	c.Helper()
	for q, want := range before {
		if got := c.answers([]string{q})[q]; got != want {
			c.Errorf("%s: got %s, want %s as before", q, got, want)
		}
	}
}

// caughtUp says whether every projection has come to the end of the log.
func (w *world) caughtUp(n *node.Node) bool {
	w.Helper()
	_, state := w.health(n)
	for _, p := range state["projections"].([]any) {
		if p.(map[string]any)["position"].(float64) < state["last_position"].(float64) {
			return false
		}
	}
	return true
}
