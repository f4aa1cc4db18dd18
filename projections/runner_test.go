package projections_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/keys"
	"github.com/keyledger/keyledger/projections/projtest"
	"github.com/keyledger/keyledger/projections/requests"
)

// counting counts records by subject, as often as each changes. Its behaviour
// can be made worse.
type counting struct {
	name    string
	version int
	table   projections.TableID
	apply   func(events.Record) error // an error before counting; nil for none
}

func (c *counting) Name() string                  { return c.name }
func (c *counting) Version() int                  { return c.version }
func (c *counting) Tables() []projections.TableID { return []projections.TableID{c.table} }

func (c *counting) rows() *projections.Table[string, string] {
	text := func(b []byte) (string, error) { return string(b), nil }
	return &projections.Table[string, string]{
		ID: c.table, ParseKey: text, ParseValue: text,
		AppendKey:   func(dst []byte, s string) []byte { return append(dst, s...) },
		AppendValue: func(dst []byte, s string) []byte { return append(dst, s...) },
	}
}

func (c *counting) Apply(b *projections.Batch, r events.Record) error {
	// The row is written before the failure, so that it must be taken back.
	was, _, err := c.rows().Get(b, "all")
	if err != nil {
		return err
	}
	c.rows().Put(b, "all", fmt.Sprintf("%s%d.%d ", was, c.version, r.Position))
	if c.apply != nil {
		return c.apply(r)
	}
	return nil
}

// seen is what the projection has in its row.
func (c *counting) seen(t *testing.T, g projections.Getter) string {
	t.Helper()
	v, _, err := c.rows().Get(g, "all")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(v)
}

func failsAt(at ...events.Position) func(events.Record) error {
	return func(r events.Record) error {
		for _, p := range at {
			if r.Position == p {
				return fmt.Errorf("record %d does not suit me", p)
			}
		}
		return nil
	}
}

func counter(name string, table projections.TableID) *counting {
	return &counting{name: name, version: 1, table: table}
}

// two are a projection to worry about and one that is well.
func two() (*counting, *counting) {
	return counter("first", projections.TableKeys), counter("second", projections.TableRequests)
}

func acknowledge(h *projtest.History, projection string, at events.Position) events.Message {
	return h.Record(events.AccountSubject("100000000001"), events.RecordAcknowledged{Projection: projection, Position: at, Reason: "looked at"})
}

func poison(h *projtest.History) events.Message {
	m := h.Next()
	m.Data = []byte(`[{"specversion":"1.0"}]`)
	return m
}

func status(s *projtest.Started, name string) projections.Status {
	for _, st := range s.Runner.Status() {
		if st.Name == name {
			return st
		}
	}
	return projections.Status{}
}

// waitFor waits until a named projection, critical or not, has applied p. It
// must run within a synctest bubble.
func waitFor(t *testing.T, s *projtest.Started, name string, p events.Position) {
	t.Helper()
	synctest.Wait()
	if got, _ := s.Runner.Position(name); got < p {
		t.Fatalf("%s is at %d, want %d; %+v", name, got, p, status(s, name))
	}
}

func TestGapStopsEverything(t *testing.T) {
	story := projtest.NewHistory(1).Messages(5)
	first, second := two()
	s := projtest.Start(t, vfs.NewMem(), projtest.NewLog(story[0], story[1], story[3]), projtest.Critical(first, second))
	var gap *projections.GapError
	if err := s.Runner.Wait(t.Context(), 4); !errors.As(err, &gap) || *gap != (projections.GapError{After: 2, Got: 4}) {
		t.Errorf("waiting: got %v, want a gap after 2", err)
	}
	if got := first.seen(t, s.Store); got != "1.1 1.2" {
		t.Errorf("got %q: want what came before the gap", got)
	}
	if err := s.Stop(); !errors.As(err, &gap) {
		t.Errorf("Run: got %v, want a *GapError", err)
	}
}

