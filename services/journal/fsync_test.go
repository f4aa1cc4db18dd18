package journal

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/logtest"
)

// TestEveryAppendIsSynced counts the syncs of a process that appends one decision
// after the other: a process that is only killed loses nothing even if it never
// syncs. Each append waits for its answer, so none can share another's sync.
func TestEveryAppendIsSynced(t *testing.T) {
	if dir := os.Getenv("JOURNAL_TEST_SYNC"); dir != "" {
		appendForStrace(t, dir)
		return
	}
	const appends = 200
	for profile, synced := range map[Profile]bool{Durable: true, Relaxed: false} {
		n := syncs(t, profile, appends, 1) - syncs(t, profile, 0, 1)
		t.Logf("%s: %d syncs for %d appends", profile, n, appends)
		if synced && n < appends {
			t.Errorf("%s: got %d syncs for %d acknowledged appends, want one for each", profile, n, appends)
		}
		if !synced && n >= appends {
			t.Errorf("%s: got %d syncs for %d appends: this test could not tell if they were missing", profile, n, appends)
		}
	}
}

// TestEveryBatchIsSynced counts the syncs of the log's own blocks: where batches are
// staged says nothing.
func TestEveryBatchIsSynced(t *testing.T) {
	const batches, company = 50, 20
	if n := syncs(t, Durable, batches, company); n < batches {
		t.Errorf("got %d syncs for %d acknowledged batches, want one for each", n, batches)
	}
	if n := syncs(t, Relaxed, batches, company); n >= batches {
		t.Errorf("relaxed: got %d syncs for %d batches: this test could not tell if they were missing", n, batches)
	}
}

func appendForStrace(t *testing.T, dir string) {
	c := testConfig(dir)
	c.Profile = Profile(os.Getenv("JOURNAL_TEST_PROFILE"))
	n, err := strconv.Atoi(os.Getenv("JOURNAL_TEST_APPENDS"))
	if err != nil {
		t.Fatal(err)
	}
	j := opened(t, c)
	if company := os.Getenv("JOURNAL_TEST_COMPANY"); company != "1" {
		size, err := strconv.Atoi(company)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			commitBatch(t, j, i*size, size)
		}
		n = 0
	}
	var last events.Position
	for range n {
		if last, err = j.Append(t.Context(), logtest.Decision(logtest.Keyring(1), last)); err != nil {
			t.Fatal(err)
		}
	}
	closed(t, j)
}

// syncs is how often a process that opens a log, appends n times, so many decisions
// in company, and closes it asks the system to write a block of LEDGER through.
func syncs(t *testing.T, profile Profile, n, company int) int {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("counting syncs: skipped, because strace is not installed")
	}
	if out, err := exec.Command(strace, "-f", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("counting syncs: skipped, because strace may not trace: %s", out)
	}
	trace := filepath.Join(t.TempDir(), "trace")
	child := exec.Command(strace, "-f", "-y", "-e", "trace=fsync,fdatasync", "-o", trace, os.Args[0], "-test.run=^TestEveryAppendIsSynced$")
	child.Env = append(os.Environ(), "JOURNAL_TEST_SYNC="+t.TempDir(), "JOURNAL_TEST_PROFILE="+string(profile), fmt.Sprintf("JOURNAL_TEST_APPENDS=%d", n), fmt.Sprintf("JOURNAL_TEST_COMPANY=%d", company))
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("the traced process: %v\n%s", err, out)
	}
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "sync(") && strings.Contains(line, "/"+streamLedger+"/msgs/") { // where it begins, not where it is resumed
			count++
		}
	}
	return count
}
