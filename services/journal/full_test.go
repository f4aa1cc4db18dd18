package journal

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/logtest"
)

// mounted is a small file system in memory, or the test is skipped.
func mounted(t *testing.T, size string) string {
	t.Helper()
	if os.Getenv("KEYLEDGER_FAULT") == "" {
		t.Skip("a full disk: skipped, because KEYLEDGER_FAULT is not set")
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("a full disk: skipped, because there are no rights to mount a file system: %s", out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %s", out)
		}
	})
	return dir
}

// fillDisk takes all the room there is, at once, as another process would.
func fillDisk(t *testing.T, dir string) (path string) {
	t.Helper()
	path = filepath.Join(dir, "of-another")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for chunk := make([]byte, 1<<20); len(chunk) > 0; {
		if _, err := f.Write(chunk); err != nil {
			chunk = chunk[:len(chunk)/2]
		}
	}
	return path
}

// shrink gives back the end of a file.
func shrink(t *testing.T, path string, by int64) {
	t.Helper()
	s, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, s.Size()-by); err != nil {
		t.Fatal(err)
	}
}

// TestDiskFull has another process fill the disk under load, in one instant.
// Nothing acknowledged is lost, what makes the ledger safer is still written, and
// everything goes on when there is room, without a restart of the process.
func TestDiskFull(t *testing.T) {
	t.Run("seen in time", func(t *testing.T) { testDiskFull(t, 20*time.Millisecond, 0) })
	t.Run("seen too late", func(t *testing.T) { testDiskFull(t, 2*time.Second, 1) })
}

// testDiskFull looks at the disk every so often, and wants the server to have
// been restarted at least so many times.
func testDiskFull(t *testing.T, every time.Duration, restarts int) {
	dir := mounted(t, "128m")
	c := testConfig(filepath.Join(dir, "data"))
	c.Space = Space{Off: 32 << 20, Hard: 4 << 20, Ballast: 16 << 20, Every: every}
	j := opened(t, c)
	w := startWriters(t, j, 8)
	w.reach(200)
	other := fillDisk(t, dir)
	if !j.watch.ballast.held() { // released so early that the other took it as well
		shrink(t, other, int64(c.Space.Ballast))
	}
	waitFor(t, "writes to be off", func() bool { return !j.Health().Writable })
	waitFor(t, "the reserve to be open", func() bool { h := j.Health(); return h.Reserve && h.Sick == "" })

	ordinary := logtest.Decision(logtest.Keyring(900), 0)
	var off *events.UnavailableError
	if _, err := j.Append(t.Context(), ordinary); !errors.As(err, &off) {
		t.Errorf("an ordinary append to a full disk: got %v, want an UnavailableError", err)
	}
	safer := logtest.Decision(logtest.Keyring(901), 0)
	safer.Reserve = true
	waitFor(t, "an append with Reserve to a full disk", func() bool {
		_, err := j.Append(t.Context(), safer)
		if err != nil && !errors.Is(err, events.ErrUncertain) && !errors.As(err, &off) {
			t.Errorf("an append with Reserve to a full disk: %v", err)
		}
		return err == nil
	})
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "writes to be on", func() bool { return j.Health().Writable })
	if _, err := j.Append(t.Context(), ordinary); err != nil {
		t.Errorf("an ordinary append when there is room again: %v", err)
	}
	w.reach(w.count() + 200)
	w.stop()
	if got := j.Health().Restarts; got < restarts {
		t.Errorf("restarts of the server: got %d, want at least %d", got, restarts)
	}
	if err := j.Check(t.Context(), nil); err != nil {
		t.Errorf("check: %v", err)
	}
	w.verify(j)
}

func waitFor(t *testing.T, what string, until func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !until() {
		if !pause(ctx, 5*time.Millisecond) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// writers append without end and remember what was acknowledged.
type writers struct {
	t     *testing.T
	end   context.CancelFunc
	all   sync.WaitGroup
	acked atomic.Int64

	mu   sync.Mutex
	told map[events.Position]events.EventID
}

func startWriters(t *testing.T, j *Journal, n int) *writers {
	ctx, cancel := context.WithCancel(t.Context())
	w := &writers{t: t, end: cancel, told: map[events.Position]events.EventID{}}
	for i := range n {
		w.all.Go(func() { w.write(ctx, j, logtest.Keyring(i)) })
	}
	t.Cleanup(w.stop)
	return w
}

// write appends to one subject; what is uncertain or refused is appended again
// until it is settled.
func (w *writers) write(ctx context.Context, j *Journal, s events.Subject) {
	var last events.Position
	for ctx.Err() == nil {
		d := logtest.Decision(s, last)
		for {
			p, err := j.Append(context.WithoutCancel(ctx), d)
			if err == nil {
				last = p
				w.remember(p, d.Events[0].ID)
				break
			}
			var off *events.UnavailableError
			if !errors.Is(err, events.ErrUncertain) && !errors.As(err, &off) {
				w.t.Errorf("append to %s: %v", s, err)
				return
			}
			if !pause(ctx, 10*time.Millisecond) {
				return
			}
		}
	}
}

func (w *writers) remember(p events.Position, id events.EventID) {
	w.mu.Lock()
	w.told[p] = id
	w.mu.Unlock()
	w.acked.Add(1)
}

func (w *writers) count() int64 { return w.acked.Load() }

func (w *writers) reach(n int64) {
	w.t.Helper()
	waitFor(w.t, "the writers", func() bool { return w.count() >= n })
}

func (w *writers) stop() { w.end(); w.all.Wait() }

// verify wants everything acknowledged to be in the log, where it was said to be.
func (w *writers) verify(j *Journal) {
	w.t.Helper()
	found, twice := 0, map[events.EventID]bool{}
	for m, err := range j.Read(w.t.Context(), 0) {
		if err != nil {
			w.t.Fatalf("read: %v", err)
		}
		id := firstID(m.Data)
		if twice[id] {
			w.t.Errorf("the decision at position %d is in the log twice", m.Position)
		}
		twice[id] = true
		if want, told := w.told[m.Position]; told {
			found++
			if id != want {
				w.t.Errorf("position %d: got %s, want %s, which was acknowledged there", m.Position, id, want)
			}
		}
	}
	if found != len(w.told) {
		w.t.Errorf("of %d acknowledged appends %d are in the log", len(w.told), found)
	}
}
