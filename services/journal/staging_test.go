package journal

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/logtest"
	"github.com/keyledger/keyledger/services/durable"
)

// TestBatchesAreStagedInMemory: the server's stores for batches lie in memory while
// the log is open, and nothing is left of them.
func TestBatchesAreStagedInMemory(t *testing.T) {
	inMemoryOrSkip(t)
	j := opened(t, testConfig(t.TempDir()))
	link := j.host.staging.link
	dir := staged(t, link)
	commitBatch(t, j, 0, 20)
	if staged(t, link) != dir {
		t.Error("the directory changed without need")
	}
	closed(t, j)
	for _, path := range []string{link, dir} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s was left behind: %v", path, err)
		}
	}
}

// TestStagingIsTidiedAway: somebody removes what lies in memory. Nobody loses
// anything by it, and the next batch is staged there again.
func TestStagingIsTidiedAway(t *testing.T) {
	inMemoryOrSkip(t)
	j := opened(t, testConfig(t.TempDir()))
	dir := staged(t, j.host.staging.link)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	commitBatch(t, j, 0, 20)
	commitBatch(t, j, 20, 20)
	if now := staged(t, j.host.staging.link); now == dir {
		t.Error("the server still looks where nothing is")
	}
	if last, err := j.Last(t.Context()); err != nil || last != 40 {
		t.Errorf("got %d messages, %v; want 40", last, err)
	}
}

// TestStagingOfOthers: a start removes what a killed process has left in memory, and
// nothing that somebody uses, be it that a link in a copied directory leads there.
func TestStagingOfOthers(t *testing.T) {
	inMemoryOrSkip(t)
	used, left := stagingDir(t), stagingDir(t)
	lock, err := durable.LockDir(used)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release() //nolint:errcheck // it only reads
	c := testConfig(t.TempDir())
	j := opened(t, c)
	link := j.host.staging.link
	closed(t, j)
	if err := os.Symlink(used, link); err != nil {
		t.Fatal(err)
	}
	j = opened(t, c)
	if staged(t, link) == used {
		t.Error("the server looks into another's directory")
	}
	if _, err := os.Stat(used); err != nil {
		t.Errorf("a directory in use is gone: %v", err)
	}
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that nobody uses was left: %v", err)
	}
	commitBatch(t, j, 0, 20)
}

// TestHalfABatch: a power cut in the middle of a batch takes what lay in memory with
// it. Nobody was answered; what is on disk stays, and the log goes on behind it.
func TestHalfABatch(t *testing.T) {
	c := testConfig(t.TempDir())
	j := opened(t, c)
	commitBatch(t, j, 0, 20)
	closed(t, j)
	msgs := filepath.Join(keepOf(c.Dir).streams, streamLedger, "msgs")
	block := filepath.Join(msgs, "1.blk")
	buf, err := os.ReadFile(block)
	if err != nil {
		t.Fatal(err)
	}
	at, sum := 0, newChecksum(streamLedger, 1)
	for range 8 {
		r, why := recordAt(buf[at:], sum)
		if why != "" {
			t.Fatal(why)
		}
		at += r.size
	}
	if err := errors.Join(os.Truncate(block, int64(at)), os.Remove(filepath.Join(msgs, "index.db"))); err != nil {
		t.Fatal(err)
	}
	link := j.host.staging.link
	if err := errors.Join(os.RemoveAll(link), os.Symlink(filepath.Join(stagingRoot, stagingPrefix+"gone"), link)); err != nil {
		t.Fatal(err)
	}
	j = opened(t, c)
	if last, err := j.Last(t.Context()); err != nil || last != 8 {
		t.Fatalf("got %d messages, %v; want the 8 that are on disk", last, err)
	}
	commitBatch(t, j, 8, 20)
	if err := j.Check(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

func inMemoryOrSkip(t *testing.T) {
	t.Helper()
	if !inMemory(stagingRoot, stagingRoom) {
		t.Skipf("staging in memory: skipped, because there is no room in %s", stagingRoot)
	}
}

// staged is where a link leads, which must be in memory.
func staged(t *testing.T, link string) string {
	t.Helper()
	dir, err := os.Readlink(link)
	if err != nil || !strings.HasPrefix(dir, filepath.Join(stagingRoot, stagingPrefix)) {
		t.Fatalf("batches are staged in %q: %v", dir, err)
	}
	return dir
}

func stagingDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(stagingRoot, stagingPrefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// commitBatch appends n decisions, of n users from first on, by way of one batch.
func commitBatch(t *testing.T, j *Journal, first, n int) {
	t.Helper()
	entries := make([]*entry, n)
	for i := range entries {
		entries[i] = entryOf(t, logtest.Decision(logtest.Keyring(100+first+i), 0))
		entries[i].done = make(chan outcome, 1)
	}
	before, err := j.Last(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	j.group.commit(entries)
	seen := map[events.Position]bool{}
	for _, e := range entries {
		out := <-e.done
		if out.err != nil || out.position <= before || out.position > before+events.Position(n) || seen[out.position] {
			t.Fatalf("a decision of the batch: got position %d, %v", out.position, out.err)
		}
		seen[out.position] = true
	}
}
