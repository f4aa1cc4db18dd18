package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A victim is a server that is killed, and its data.
type victim struct {
	t       testing.TB
	binary  string
	dir     string
	flags   []string
	running *serverProcess
	load    *load
	lots    *rand.Rand
}

// newVictim starts a server for the first time. KEYLEDGER_SEED repeats a run.
func newVictim(t testing.TB, dir string, flags ...string) *victim {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("KEYLEDGER_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("KEYLEDGER_SEED=%d", seed)
	v := &victim{t: t, binary: binary(t), dir: dir, flags: flags, load: newLoad(t), lots: rand.New(rand.NewPCG(seed, 0))}
	t.Cleanup(func() {
		v.load.quit.Store(true)
		if v.running != nil {
			v.running.kill()
			if t.Failed() {
				t.Logf("the server said at the end:\n%s", tail(v.running.log.String(), 40))
			}
		}
	})
	v.start()
	return v
}

// tail is the last lines of a text.
func tail(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// binary is the program under test: the one that was built, or this one.
func binary(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("KEYLEDGER_BINARY"); path != "" {
		return path
	}
	path, err := exec.LookPath("keyledger")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func (v *victim) data() string { return filepath.Join(v.dir, "data") }

func (v *victim) args() []string {
	return append([]string{"--data", v.data(), "--listen", "127.0.0.1:0"}, v.flags...)
}

func (v *victim) start() {
	v.t.Helper()
	began := time.Now()
	s, err := startServer(v.binary, v.dir, os.Environ(), v.args()...)
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Logf("it serves after %v", time.Since(began).Round(time.Millisecond))
	v.running = s
	v.load.url.Store(&s.URL)
}

// kill ends the server as a power cut would.
func (v *victim) kill() {
	v.t.Helper()
	v.running.kill()
	v.load.url.Store(nil)
}

// stop ends the server as an operator does.
func (v *victim) stop() {
	v.t.Helper()
	v.load.url.Store(nil)
	if err := v.running.stop(syscall.SIGTERM); err != nil {
		v.t.Errorf("the server did not end well: %v\n%s", err, v.running.log.String())
	}
}

// killStarting starts a server and kills it before it can have become ready.
func (v *victim) killStarting() {
	v.t.Helper()
	cmd := exec.Command(v.binary, append([]string{"serve"}, v.args()...)...)
	if err := cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		v.t.Fatalf("the server ended by itself: %v", err)
	case <-time.After(time.Duration(v.lots.Int64N(int64(400 * time.Millisecond)))): // the moment of the crash
	}
	if err := cmd.Process.Kill(); err != nil {
		v.t.Fatal(err)
	}
	<-ended
}

// operator is the caller of the first start's credentials.
func (v *victim) operator() caller {
	v.t.Helper()
	text, err := os.ReadFile(v.data() + "-credentials.json")
	if err != nil {
		v.t.Fatal(err)
	}
	c := caller{load: v.load}
	if err := json.Unmarshal(text, &c.key); err != nil {
		v.t.Fatal(err)
	}
	return c
}

// must has a command carried out while nothing goes wrong.
func (c caller) must(method, path, body string, out any) {
	c.load.t.Helper()
	id := fmt.Sprintf("setup-%s-%d", c.key.AccountID, len(c.load.known()))
	a, state := c.do(command{id: id, method: method, path: path, body: body, always: true, patient: true}, nil)
	if state != acknowledged {
		c.load.t.Fatalf("%s %s: got %d %s", method, path, a.status, a.body)
	}
	if err := json.Unmarshal(a.body, out); err != nil {
		c.load.t.Fatal(err)
	}
}

// tenant opens an account and adds a user whose keys everybody works on.
func (v *victim) tenant(preset string) *tenant {
	v.t.Helper()
	var opened struct {
		Account string `json:"account_id"`
		Root    string `json:"root_user_id"`
		Key     string `json:"access_key_id"`
		Secret  string `json:"secret_access_key"`
	}
	v.operator().must(http.MethodPost, "/v1/accounts", fmt.Sprintf(`{"name":%q,"preset":%q}`, preset, preset), &opened)
	key := credentialsFile{AccountID: opened.Account, UserID: opened.Root, AccessKeyID: opened.Key, SecretAccessKey: opened.Secret}
	t := &tenant{caller: caller{v.load, key}, strict: preset != "aws"}
	t.shared = t.user("shared")
	t.must(http.MethodPost, "/v1/users/"+t.shared+"/keys", "", &struct{}{})
	return t
}

func (t *tenant) user(name string) string {
	t.load.t.Helper()
	var user struct {
		ID string `json:"user_id"`
	}
	t.must(http.MethodPost, "/v1/users", fmt.Sprintf(`{"name":%q}`, name), &user)
	return user.ID
}

// work sets sixteen writers to work: in each of three accounts four on keys
// and one on users and policy, and one who opens accounts.
func (v *victim) work() {
	v.t.Helper()
	for i, preset := range []string{"strict", "alibaba", "aws"} {
		t := v.tenant(preset)
		for j := range 4 {
			name := fmt.Sprintf("w%d.%d", i, j)
			w := v.writer(t.caller, name)
			w.tenant, w.user = t, t.user(name)
			v.load.busy.Go(func() { w.run(onKeys) })
		}
		c := &clerk{writer: *v.writer(t.caller, fmt.Sprintf("c%d", i)), quota: 2}
		c.tenant = t
		v.load.busy.Go(func() { c.run(c.step) })
	}
	opener := v.writer(v.operator(), "opener")
	v.load.busy.Go(func() { opener.run(openAccount) })
}

func (v *victim) writer(c caller, name string) *writer {
	return &writer{caller: c, name: name, lots: rand.New(rand.NewPCG(v.lots.Uint64(), 1))}
}

// faultRounds is how often a server is killed.
func faultRounds() int {
	if os.Getenv("KEYLEDGER_FAULT") != "" {
		return 30
	}
	return 3
}

// TestCrash kills a server under load, again and again. After each crash what
// was acknowledged is in the log once, and what the projections hold is what a replay
// of the log gives; at the end nothing is half done.
func TestCrash(t *testing.T) {
	v := newVictim(t, t.TempDir())
	v.work()
	for round := range faultRounds() {
		v.load.reach(v.load.acked.Load() + 50 + v.lots.Int64N(250))
		v.kill()
		v.inspect(fmt.Sprintf("crash %d", round+1), false)
		for round%3 == 1 && v.lots.IntN(3) > 0 {
			v.killStarting()
		}
		v.start()
	}
	v.load.reach(v.load.acked.Load() + 50)
	v.load.stop()
	v.stop()
	v.inspect("the end", true)
	v.load.mu.Lock()
	t.Logf("%d operations, %d acknowledged; refused: %v", len(v.load.deeds), v.load.acked.Load(), v.load.cause)
	v.load.mu.Unlock()
	v.doctor()
}

// inspect holds what lies in the data of a server that does not run to what its
// clients know.
func (v *victim) inspect(when string, settled bool) {
	v.t.Helper()
	began := time.Now()
	in := inspect(v.t, v.data())
	defer in.close()
	in.holds(v.load.known())
	in.replays()
	if settled {
		in.finished()
	}
	if v.t.Failed() {
		v.t.Fatalf("after %s: %s", when, in)
	}
	v.t.Logf("after %s: %s; inspected in %v", when, in, time.Since(began).Round(time.Millisecond))
}

// doctor wants the whole of the data to be well.
func (v *victim) doctor() {
	v.t.Helper()
	if out, err := exec.Command(v.binary, "doctor", "--data", v.data()).CombinedOutput(); err != nil {
		v.t.Errorf("doctor: %v\n%s", err, out)
	}
}
