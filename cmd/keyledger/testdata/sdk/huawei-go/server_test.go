// Package sdk drives a running keyledger with the unmodified SDKs for Go of Huawei Cloud and
// of its object storage, OBS.
package sdk

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
)

// A ledger is a running server in a directory of its own.
type ledger struct {
	t        *testing.T
	dir, url string
	binary   string
	operator string // credentials file
}

func start(t *testing.T) *ledger {
	t.Helper()
	l := &ledger{t: t, dir: t.TempDir(), binary: binary(t)}
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
	_, l.url, _ = strings.Cut(strings.TrimSpace(line), " serves ")
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
		if t.Failed() {
			t.Logf("the server wrote:\n%s", &log)
		}
	})
	if err != nil || l.url == "" {
		t.Fatalf("the server said %q, %v", line, err)
	}
	return l
}

func binary(t *testing.T) string {
	t.Helper()
	path := os.Getenv("KEYLEDGER_BINARY")
	if path == "" {
		t.Skip("KEYLEDGER_BINARY does not name the keyledger to test")
	}
	return path
}

// run runs a command of keyledger and returns the texts of the JSON it prints.
func (l *ledger) run(credentials string, args ...string) map[string]string {
	l.t.Helper()
	cmd := exec.Command(l.binary, append(args, "-o", "json", "--credentials", credentials)...)
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		l.t.Fatalf("keyledger %s: %v\n%s", strings.Join(args, " "), err, &problem)
	}
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

// An account is one opened with a preset.
type account struct {
	*ledger
	id, root string
	key      pair   // of the root user
	file     string // credentials of the root user
}

type pair struct{ id, secret string }

func (l *ledger) open(preset string, more ...string) *account {
	l.t.Helper()
	file := filepath.Join(l.dir, preset+".json")
	args := append([]string{"account", "create", "--name", preset, "--preset", preset, "--credentials-out", file}, more...)
	a := l.run(l.operator, args...)
	return &account{
		ledger: l, id: a["account_id"], root: a["root_user_id"], file: file,
		key: pair{a["access_key_id"], a["secret_access_key"]},
	}
}

// user adds a user without a key.
func (a *account) user(name string) string {
	a.t.Helper()
	return a.run(a.file, "user", "create", "--name", name)["user_id"]
}
