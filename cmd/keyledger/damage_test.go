package main

import (
	"context"
	le "encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestStartOnADamagedSequence changes a byte of the last sequence in the log of a
// server that was stopped. The log's server would count up to it and never answer.
func TestStartOnADamagedSequence(t *testing.T) {
	dir := t.TempDir()
	serve := []string{"--data", "data", "--listen", "127.0.0.1:0"}
	s, err := startServer(binary(t), dir, os.Environ(), serve...)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.stop(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	at := damageLastSequence(t, filepath.Join(dir, "data", "log", "jetstream", "$G", "streams", "LEDGER", "msgs", "1.blk"))

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	const bounded = `ulimit -v 8000000; exec "$0" serve "$@"` // KiB; a server that takes more never ends
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", bounded, binary(t)}, serve...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 8 {
		t.Fatalf("got %v, want exit code 8\n%s", err, out[:min(len(out), 2000)])
	}
	if want := fmt.Sprintf("start.content: journal: refused by guard content: block 1.blk of stream LEDGER is damaged: at offset %d,", at); !strings.Contains(string(out), want) {
		t.Errorf("got %q, want it to say %q", out, want)
	}
}

// damageLastSequence makes the last sequence of a block larger than any can be,
// and returns where its record begins.
func damageLastSequence(t *testing.T, block string) int {
	t.Helper()
	text, err := os.ReadFile(block)
	if err != nil {
		t.Fatal(err)
	}
	last := 0
	for next := 0; next < len(text); next += int(le.LittleEndian.Uint32(text[next:]) &^ (1 << 31)) {
		last = next
	}
	if last == 0 {
		t.Fatal("the log has one record only: the server does not count from nothing")
	}
	text[last+4+5] ^= 'Z'
	if err := os.WriteFile(block, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return last
}

// TestStartOnDamagedUses damages each message of USED in turn, at the end of a server that was killed: every start serves commands, and the
// operator is told what is lost and lets it pass by the command line.
func TestStartOnDamagedUses(t *testing.T) {
	dir := t.TempDir()
	serve := []string{"--data", "data", "--listen", "127.0.0.1:0"}
	var s *serverProcess
	start := func() {
		t.Helper()
		var err error
		if s, err = startServer(binary(t), dir, os.Environ(), serve...); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), binary(t), append(args, "--endpoint", s.URL, "--credentials", "data-credentials.json")...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	must := func(args ...string) string {
		t.Helper()
		out, err := run(args...)
		if err != nil {
			t.Fatalf("%s: %v\n%s", args, err, out)
		}
		return out
	}
	until := func(what string, holds func() bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("in a minute it did not come to this: %s", what)
			}
		}
	}
	start()
	for i := range 3 {
		must("user", "create", "--name", fmt.Sprint("user-", i))
	}
	until("the records are there", func() bool { out, _ := run("records", "list"); return strings.Count(out, "add-user") == 3 })
	s.kill()
	block := filepath.Join(dir, "data", "log", "jetstream", "$G", "streams", "USED", "msgs", "1.blk")
	text, err := os.ReadFile(block)
	if err != nil {
		t.Fatal(err)
	}
	text[60] ^= 1
	if err := errors.Join(os.WriteFile(block, text, 0o600), os.RemoveAll(filepath.Join(dir, "data", "records"))); err != nil {
		t.Fatal(err)
	}
	start()
	defer s.kill()
	must("user", "create", "--name", "afterwards")
	until("records are refused", func() bool { out, _ := run("records", "list"); return strings.Contains(out, "records.damaged") })
	out, err := run("records", "list")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != int(exitUnreachable) || !strings.Contains(out, "up to message 0 only: block 1.blk of stream USED is damaged at offset 0") {
		t.Errorf("records list: got %v, %s", err, out)
	}
	if out := must("status"); !strings.Contains(out, "records  ") || !strings.Contains(out, "1.blk") {
		t.Errorf("status: %s", out)
	}
	doctor := exec.CommandContext(t.Context(), binary(t), "doctor", "--endpoint", s.URL)
	if out, err := doctor.CombinedOutput(); !errors.As(err, &exit) || exit.ExitCode() != int(exitNotStarted) {
		t.Errorf("doctor: got %v, %s", err, out)
	}
	must("projection", "acknowledge", "records", "--position", "1", "--reason", "the disk was replaced", "--yes")
	until("records go on", func() bool {
		out, err := run("records", "list")
		return err == nil && strings.Contains(out, "add-user")
	})
}
