package durable_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/services/durable"
)

func TestLockKeepsOthersOut(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "missing", "data")
	l, err := durable.LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = durable.LockDir(dir)
	locked, ok := errors.AsType[*durable.LockedError](err)
	if !ok || locked.Dir != dir || !strings.Contains(locked.Holder, fmt.Sprint(os.Getpid())) {
		t.Fatalf("got %v, want a *LockedError that names this process", err)
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	again, err := durable.LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Release(); err != nil {
		t.Fatal(err)
	}
}

// TestLockEndsWithItsProcess kills a process that holds the lock.
func TestLockEndsWithItsProcess(t *testing.T) {
	const child = "KEYLEDGER_TEST_LOCK"
	if dir := os.Getenv(child); dir != "" {
		l, err := durable.LockDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("locked")
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		_ = l.Release()
		return
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestLockEndsWithItsProcess$")
	cmd.Env = append(os.Environ(), child+"="+dir)
	_, err1 := cmd.StdinPipe() // held open, so that the child waits
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "locked\n" {
		t.Errorf("the child said %q, %v", line, err)
	}
	_, err := durable.LockDir(dir)
	if locked, ok := errors.AsType[*durable.LockedError](err); !ok || locked.Holder != fmt.Sprintf("the process with ID %d", cmd.Process.Pid) {
		t.Errorf("while the child lives: got %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if _, err := durable.LockDir(dir); err != nil {
		t.Errorf("after the child was killed: %v", err)
	}
}
