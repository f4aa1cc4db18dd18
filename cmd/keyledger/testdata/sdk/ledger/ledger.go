// Package ledger runs the built keyledger for tests that drive it with vendors' SDKs.
//
// The way in is [Start]. It is no part of the product.
package ledger

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A Ledger is a running server in a directory of its own.
type Ledger struct {
	Host string // host:port
	URL  string

	t           *testing.T
	dir, binary string
	operator    string // credentials file
}

// Start starts the keyledger that KEYLEDGER_BINARY names, or skips the test.
func Start(t *testing.T) *Ledger {
	t.Helper()
	l := &Ledger{t: t, dir: t.TempDir(), binary: Binary(t)}
	l.operator = filepath.Join(l.dir, "data-credentials.json")
	cmd := exec.Command(l.binary, "serve", "--data", filepath.Join(l.dir, "data"), "--listen", "127.0.0.1:0")
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	_, l.URL, _ = strings.Cut(strings.TrimSpace(line), " serves ")
	_, l.Host, _ = strings.Cut(l.URL, "://")
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
		if t.Failed() {
			t.Logf("the server wrote:\n%s", &log)
		}
	})
	if err != nil || l.Host == "" {
		t.Fatalf("the server said %q, %v", line, err)
	}
	return l
}

// Binary is the keyledger that KEYLEDGER_BINARY names; without one the test is skipped.
func Binary(t *testing.T) string {
	t.Helper()
	path := os.Getenv("KEYLEDGER_BINARY")
	if path == "" {
		t.Skip("KEYLEDGER_BINARY does not name the keyledger to test")
	}
	return path
}

// print runs a command of keyledger and returns the JSON that it prints.
func (l *Ledger) print(credentials string, args ...string) []byte {
	l.t.Helper()
	cmd := exec.Command(l.binary, append(args, "-o", "json", "--credentials", credentials)...)
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		l.t.Fatalf("keyledger %s: %v\n%s", strings.Join(args, " "), err, &problem)
	}
	return out
}

// run runs a command of keyledger and returns the texts of the JSON that it prints.
func (l *Ledger) run(credentials string, args ...string) map[string]string {
	l.t.Helper()
	out := l.print(credentials, args...)
	var fields map[string]any
	if err := json.Unmarshal(out, &fields); err != nil {
		l.t.Fatalf("keyledger %s: %v", strings.Join(args, " "), err)
	}
	texts := map[string]string{}
	for name, v := range fields {
		if s, ok := v.(string); ok {
			texts[name] = s
		}
	}
	return texts
}

// A Pair is an access key.
type Pair struct{ ID, Secret string }

// An Account is one opened with a preset.
type Account struct {
	*Ledger
	ID, Root string // the account's, and its root user's
	Key      Pair   // of the root user
	file     string // its credentials
}

// Open opens an account with a preset; more are flags of account create.
func (l *Ledger) Open(preset string, more ...string) *Account {
	l.t.Helper()
	file := filepath.Join(l.dir, preset+".json")
	a := l.run(l.operator, append([]string{"account", "create", "--name", preset, "--preset", preset, "--credentials-out", file}, more...)...)
	return &Account{Ledger: l, ID: a["account_id"], Root: a["root_user_id"], file: file, Key: Pair{a["access_key_id"], a["secret_access_key"]}}
}

// User adds a user and returns its ID.
func (a *Account) User(name string) string {
	a.t.Helper()
	return a.Run("user", "create", "--name", name)["user_id"]
}

// NewKey makes a key for a user by the native API.
func (a *Account) NewKey(user string) Pair {
	a.t.Helper()
	k := a.Run("key", "create", "--user", user)
	return Pair{k["access_key_id"], k["secret_access_key"]}
}

// Run runs a command as the account's root user and returns the texts of the JSON that it prints.
func (a *Account) Run(args ...string) map[string]string {
	a.t.Helper()
	return a.run(a.file, args...)
}

// Print runs a command as the account's root user and returns the JSON that it prints.
func (a *Account) Print(args ...string) string {
	a.t.Helper()
	return string(a.print(a.file, args...))
}

// Fails runs a command as the account's root user that must fail, and returns what it says.
func (a *Account) Fails(args ...string) string {
	a.t.Helper()
	cmd := exec.Command(a.binary, append(args, "--credentials", a.file)...)
	var problem bytes.Buffer
	cmd.Stderr = &problem
	if err := cmd.Run(); err == nil {
		a.t.Errorf("keyledger %s: got no error", strings.Join(args, " "))
	}
	return problem.String()
}

// Eventually asks until a condition holds: access records come in a moment later.
func (l *Ledger) Eventually(what string, holds func() bool) {
	l.t.Helper()
	for until := time.Now().Add(20 * time.Second); !holds(); {
		if time.Now().After(until) {
			l.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// Operate runs a command as the operator's root user and returns the texts of the JSON that it prints.
func (l *Ledger) Operate(args ...string) map[string]string {
	l.t.Helper()
	return l.run(l.operator, args...)
}
