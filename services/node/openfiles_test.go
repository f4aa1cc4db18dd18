package node_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/services/node"
)

// TestShareOfFiles leaves at least a seventh of the files that may be open to the log, whatever the limit, and gives everybody else some.
func TestShareOfFiles(t *testing.T) {
	for limit := uint64(0); limit < 1<<21; limit += 1 + limit/64 {
		http, envoy, nats, store, err := node.ShareFiles(limit)
		if (err != nil) != (limit < 512) {
			t.Fatalf("%d files: got %v", limit, err)
		}
		if err != nil {
			continue
		}
		if all := http + envoy + 3*nats + 2*store; uint64(all) > limit*6/7 || min(http, envoy, nats, store) < 20 || max(http, envoy) > 16384 || nats > 4096 || store > 1000 {
			t.Errorf("%d files: %d for the API, %d for Envoy, %d over NATS, %d for each store", limit, http, envoy, nats, store)
		}
	}
}

// TestTooFewFiles starts a program that may open fewer files than a server needs: it says so and what would be right.
func TestTooFewFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the program")
	}
	program := t.TempDir() + "/keyledger"
	if out, err := exec.Command("go", "build", "-o", program, "../../cmd/keyledger").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := exec.Command("sh", "-c", `ulimit -n 100 && exec "$0" serve --data "$1" --listen 127.0.0.1:0`, program, t.TempDir()+"/data")
	out, err := cmd.CombinedOutput()
	if exit := cmd.ProcessState.ExitCode(); err == nil || exit != 8 || !strings.Contains(string(out), "guard files: this process may have 100 files open at once (ulimit -n); want 512 or more") {
		t.Errorf("got %v, exit code %d: %s", err, exit, out)
	}
}
