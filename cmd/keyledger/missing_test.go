package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/events/logtest"
	"github.com/keyledger/keyledger/services/journal"
)

// TestStartWithoutABlock removes each block of USED and of LEDGER in turn, and what is known of access records: without one of LEDGER no start serves,
// without one of USED each does, and says what is lost of access records until it is let pass.
func TestStartWithoutABlock(t *testing.T) {
	whole := t.TempDir()
	serve := []string{"--data", "data", "--listen", "127.0.0.1:0"}
	s, err := startServer(binary(t), whole, os.Environ(), serve...)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.stop(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	fillUses(t, filepath.Join(whole, "data", "log"))
	for n := range 3 {
		block := fmt.Sprint(n+1, ".blk")
		t.Run("USED "+block, func(t *testing.T) {
			dir := without(t, whole, "USED", block)
			var s *serverProcess
			run := func(args ...string) (string, error) {
				cmd := exec.CommandContext(t.Context(), binary(t), args...)
				cmd.Dir = dir
				out, err := cmd.CombinedOutput()
				return string(out), err
			}
			ask := func(args ...string) (string, error) {
				return run(append(args, "--endpoint", s.URL, "--credentials", "data-credentials.json")...)
			}
			until := func(what string, holds func() bool) {
				t.Helper()
				for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
					if time.Now().After(deadline) {
						t.Fatalf("in a minute it did not come to this: %s", what)
					}
				}
			}
			said := "block " + block + " of stream USED is damaged at offset 0 ("
			out, err := run("doctor", "--data", "data")
			if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != int(exitNotStarted) || !strings.Contains(out, "WRONG  records: "+said) {
				t.Errorf("doctor: got %v, %s", err, out)
			}
			if s, err = startServer(binary(t), dir, os.Environ(), serve...); err != nil {
				t.Fatal(err)
			}
			defer s.kill()
			until("records are refused", func() bool {
				out, _ := ask("records", "list")
				return strings.Contains(out, "records.damaged") && strings.Contains(out, said)
			})
			out, err = ask("status", "-o", "json")
			_, from, _ := strings.Cut(out, `"from":`)
			var first int
			if _, scanErr := fmt.Sscan(strings.NewReplacer(",", " ", "}", " ").Replace(from), &first); err != nil || scanErr != nil || !strings.Contains(strings.ReplaceAll(out, " ", ""), `"whole":false`) {
				t.Fatalf("status: got %v, %v, %s", err, scanErr, out)
			}
			if out, err := ask("user", "create", "--name", "afterwards"); err != nil {
				t.Errorf("a command: %v, %s", err, out)
			}
			if out, err := ask("projection", "acknowledge", "records", "--position", fmt.Sprint(first), "--reason", "the disk was replaced", "--yes"); err != nil {
				t.Fatalf("acknowledge: %v, %s", err, out)
			}
			until("records go on", func() bool {
				out, err := ask("records", "list")
				return err == nil && strings.Contains(out, "add-user")
			})
		})
	}
	t.Run("LEDGER", func(t *testing.T) {
		fillLedger(t, filepath.Join(whole, "data", "log"))
		for n := range 3 {
			dir := without(t, whole, "LEDGER", fmt.Sprint(n+1, ".blk"))
			if s, err := startServer(binary(t), dir, os.Environ(), serve...); err == nil || !strings.Contains(err.Error(), "journal: refused by guard whole: LEDGER ") {
				t.Errorf("without block %d: got %v", n+1, err)
				if err == nil {
					s.kill()
				}
			}
		}
	})
}

// without is a copy of an installation from which a block is removed, and what is known of access records.
func without(t *testing.T, whole, stream, block string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "copied")
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", whole, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.RemoveAll(filepath.Join(dir, "data", "records")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "data", "log", "jetstream", "$G", "streams", stream, "msgs", block)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// fillUses appends access records until USED has three blocks.
func fillUses(t *testing.T, log string) {
	withLog(t, log, func(j *journal.Journal) error {
		noise := rand.NewChaCha8([32]byte{})
		for i := range 50 {
			text := make([]byte, 200_000)
			noise.Read(text)
			r := access.Record{
				ID: [16]byte{byte(i), 1}, Time: time.Now(), Key: "KLAK0123456789ABCDEF", Account: "482915003716", User: "731902846150378264",
				Outcome: access.Allowed, UserAgent: fmt.Sprintf("%x", text),
			}
			if _, err := j.AppendUses(t.Context(), fmt.Sprint("many-", i), access.Append(nil, []access.Record{r})); err != nil {
				return err
			}
		}
		return nil
	})
}

// fillLedger appends decisions until LEDGER has three blocks.
func fillLedger(t *testing.T, log string) {
	withLog(t, log, func(j *journal.Journal) error {
		failed := make(chan error, 64)
		for c := range cap(failed) {
			go func() {
				var err error
				for i := 0; i < 400 && err == nil; i++ {
					_, err = j.Append(t.Context(), logtest.Decision(logtest.Keyring(c*400+i), 0))
				}
				failed <- err
			}()
		}
		var err error
		for range cap(failed) {
			err = errors.Join(err, <-failed)
		}
		return err
	})
}

func withLog(t *testing.T, log string, f func(j *journal.Journal) error) {
	t.Helper()
	j, err := journal.Open(t.Context(), journal.Config{Dir: log, Scan: journal.Scan{Rate: -1}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f(j), j.Close()); err != nil {
		t.Fatal(err)
	}
}
