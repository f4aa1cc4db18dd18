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