func TestFailingProjectionStopsAlone(t *testing.T) {
	story := projtest.NewHistory(1).Messages(6)
	first, second := two()
	first.apply = failsAt(4)
	fs := vfs.NewMem()
	for _, when := range []string{"at first", "after a restart"} {
		s := projtest.Start(t, fs, projtest.NewLog(story...), projtest.Critical(first, second))
		var degraded *projections.DegradedError
		if err := s.Runner.Wait(t.Context(), 6); !errors.As(err, &degraded) || degraded.Projection != "first" || degraded.Position != 4 {
			t.Fatalf("%s: waiting: got %v, want first degraded at 4", when, err)
		}
		if err := s.Runner.Wait(t.Context(), 3); err != nil {
			t.Errorf("%s: what was applied before: got %v", when, err)
		}
		if got := first.seen(t, s.Store); got != "1.1 1.2 1.3" {
			t.Errorf("%s: got %q", when, got)
		}
		if st := status(s, "first"); st.Position != 3 || st.Degraded == nil || st.Degraded.Position != 4 || st.Degraded.Reason != "record 4 does not suit me" {
			t.Errorf("%s: got %+v", when, st)
		}
		if got := s.Runner.Applied(); got != 3 {
			t.Errorf("%s: applied %d, want 3", when, got)
		}
		for s.Runner.Status()[1].Position < 6 {
			if err := s.Runner.Wait(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		}
		if got := second.seen(t, s.Store); got != "1.1 1.2 1.3 1.4 1.5 1.6" {
			t.Errorf("%s: the other one: got %q", when, got)
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}
}

func TestProjectionThatLearntGoesOnAfterARestart(t *testing.T) {
	log := projtest.NewLog(projtest.NewHistory(1).Messages(6)...)
	fs := vfs.NewMem()
	first, second := two()
	first.apply = failsAt(4)
	s := projtest.Start(t, fs, log, projtest.Critical(first, second))
	if err := s.Runner.Wait(t.Context(), 6); err == nil {
		t.Fatal("it was to fail")
	}
	_ = s.Stop()
	first.apply = nil
	s = projtest.Start(t, fs, log, projtest.Critical(first, second))
	for status(s, "first").Degraded != nil {
		_ = s.Runner.Wait(t.Context(), 6)
	}
	s.WaitFor(6)
	if got := first.seen(t, s.Store); got != "1.1 1.2 1.3 1.4 1.5 1.6" {
		t.Errorf("got %q", got)
	}
}

func TestOptionalProjectionKeepsNobodyWaiting(t *testing.T) {
	first, second := two()
	first.apply = failsAt(2)
	s := projtest.Start(t, vfs.NewMem(), projtest.NewLog(projtest.NewHistory(1).Messages(4)...), []projections.Part{{Projection: first}, {Projection: second, Critical: true}})
	s.WaitFor(4)
	if st := status(s, "first"); st.Critical || st.Degraded == nil || s.Runner.Applied() != 4 {
		t.Errorf("got %+v, applied %d", st, s.Runner.Applied())
	}
}

func TestPanicIsAFailure(t *testing.T) {
	first, second := two()
	first.apply = func(r events.Record) error {
		if r.Position == 2 {
			panic("out of range")
		}
		return nil
	}
	s := projtest.Start(t, vfs.NewMem(), projtest.NewLog(projtest.NewHistory(1).Messages(3)...), projtest.Critical(first, second))
	var degraded *projections.DegradedError
	if err := s.Runner.Wait(t.Context(), 3); !errors.As(err, &degraded) || degraded.Reason != "panic: out of range" {
		t.Errorf("got %v", err)
	}
}

func TestForeignTableIsAFailure(t *testing.T) {
	first, second := two()
	first.apply = func(events.Record) error { return nil }
	thief := &thief{counting: first, from: second}
	s := projtest.Start(t, vfs.NewMem(), projtest.NewLog(projtest.NewHistory(1).Messages(3)...), projtest.Critical(thief, second))
	var degraded *projections.DegradedError
	if err := s.Runner.Wait(t.Context(), 3); !errors.As(err, &degraded) || !strings.Contains(degraded.Reason, "not its own") {
		t.Errorf("got %v", err)
	}
}

// thief writes to the table of another.
type thief struct {
	*counting
	from *counting
}

func (x *thief) Apply(b *projections.Batch, r events.Record) error {
	x.from.rows().Put(b, "all", "mine")
	return nil
}

func TestAcknowledgementLetsAProjectionPass(t *testing.T) {
	for name, by := range map[string]string{"by name": "first", "any": "*"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := projtest.NewHistory(1)
				log := projtest.NewLog(h.Messages(6)...)
				first, second := two()
				first.apply = failsAt(4)
				fs := vfs.NewMem()
				s := projtest.Start(t, fs, log, projtest.Critical(first, second))
				if err := s.Runner.Wait(t.Context(), 6); err == nil {
					t.Fatal("it was to fail")
				}
				log.Append(acknowledge(h, "second", 4), acknowledge(h, by, 3), h.Next())
				waitFor(t, s, "second", 9)
				if st := status(s, "first"); st.Degraded == nil || st.Position != 3 {
					t.Fatalf("other acknowledgements let it pass: %+v", st)
				}
				log.Append(acknowledge(h, by, 4), h.Next())
				const want = "1.1 1.2 1.3 1.5 1.6 1.7 1.8 1.9 1.10 1.11"
				waitFor(t, s, "first", 11)
				if got := first.seen(t, s.Store); got != want {
					t.Errorf("live: got %q, want %q", got, want)
				}
				log.Append(h.Next())
				s.WaitFor(12) // it is with the others again
				if err := s.Runner.Rebuild(t.Context(), "first"); err != nil {
					t.Errorf("rebuild: %v", err)
				}
				lived := projtest.Dump(s.Store, projtest.Critical(first, second))
				_ = s.Stop()

				again := projtest.Start(t, fs, log, projtest.Critical(first, second))
				again.WaitFor(12)
				projtest.Same(t, projtest.Dump(again.Store, projtest.Critical(first, second)), lived)
				_ = again.Stop()

				fresh := projtest.Start(t, vfs.NewMem(), log, projtest.Critical(first, second))
				waitFor(t, fresh, "first", 12)
				projtest.Same(t, projtest.Dump(fresh.Store, projtest.Critical(first, second)), lived)
				_ = fresh.Stop()
			})
		})
	}
}

func TestAcknowledgementThatCameWhileStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := projtest.NewHistory(1)
		log := projtest.NewLog(h.Messages(6)...)
		first, second := two()
		first.apply = failsAt(2, 5)
		fs := vfs.NewMem()
		s := projtest.Start(t, fs, log, projtest.Critical(first, second))
		if err := s.Runner.Wait(t.Context(), 6); err == nil {
			t.Fatal("it was to fail")
		}
		_ = s.Stop()
		log.Append(acknowledge(h, "first", 5), acknowledge(h, "first", 2))
		s = projtest.Start(t, fs, log, projtest.Critical(first, second))
		waitFor(t, s, "first", 8)
		if got := first.seen(t, s.Store); got != "1.1 1.3 1.4 1.6 1.7 1.8" {
			t.Errorf("got %q", got)
		}
		_ = s.Stop()
	})
}

func TestUnreadableMessageStopsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := projtest.NewHistory(1)
		log := projtest.NewLog(append(h.Messages(2), poison(h), h.Next())...)
		first, second := two()
		fs := vfs.NewMem()
		s := projtest.Start(t, fs, log, projtest.Critical(first, second))
		synctest.Wait()
		for _, st := range s.Runner.Status() {
			if st.Position != 2 || st.Degraded == nil || st.Degraded.Position != 3 || !strings.Contains(st.Degraded.Reason, "cannot be read") {
				t.Errorf("got %+v, %v", st, st.Degraded)
			}
		}
		log.Append(acknowledge(h, "first", 3))
		waitFor(t, s, "first", 5)
		if st := status(s, "second"); st.Degraded == nil {
			t.Errorf("the other one went on too: %+v", st)
		}
		_ = s.Stop()
		s = projtest.Start(t, fs, log, projtest.Critical(first, second))
		log.Append(acknowledge(h, "*", 3))
		waitFor(t, s, "second", 6)
		s.WaitFor(6)
		if got := second.seen(t, s.Store); got != "1.1 1.2 1.4 1.5 1.6" {
			t.Errorf("got %q", got)
		}
		_ = s.Stop()
	})
}

