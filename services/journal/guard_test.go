package journal

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/logtest"
)

// An installation is a log of fifty messages that was closed, and what was
// recorded about it.
type installation struct {
	dir     string
	created time.Time
	last    events.Position
}

func installed(t *testing.T) installation {
	t.Helper()
	in := installation{dir: t.TempDir(), last: 50}
	j := opened(t, testConfig(in.dir))
	filled(t, j, 50)
	in.created = j.Created()
	closed(t, j)
	return in
}

// config is how a later start opens it.
func (in installation) config() Config {
	c := testConfig(in.dir)
	c.Create, c.Created, c.StoredPosition = false, in.created, in.last
	return c
}

// ledger is the directory of a stream.
func (in installation) stream(name string) string {
	return filepath.Join(in.dir, "jetstream", "$G", "streams", name)
}

func (in installation) block(t *testing.T, n int) string {
	t.Helper()
	blocks, err := filepath.Glob(filepath.Join(in.stream(streamLedger), "msgs", "*.blk"))
	if err != nil || len(blocks) == 0 {
		t.Fatalf("no blocks: %v", err)
	}
	return filepath.Join(in.stream(streamLedger), "msgs", string(rune('0'+n))+".blk")
}

func (in installation) dropIndex(t *testing.T) {
	t.Helper()
	if err := os.Remove(filepath.Join(in.stream(streamLedger), "msgs", "index.db")); err != nil {
		t.Fatal(err)
	}
}

func TestOpenAgain(t *testing.T) {
	in := installed(t)
	j := opened(t, in.config())
	if last, err := j.Last(t.Context()); err != nil || last != in.last {
		t.Errorf("last: got %d, %v, want %d", last, err, in.last)
	}
	if !j.Created().Equal(in.created) {
		t.Errorf("created: got %v, want %v", j.Created(), in.created)
	}
	if err := j.Check(t.Context(), nil); err != nil {
		t.Errorf("check: %v", err)
	}
}

// TestGuards damages an installation in every way that a start can notice.
func TestGuards(t *testing.T) {
	tests := []struct {
		name   string
		damage func(t *testing.T, in *installation)
		guard  string
		says   string
	}{
		{"an age limit", func(t *testing.T, in *installation) {
			update(t, *in, streamLedger, func(c *jetstream.StreamConfig) { c.MaxAge = 100 * 24 * time.Hour })
		}, GuardConfig, "LEDGER has another configuration: max_age is 8640000000000000 and must be 0"},
		{"purging allowed", func(t *testing.T, in *installation) {
			remake(t, in, func(c *jetstream.StreamConfig) { c.DenyPurge = false })
		},
			GuardConfig, "deny_purge is false and must be true"},
		{"a limit on another stream", func(t *testing.T, in *installation) {
			update(t, *in, streamUsed, func(c *jetstream.StreamConfig) { c.MaxMsgs = 5; c.Discard = jetstream.DiscardNew })
		}, GuardConfig, `USED has another configuration: discard is "new" and must be "old"; max_msgs is 5 and must be -1`},
		{"a stream made anew", func(t *testing.T, in *installation) { remake(t, in, func(*jetstream.StreamConfig) {}) }, GuardIdentity, "it is another log"},
		{"an older copy", restoreOlder, GuardTail, "LEDGER ends at position 50, but it reached position 60 before"},
		{"a cut tail", func(t *testing.T, in *installation) { cut(t, in.block(t, 1), 0.8) }, GuardTail, "its tail is cut"},
		{"a cut tail and no index", func(t *testing.T, in *installation) { cut(t, in.block(t, 1), 0.8); in.dropIndex(t) }, GuardTail, "its tail is cut"},
		{"a removed block", func(t *testing.T, in *installation) { remove(t, in.block(t, 1)) }, GuardWhole, "begins at position 51 instead of 1"},
		{"a stream is gone", func(t *testing.T, in *installation) { remove(t, in.stream(streamCells)) }, GuardMissing, "stream KV_CELLS is not there"},
		{"the ledger is gone", func(t *testing.T, in *installation) { remove(t, in.stream(streamLedger)) }, GuardMissing, "stream LEDGER is not there"},
		{"an emptied directory", func(t *testing.T, in *installation) { remove(t, in.dir) }, GuardMissing, "stream LEDGER is not there"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in := installed(t)
			test.damage(t, &in)
			_, err := Open(t.Context(), in.config())
			if r := wantRefused(t, err, test.guard); !strings.Contains(r.Detail, test.says) {
				t.Errorf("detail: got %q, want it to say %q", r.Detail, test.says)
			}
		})
	}
}

