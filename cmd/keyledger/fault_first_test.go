package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
)

// TestCrashFirstStart kills a first start right after one of the system calls
// by which it makes a thing on disk, another one each time: all of them in make fault, some
// in make test. The next start has to come up, with credentials that open the operator's
// account, and what a first start leaves in the log is there once.
func TestCrashFirstStart(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("a first start killed at every step: skipped, because there is no strace")
	}
	calls := traced(t, filepath.Join(t.TempDir(), "data"), -1)
	step := max(1, calls/6)
	if os.Getenv("KEYLEDGER_FAULT") != "" {
		step = 1
	}
	from := 1 + rand.IntN(step)
	t.Logf("a first start makes %d calls; killed after every %d from %d", calls, step, from)
	for call := from; call <= calls; call += step {
		t.Run(strconv.Itoa(call), func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			traced(t, data, call)
			comesUp(t, data)
		})
	}
}

// traced runs a first start until it has made so many calls, or until it
// serves, and kills it. It returns how many calls it has seen.
func traced(t *testing.T, data string, until int) (calls int) {
	t.Helper()
	cmd := exec.Command("strace", "-f", "-qq", "--seccomp-bpf", "-e", "signal=none",
		"-e", "trace=fsync,fdatasync,rename,renameat,renameat2,mkdirat,unlinkat,linkat",
		binary(t), "serve", "--data", data, "--listen", "127.0.0.1:0")
	trace, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	serves := make(chan bool, 1)
	go func() {
		line, _ := bufio.NewReader(out).ReadString('\n')
		serves <- strings.HasPrefix(line, "Keyledger ")
	}()
	lines := make(chan string)
	go func() {
		for s := bufio.NewScanner(trace); s.Scan(); {
			lines <- s.Text()
		}
		close(lines)
	}()
	timeout := time.After(time.Minute)
	for alive := true; alive; {
		select {
		case line, more := <-lines:
			if !more {
				t.Fatalf("the first start ended by itself: %v", cmd.Wait())
			}
			if strings.Contains(line, "(") && !strings.Contains(line, "resumed>") {
				calls++
			}
			alive = calls != until
		case <-serves:
			alive = false
		case <-timeout:
			t.Fatal("the first start neither serves nor ends")
		}
	}
	killTraced(t, cmd, data)
	for range lines {
	}
	_ = cmd.Wait()
	return calls
}

// killTraced kills what strace runs, and strace with it.
func killTraced(t *testing.T, cmd *exec.Cmd, data string) {
	t.Helper()
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, child := range strings.Fields(string(children)) {
		pid, err := strconv.Atoi(child)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Kill()
		}
	}
}

// comesUp wants a start to finish what the killed one has begun.
func comesUp(t *testing.T, data string) {
	t.Helper()
	v := newVictim(t, filepath.Dir(data))
	var who struct {
		Operator bool   `json:"operator"`
		Kind     string `json:"kind"`
	}
	if operator := v.operator(); !operator.ask("/v1/caller", &who) || !who.Operator || who.Kind != events.KindRoot {
		t.Errorf("the credentials file opens %+v, want the operator's root user", who)
	}
	v.stop()
	in := inspect(t, data)
	defer in.close()
	if in.length != 2 || in.requests["first-start"] != 1 || in.requests["first-start#root-key"] != 1 {
		t.Errorf("the log holds %v, want the account and its root key, each once", in.requests)
	}
	in.finished()
	var state struct {
		State string `json:"state"`
	}
	text, err := os.ReadFile(filepath.Join(data, "installation.json"))
	if err != nil || json.Unmarshal(text, &state) != nil || state.State != "ready" {
		t.Errorf("the installation is %q (%v), want ready", state.State, err)
	}
}