func TestStoreOfAnotherLogIsRefused(t *testing.T) {
	story := projtest.NewHistory(1).Messages(3)
	first, _ := two()
	fs := vfs.NewMem()
	s := projtest.Start(t, fs, projtest.NewLog(story...), projtest.Critical(first))
	s.WaitLast()
	_ = s.Stop()
	store, err := projections.Open("store", projections.Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	c := projections.Config{Store: store, Source: projtest.NewLog(story...), Identity: "another", Parts: projtest.Critical(first)}
	var identity *projections.IdentityError
	if _, err := projections.NewRunner(t.Context(), c); !errors.As(err, &identity) || identity.Stored != projtest.Identity {
		t.Errorf("another identity: got %v", err)
	}
	c.Identity, c.Source = projtest.Identity, projtest.NewLog(story[:2]...)
	var ahead *projections.AheadError
	if _, err := projections.NewRunner(t.Context(), c); !errors.As(err, &ahead) || *ahead != (projections.AheadError{Stored: 3, Last: 2}) {
		t.Errorf("a cut log: got %v", err)
	}
	c.Source = projtest.NewLog(story...)
	if _, err := projections.NewRunner(t.Context(), c); err != nil {
		t.Errorf("the log itself: got %v", err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	store, err := projections.Open("store", projections.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	first, second := two()
	for name, parts := range map[string][]projections.Part{
		"no parts":        nil,
		"a name twice":    projtest.Critical(first, counter("first", projections.TableSealed)),
		"a table twice":   projtest.Critical(first, counter("third", projections.TableKeys)),
		"no name":         projtest.Critical(counter("", projections.TableKeys)),
		"a reserved name": projtest.Critical(second, counter("*", projections.TableKeys)),
	} {
		c := projections.Config{Store: store, Source: projtest.NewLog(), Identity: "x", Parts: parts}
		if _, err := projections.NewRunner(t.Context(), c); err == nil {
			t.Errorf("%s was let through", name)
		}
	}
}

func TestWait(t *testing.T) {
	h := projtest.NewHistory(1)
	log := projtest.NewLog(h.Messages(3)...)
	s := projtest.Start(t, vfs.NewMem(), log, projtest.Critical(requests.New()))
	s.WaitFor(3)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Runner.Wait(ctx, 4); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
	answers := make(chan error)
	for p := events.Position(4); p <= 5; p++ {
		go func() { answers <- s.Runner.Wait(t.Context(), p) }()
	}
	log.Append(h.Next())
	if err := <-answers; err != nil {
		t.Errorf("got %v", err)
	}
	_ = s.Stop()
	if err := <-answers; !errors.Is(err, projections.ErrStopped) {
		t.Errorf("waiting for 5 when it stopped: got %v", err)
	}
	if err := s.Runner.Wait(t.Context(), 5); !errors.Is(err, projections.ErrStopped) {
		t.Errorf("after it stopped: got %v", err)
	}
	if err := s.Runner.Wait(t.Context(), 4); err != nil {
		t.Errorf("what is applied stays applied: got %v", err)
	}
}

// failing is a log that fails when it is read or followed beyond a position.
type failing struct {
	*projtest.Log
	at events.Position
}

var errDisk = errors.New("the disk is on fire")

func (l failing) cut(in iter.Seq2[events.Message, error]) iter.Seq2[events.Message, error] {
	return func(yield func(events.Message, error) bool) {
		for m, err := range in {
			if m.Position > l.at {
				yield(events.Message{}, errDisk)
				return
			}
			if !yield(m, err) {
				return
			}
		}
	}
}

func (l failing) Follow(ctx context.Context, after events.Position) iter.Seq2[events.Message, error] {
	return l.cut(l.Log.Follow(ctx, after))
}

func (l failing) Read(ctx context.Context, after events.Position) iter.Seq2[events.Message, error] {
	return l.cut(l.Log.Read(ctx, after))
}

func TestFailingLogEndsTheRun(t *testing.T) {
	s := projtest.Start(t, vfs.NewMem(), failing{projtest.NewLog(projtest.NewHistory(1).Messages(5)...), 3}, projtest.Critical(keys.New()))
	if err := s.Runner.Wait(t.Context(), 5); !errors.Is(err, errDisk) {
		t.Errorf("waiting: got %v", err)
	}
	if got := s.Runner.Applied(); got != 3 {
		t.Errorf("applied %d, want 3", got)
	}
	if err := s.Stop(); !errors.Is(err, errDisk) {
		t.Errorf("Run: got %v", err)
	}
}