// reopened runs f on the log of an installation, with no guard but those of a
// first start.
func reopened(t *testing.T, in installation, f func(j *Journal)) {
	t.Helper()
	j := opened(t, testConfig(in.dir))
	f(j)
	closed(t, j)
}

func update(t *testing.T, in installation, stream string, change func(*jetstream.StreamConfig)) {
	t.Helper()
	reopened(t, in, func(j *Journal) {
		c := configOf(t, stream)
		change(&c)
		if _, err := j.js.UpdateStream(patient(t), c); err != nil {
			t.Fatal(err)
		}
	})
}

// patient is a context for a server that shares a slow disk.
func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// insist asks again when an answer was lost; what it asks may be done twice.
func insist(t *testing.T, ask func(context.Context) error) {
	t.Helper()
	var err error
	for range 6 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		err = ask(ctx)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// remake deletes LEDGER and makes it again, with as many messages.
func remake(t *testing.T, in *installation, change func(*jetstream.StreamConfig)) {
	t.Helper()
	reopened(t, *in, func(j *Journal) {
		c := configOf(t, streamLedger)
		change(&c)
		insist(t, func(ctx context.Context) error {
			if err := j.js.DeleteStream(ctx, streamLedger); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
				return err
			}
			_, err := j.js.CreateStream(ctx, c)
			return err
		})
		for i := range int(in.last) { // past admission: the journal may have noticed by now
			d := logtest.Decision(logtest.Keyring(i), 0)
			data, err := events.Encode(d)
			if err == nil {
				_, err = j.send(t.Context(), (&entry{decision: d, subject: d.Subject.String(), data: data}).message())
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

func configOf(t *testing.T, stream string) jetstream.StreamConfig {
	t.Helper()
	for _, c := range streams() {
		if c.Name == stream {
			return c
		}
	}
	t.Fatalf("no stream %s", stream)
	return jetstream.StreamConfig{}
}

// restoreOlder lets the log grow and puts the copy of before in its place.
func restoreOlder(t *testing.T, in *installation) {
	older := filepath.Join(t.TempDir(), "older")
	if err := os.CopyFS(older, os.DirFS(in.dir)); err != nil {
		t.Fatal(err)
	}
	reopened(t, *in, func(j *Journal) {
		for i := range 10 {
			if _, err := j.Append(t.Context(), logtest.Decision(logtest.Keyring(100+i), 0)); err != nil {
				t.Fatal(err)
			}
		}
	})
	in.dir, in.last = older, 60
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

// cut leaves a part of a file.
func cut(t *testing.T, path string, part float64) {
	t.Helper()
	s, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(float64(s.Size())*part)); err != nil {
		t.Fatal(err)
	}
}

// TestGuardLedger holds what a start cannot be shown by damaging files.
func TestGuardLedger(t *testing.T) {
	made := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	state := func(messages, first, last, deleted uint64) streamState {
		s := streamState{Created: made}
		s.State.Messages, s.State.First, s.State.Last, s.State.Deleted = messages, first, last, deleted
		return s
	}
	tests := []struct {
		name  string
		state streamState
		known guarded
		guard string // empty: accepted
	}{
		{"empty", state(0, 0, 0, 0), guarded{}, ""},
		{"empty, seen before", state(0, 0, 0, 0), guarded{stored: 1}, GuardTail},
		{"whole", state(9, 1, 9, 0), guarded{created: made, stored: 9}, ""},
		{"cut by one", state(9, 1, 9, 0), guarded{created: made, stored: 10}, GuardTail},
		{"begins late", state(8, 2, 9, 0), guarded{}, GuardWhole},
		{"emptied by age", state(0, 10, 9, 0), guarded{}, GuardWhole},
		{"a gap", state(8, 1, 9, 1), guarded{}, GuardWhole},
		{"a gap that is not counted", state(8, 1, 9, 0), guarded{}, GuardWhole},
		{"another log", state(9, 1, 9, 0), guarded{created: made.Add(time.Nanosecond)}, GuardIdentity},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := guardLedger(test.state, test.known)
			if test.guard != "" {
				wantRefused(t, err, test.guard)
			} else if err != nil {
				t.Errorf("got %v, want nil", err)
			}
		})
	}
}

func TestGuardConfigNamesUnknownFields(t *testing.T) {
	c := configOf(t, streamLedger)
	config, err := asJSON(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := guardConfig(c, streamState{Config: config}); err != nil {
		t.Fatalf("our own configuration: %v", err)
	}
	config["forgets_after"] = "a day"
	r := wantRefused(t, guardConfig(c, streamState{Config: config}), GuardConfig)
	if want := `forgets_after is "a day" and must be not set`; !strings.Contains(r.Detail, want) {
		t.Errorf("detail: got %q, want it to say %q", r.Detail, want)
	}
}

func TestGuardSync(t *testing.T) {
	c, err := testConfig(t.TempDir()).filled()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ says, served Profile }{{Durable, Relaxed}, {Relaxed, Relaxed}, {Durable, Durable}} {
		c.Profile = test.served
		h, err := startHost(t.Context(), c, suspectsOf(c.Dir))
		if err != nil {
			t.Fatal(err)
		}
		j := &Journal{config: c, host: h}
		j.config.Profile = test.says
		if err := j.guardSync(); test.says == test.served && err != nil {
			t.Errorf("%s served as %s: %v", test.says, test.served, err)
		} else if test.says != test.served {
			wantRefused(t, err, GuardSync)
		}
		h.stop()
	}
}

// TestFirstStartInterrupted finds some of the streams made and none of them used.
func TestFirstStartInterrupted(t *testing.T) {
	dir := t.TempDir()
	in := installation{dir: dir}
	closed(t, opened(t, testConfig(dir)))
	remove(t, in.stream(streamLedger))
	remove(t, in.stream(streamSummary))
	filled(t, opened(t, testConfig(dir)), 3)
}

func TestCreateNeverFillsAHole(t *testing.T) {
	in := installed(t)
	remove(t, in.stream(streamUsed))
	_, err := Open(t.Context(), testConfig(in.dir))
	r := wantRefused(t, err, GuardMissing)
	if want := "stream USED is not there, though LEDGER holds messages"; !strings.Contains(r.Detail, want) {
		t.Errorf("detail: got %q, want it to say %q", r.Detail, want)
	}
}

// TestTwoProcesses has another process hold the directory.
func TestTwoProcesses(t *testing.T) {
	if dir := os.Getenv("JOURNAL_TEST_HOLD"); dir != "" {
		j := opened(t, testConfig(dir))
		os.Stdout.WriteString("held\n")
		os.Stdin.Read(make([]byte, 1)) // until the parent lets go
		closed(t, j)
		return
	}
	dir := t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^TestTwoProcesses$")
	child.Env = append(os.Environ(), "JOURNAL_TEST_HOLD="+dir)
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if said := make([]byte, 5); true {
		if _, err := out.Read(said); err != nil || !bytes.Equal(said, []byte("held\n")) {
			t.Fatalf("the other process: got %q, %v", said, err)
		}
	}
	_, err = Open(t.Context(), testConfig(dir))
	r := wantRefused(t, err, GuardLock)
	if want := "the process with ID " + strconv.Itoa(child.Process.Pid); !strings.Contains(r.Detail, want) {
		t.Errorf("detail: got %q, want it to name %q", r.Detail, want)
	}
	in.Close()
	if err := child.Wait(); err != nil {
		t.Fatalf("the other process: %v", err)
	}
	closed(t, opened(t, testConfig(dir)))
}

// TestBitFlip damages an old block. With the index the log starts on a message that
// is damaged and says nothing: the reading finds it. Without, the start does. A block
// that is cut is found by every start.
func TestBitFlip(t *testing.T) {
	tests := []struct {
		name   string
		damage func(t *testing.T, path string)
		starts bool // with the index
		says   string
	}{
		{"a flipped bit", flip, true, "could not recover stream LEDGER"},
		{"a cut block", func(t *testing.T, path string) { cut(t, path, 0.5) }, false, "block 1.blk of stream LEDGER is damaged: at offset "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in := bulky(t)
			test.damage(t, in.block(t, 1))
			copied := filepath.Join(t.TempDir(), "copied")
			if err := os.CopyFS(copied, os.DirFS(in.dir)); err != nil {
				t.Fatal(err)
			}
			if test.starts {
				found(t, in)
			} else {
				namedAtStart(t, in, test.says)
			}
			in.dir = copied
			in.dropIndex(t)
			for range 2 { // the server would remove the stream; it has to be there the next time
				namedAtStart(t, in, test.says)
				if blocks, _ := filepath.Glob(filepath.Join(in.stream(streamLedger), "msgs", "*.blk")); len(blocks) < 2 {
					t.Errorf("blocks of LEDGER that are left: %v", blocks)
				}
			}
		})
	}
}

// namedAtStart wants a start to be refused for its content.
func namedAtStart(t *testing.T, in installation, says string) {
	t.Helper()
	_, err := Open(t.Context(), in.config())
	if r := wantRefused(t, err, GuardContent); !strings.Contains(r.Detail, says) {
		t.Errorf("detail: got %q, want it to say %q", r.Detail, says)
	}
}

// found wants every way of reading to name a damaged message, and none to pass it over.
func found(t *testing.T, in installation) {
	t.Helper()
	told := make(chan Finding, 10)
	c := in.config()
	c.Scan = Scan{Rate: 100000, Found: func(f Finding) { told <- f }}
	j := opened(t, c)
	select {
	case f := <-told:
		t.Logf("the scan found position %d: %v", f.Position, f.Err)
		wantRefused(t, f.Err, GuardWhole)
	case <-time.After(30 * time.Second):
		t.Error("the scan found nothing")
	}
	if h := j.Health(); h.Whole() {
		t.Errorf("health: got %+v, want a finding", h)
	}
	wantRefused(t, j.Check(t.Context(), nil), GuardWhole)
	stopsThere(t, "read", j.Read, in.last)
	stopsThere(t, "follow", j.Follow, in.last)
	closed(t, j)

	// What a reader comes upon counts as found, though the scan is still far from it.
	if err := os.Remove(filepath.Join(c.Dir, foundFile)); err != nil {
		t.Fatal(err)
	}
	c.Scan = Scan{Rate: 1}
	j = opened(t, c)
	stopsThere(t, "read before the scan", j.Read, in.last)
	if h := j.Health(); h.Whole() || h.Writable || len(h.Scan.Found) != 1 {
		t.Errorf("health: got %+v, want what the reader came upon", h)
	}
}

// stopsThere wants a reader to get everything before the damage and then to be
// told of it.
func stopsThere(t *testing.T, name string, from func(context.Context, events.Position) iter.Seq2[events.Message, error], last events.Position) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var at events.Position
	for m, err := range from(ctx, 0) {
		if err != nil {
			wantRefused(t, err, GuardWhole)
			return
		}
		if m.Position != at+1 {
			t.Errorf("%s: got position %d after %d", name, m.Position, at)
		}
		if at = m.Position; at == last {
			break
		}
	}
	t.Errorf("%s: came to position %d and was told of nothing", name, at)
}

// bulky is an installation with several blocks.
func bulky(t *testing.T) installation {
	t.Helper()
	in := installation{dir: t.TempDir(), last: 300}
	c := testConfig(in.dir)
	c.Profile = Relaxed
	j := opened(t, c)
	in.created = j.Created()
	for i := range int(in.last) {
		d := logtest.Decision(logtest.Keyring(i), 0)
		d.Events[0].Event = events.KeyDisabled{Key: "KLAK0000000000000001", Reason: noise(i, 60<<10)}
		if _, err := j.Append(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	closed(t, j)
	return in
}

// noise is text that does not compress, the same for the same seed.
func noise(seed, n int) string {
	x := uint64(seed)*0x9e3779b97f4a7c15 + 1
	text := make([]byte, n)
	for i := range text {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		text[i] = 'a' + byte(x%26)
	}
	return string(text)
}

// flip turns one bit around in the middle of a file.
func flip(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, s.Size()/2); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0x10
	if _, err := f.WriteAt(b, s.Size()/2); err != nil {
		t.Fatal(err)
	}
}

func TestOpenWithoutDirectory(t *testing.T) {
	if _, err := Open(t.Context(), Config{}); err == nil {
		t.Error("open without a directory: got nil, want an error")
	}
	if _, err := Open(t.Context(), Config{Dir: t.TempDir(), Profile: "brave"}); err == nil || !strings.Contains(err.Error(), "brave") {
		t.Errorf("open with an unknown profile: got %v", err)
	}
	var r *RefusedError
	if _, err := Open(t.Context(), Config{Dir: "/dev/null/x"}); err == nil || errors.As(err, &r) {
		t.Errorf("open where no directory can be: got %v, want a plain error", err)
	}
}
