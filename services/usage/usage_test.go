package usage_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/services/identity"
	"github.com/keyledger/keyledger/services/journal"
	"github.com/keyledger/keyledger/services/usage"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func opened(t testing.TB) *journal.Journal {
	t.Helper()
	j, err := journal.Open(t.Context(), journal.Config{Dir: t.TempDir(), Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

func config(log access.Log) usage.Config {
	return usage.Config{Log: log, Draw: identity.Source{}, Now: func() time.Time { return noon }}
}

func use(key string) access.Record {
	return access.Record{Time: noon, Key: events.AccessKeyID(key), Account: "123456789012", User: "123456789012345678", Outcome: access.Allowed, Scheme: "AWS4-HMAC-SHA256"}
}

func attempt(key string) access.Record {
	r := use(key)
	r.Outcome, r.Reason = access.Attempt, "signature_mismatch"
	return r
}

func ended(t testing.TB, r *usage.Recorder) {
	t.Helper()
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// recorded is every record in the log, which holds at least one.
func recorded(t testing.TB, log access.Log) (out []access.Record, messages int) {
	t.Helper()
	last, err := log.LastUse(t.Context())
	if err != nil || last == 0 {
		t.Fatalf("the log ends at %d, %v", last, err)
	}
	for m, err := range log.FollowUses(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		messages++
		if out, err = access.Parse(out, m.Data); err != nil {
			t.Fatal(err)
		}
		if m.Position == last {
			break
		}
	}
	return out, messages
}

// TestRecord has many callers record at once: when each is answered its record is
// in the log, once, and they share messages.
func TestRecord(t *testing.T) {
	j := opened(t)
	r := usage.New(config(j))
	var all sync.WaitGroup
	for c := range 200 {
		all.Go(func() {
			for i := range 5 {
				if err := r.Record(t.Context(), use(fmt.Sprintf("K%d-%d", c, i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	got, messages := recorded(t, j) // before Close: each was answered
	seen, ids := map[events.AccessKeyID]int{}, map[[16]byte]bool{}
	for _, rec := range got {
		seen[rec.Key]++
		ids[rec.ID] = true
	}
	if len(got) != 1000 || len(seen) != 1000 || len(ids) != 1000 {
		t.Errorf("%d records of %d keys with %d IDs, want 1000 of each", len(got), len(seen), len(ids))
	}
	if messages > 500 {
		t.Errorf("%d records took %d messages: they do not share any", len(got), messages)
	}
	ended(t, r)
	if s := r.Stats(); s.Recorded != 1000 || s.Messages != uint64(messages) || s.Waiting != 0 {
		t.Errorf("stats: got %+v", s)
	}
	var off *events.UnavailableError
	if err := r.Record(t.Context(), use("late")); !errors.As(err, &off) {
		t.Errorf("after Close: got %v, want an UnavailableError", err)
	}
}

// TestNotAdmitted has the log take no writes: what is refused for that is counted as not recorded, a stranger's request is not.
func TestNotAdmitted(t *testing.T) {
	c := config(opened(t))
	off := &events.UnavailableError{Reason: "the disk is full"}
	c.Admit = func() error { return off }
	r := usage.New(c)
	if err := r.Record(t.Context(), use("A")); !errors.Is(err, off) {
		t.Errorf("got %v, want %v", err, off)
	}
	if _, err := r.Stranger(netip.MustParseAddr("192.0.2.1")); !errors.Is(err, off) {
		t.Errorf("a stranger: got %v, want %v", err, off)
	}
	if s := r.Stats(); s.Failed != 1 || s.Recorded != 0 {
		t.Errorf("stats: got %+v, want one record that failed", s)
	}
	ended(t, r)
}

// TestSurplus has attempts on one key beyond the bound be counted, each second for itself, not recorded;
// uses of it are recorded all the same, and so are attempts on another.
func TestSurplus(t *testing.T) {
	j := opened(t)
	c := config(j)
	c.Attempts = 3
	r := usage.New(c)
	for range 10 {
		for _, rec := range []access.Record{attempt("A"), use("A")} {
			if err := r.Record(t.Context(), rec); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := r.Record(t.Context(), attempt("B")); err != nil {
		t.Fatal(err)
	}
	later := attempt("A")
	later.Time = noon.Add(time.Second)
	for range 5 {
		if err := r.Record(t.Context(), later); err != nil {
			t.Fatal(err)
		}
	}
	ended(t, r)
	got, _ := recorded(t, j)
	count := map[string]int{}
	for _, rec := range got {
		count[fmt.Sprint(rec.Key, " ", rec.Outcome, " ", rec.Reason, " ", rec.Count)]++
	}
	for what, want := range map[string]int{
		"A attempt signature_mismatch 0": 6, "A allowed  0": 10, "B attempt signature_mismatch 0": 1,
		"A attempt attempts_beyond_bound 7": 1, "A attempt attempts_beyond_bound 2": 1,
	} {
		if count[what] != want {
			t.Errorf("%s: %d, want %d (all: %v)", what, count[what], want, count)
		}
	}
}

// A busy log has another record in line whenever it takes some, until there is a summary.
type busy struct {
	*journal.Journal
	r     *usage.Recorder
	since time.Time
	quiet func() // it has put the last one in line
}

func (b *busy) AppendUses(ctx context.Context, id string, data []byte) (access.Position, error) {
	if b.r.Stats().Summarised == 0 && time.Since(b.since) < 10*time.Second {
		if _, err := b.r.Submit(use("BUSY")); err != nil {
			return 0, err
		}
	} else {
		b.quiet()
	}
	return b.Journal.AppendUses(ctx, id, data)
}

// TestSurplusWhileBusy has a summary not wait for a moment in which nothing else is to be recorded.
func TestSurplusWhileBusy(t *testing.T) {
	quiet, end := context.WithCancel(t.Context())
	log := &busy{Journal: opened(t), since: time.Now(), quiet: end}
	c := config(log)
	c.Attempts = 1
	log.r = usage.New(c)
	for range 3 {
		if err := log.r.Record(t.Context(), attempt("KEY")); err != nil {
			t.Fatal(err)
		}
	}
	<-quiet.Done()
	if time.Since(log.since) >= 10*time.Second {
		t.Error("attempts were counted for ten seconds, and no summary was written while there was something else to write")
	}
	ended(t, log.r)
}

// TestSurplusAfterClose takes no attempt that nobody will record, however many there are.
func TestSurplusAfterClose(t *testing.T) {
	c := config(opened(t))
	c.Attempts = 1
	r := usage.New(c)
	if err := r.Record(t.Context(), attempt("KEY")); err != nil {
		t.Fatal(err)
	}
	ended(t, r)
	var off *events.UnavailableError
	for i := range 3 {
		if err := r.Record(t.Context(), attempt("KEY")); !errors.As(err, &off) {
			t.Errorf("attempt %d after Close: got %v, want that it was not recorded", i+1, err)
		}
	}
}

// TestBounds cuts what comes from outside.
func TestBounds(t *testing.T) {
	j := opened(t)
	r := usage.New(config(j))
	rec := use("K")
	rec.UserAgent = strings.Repeat("é", 200) + "\xff"
	rec.Action = "a\xffb"
	if err := r.Record(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	ended(t, r)
	got, _ := recorded(t, j)
	if got[0].UserAgent != strings.Repeat("é", 128) || got[0].Action != "a?b" {
		t.Errorf("got %q and %q", got[0].UserAgent, got[0].Action)
	}
}

// A stub is a log that does what a test says.
type stub struct {
	access.Log
	append func(ctx context.Context, id string, data []byte) (access.Position, error)
}

func (s stub) AppendUses(ctx context.Context, id string, data []byte) (access.Position, error) {
	return s.append(ctx, id, data)
}

func (s stub) LastUse(context.Context) (access.Position, error) { return 0, nil }

// TestShed fills the queue behind a log that does not answer.
func TestShed(t *testing.T) {
	release := make(chan struct{})
	c := config(stub{append: func(context.Context, string, []byte) (access.Position, error) { <-release; return 1, nil }})
	c.Queue = 10
	r := usage.New(c)
	var waits []func(context.Context) error
	for range 10 {
		wait, err := r.Submit(use("K"))
		if err != nil {
			t.Fatal(err)
		}
		waits = append(waits, wait)
	}
	if err := r.Record(t.Context(), use("K")); !errors.Is(err, usage.ErrOverloaded) {
		t.Errorf("beyond the queue: got %v, want ErrOverloaded", err)
	}
	close(release)
	for _, wait := range waits {
		if err := wait(t.Context()); err != nil {
			t.Error(err)
		}
	}
	ended(t, r)
	if s := r.Stats(); s.Shed != 1 || s.Recorded != 10 {
		t.Errorf("stats: got %+v", s)
	}
}

// TestDoubt sends a batch again under the same name until the log knows.
func TestDoubt(t *testing.T) {
	var names []string
	r := usage.New(config(stub{append: func(_ context.Context, id string, _ []byte) (access.Position, error) {
		if names = append(names, id); len(names) < 3 {
			return 0, fmt.Errorf("%w: lost", events.ErrUncertain)
		}
		return 1, nil
	}}))
	if err := r.Record(t.Context(), use("K")); err != nil {
		t.Error(err)
	}
	ended(t, r)
	if len(names) != 3 || names[0] != names[1] || names[1] != names[2] {
		t.Errorf("sent as %v, want one name three times", names)
	}
}

// TestWritesOff tells durable callers at once, and keeps the records of async ones
// until there is room.
func TestWritesOff(t *testing.T) {
	var full atomic.Bool
	full.Store(true)
	log := stub{append: func(context.Context, string, []byte) (access.Position, error) {
		if full.Load() {
			return 0, &events.UnavailableError{Reason: "full"}
		}
		return 1, nil
	}}
	r := usage.New(config(log))
	var off *events.UnavailableError
	if err := r.Record(t.Context(), use("K")); !errors.As(err, &off) {
		t.Errorf("durable: got %v, want an UnavailableError", err)
	}
	ended(t, r)
	c := config(log)
	c.Async = true
	r = usage.New(c)
	if err := r.Record(t.Context(), use("K")); err != nil {
		t.Errorf("async: got %v", err)
	}
	full.Store(false)
	ended(t, r)
	if s := r.Stats(); s.Recorded != 1 {
		t.Errorf("stats: got %+v", s)
	}
}

// TestCloseGivesUp does not wait for ever for a log that does not answer.
func TestCloseGivesUp(t *testing.T) {
	r := usage.New(config(stub{append: func(ctx context.Context, _ string, _ []byte) (access.Position, error) {
		<-ctx.Done()
		return 0, events.ErrUncertain
	}}))
	wait, err := r.Submit(use("K"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := r.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("close: got %v", err)
	}
	if err := wait(t.Context()); !errors.Is(err, events.ErrUncertain) {
		t.Errorf("the record: got %v, want ErrUncertain", err)
	}
}
