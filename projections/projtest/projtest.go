// Package projtest holds projections to what every one of them promises: that
// a crash at any moment loses nothing that reading on does not bring back, that rebuilt
// rows equal those that were lived, and that a record applied twice counts once.
//
// The way in: [Run] is the suite. [History] makes up histories, [Log] is a log in
// memory, [Dump] is every row of a store as text.
//
// The limits: it knows nothing of what rows mean. What a projection answers is
// tested beside it.
package projtest

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
)

// Identity is that of every log of this package.
const Identity = "projtest"

// Run holds the projections that parts makes to their promises, with a story
// that is long enough for what they do.
func Run(t *testing.T, parts func() []projections.Part, story []events.Message) {
	want := lived(t, parts, story)
	if len(want) == 0 {
		t.Fatal("the story leaves no row: it proves nothing")
	}
	t.Run("batch sizes do not matter", func(t *testing.T) { batchSizes(t, parts, story, want) })
	for name, o := range map[string]projections.Options{"": Small, " by bulk": Bulk, " by bulk in pieces": pieces} {
		t.Run("applied twice equals once"+name, func(t *testing.T) { twice(t, o, parts, story, want) })
		t.Run("rebuilt equals lived"+name, func(t *testing.T) { rebuilt(t, o, parts, story, want) })
	}
	for name, o := range map[string]projections.Options{"": Small, " by bulk": pieces} {
		t.Run("crash anywhere"+name, func(t *testing.T) { crashes(t, o, parts, story, want) })
	}
	t.Run("crash while rows come in by bulk", func(t *testing.T) { crashesInBulk(t, parts, story, want) })
}

// lived is the rows after the story, in a store of its own.
func lived(t *testing.T, parts func() []projections.Part, story []events.Message) []string {
	s := Start(t, vfs.NewMem(), NewLog(story...), parts())
	s.WaitLast()
	return Dump(s.Store, s.parts)
}

// A Started runner, with its store. It is stopped when the test ends.
type Started struct {
	Store  *projections.Store
	Runner *projections.Runner
	From   events.Position // what every critical projection had applied before

	t     testing.TB
	parts []projections.Part
	log   projections.Source
	stop  context.CancelFunc
	ended chan error
	err   error
}

// Small makes a store flush and compact often.
var Small = projections.Options{CacheBytes: 1 << 20, MemTableBytes: 128 << 10}

// Bulk makes a store bring rows in by bulk wherever records are there beforehand.
var Bulk = projections.Options{CacheBytes: 1 << 20, MemTableBytes: 128 << 10, BulkRecords: 1}

// pieces is Bulk with as many pieces as can be.
var pieces = projections.Options{CacheBytes: 1 << 20, MemTableBytes: 128 << 10, BulkRecords: 1, BulkBytes: 1}

// Start opens a store on fs and runs parts over a log.
func Start(t testing.TB, fs vfs.FS, log projections.Source, parts []projections.Part) *Started {
	t.Helper()
	return startOn(t, Small, fs, log, parts)
}

func startOn(t testing.TB, o projections.Options, fs vfs.FS, log projections.Source, parts []projections.Part) *Started {
	t.Helper()
	o.FS = fs
	return StartWith(t, o, log, parts)
}

// StartWith is Start with a store of other options, on the machine's own disk if
// they name no file system.
func StartWith(t testing.TB, o projections.Options, log projections.Source, parts []projections.Part) *Started {
	t.Helper()
	dir := "store"
	if o.FS == nil {
		dir = t.TempDir()
	}
	store, err := projections.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r, err := projections.NewRunner(ctx, projections.Config{Store: store, Source: log, Identity: Identity, Parts: parts})
	if err != nil {
		cancel()
		_ = store.Close()
		t.Fatal(err)
	}
	s := &Started{Store: store, Runner: r, From: r.Applied(), t: t, parts: parts, log: log, stop: cancel, ended: make(chan error, 1)}
	go func() { s.ended <- r.Run(ctx) }()
	t.Cleanup(func() { _ = s.Stop() })
	return s
}

// Stop ends the runner and closes the store. It returns why Run ended.
func (s *Started) Stop() error {
	if s.stop == nil {
		return s.err
	}
	s.stop()
	s.stop = nil
	s.err = <-s.ended
	if err := s.Store.Close(); err != nil {
		s.t.Errorf("close the store: %v", err)
	}
	return s.err
}

// WaitFor waits until every critical projection has applied p.
func (s *Started) WaitFor(p events.Position) {
	s.t.Helper()
	if err := s.Runner.Wait(s.t.Context(), p); err != nil {
		s.t.Fatalf("wait for %d: %v", p, err)
	}
}

// WaitLast waits until everything in the log is applied.
func (s *Started) WaitLast() {
	s.t.Helper()
	last, err := s.log.Last(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	s.WaitFor(last)
}

// Critical is parts with everything critical, so that Wait waits for all.
func Critical(of ...projections.Projection) []projections.Part {
	var out []projections.Part
	for _, p := range of {
		out = append(out, projections.Part{Projection: p, Critical: true})
	}
	return out
}

// Dump is every row of the tables of parts, one a line, without generations:
// table, key and value in hex.
func Dump(r projections.Reader, parts []projections.Part) []string {
	var out []string
	for _, p := range parts {
		for _, id := range p.Projection.Tables() {
			for row, err := range raw(id).Scan(r, projections.Range{}) {
				if err != nil {
					panic(err)
				}
				out = append(out, fmt.Sprintf("%s %x = %x", id, row.Key, row.Value))
			}
		}
	}
	return out
}

// raw reads the rows of any table as bytes.
func raw(id projections.TableID) *projections.Table[[]byte, []byte] {
	clone := func(b []byte) ([]byte, error) { return slices.Clone(b), nil }
	return &projections.Table[[]byte, []byte]{
		ID: id, ParseKey: clone, ParseValue: clone,
		AppendKey:   func(dst, k []byte) []byte { return append(dst, k...) },
		AppendValue: func(dst, v []byte) []byte { return append(dst, v...) },
	}
}

// Same reports where two dumps differ.
func Same(t testing.TB, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	var lines []string
	for i := 0; i < max(len(got), len(want)) && len(lines) < 5; i++ {
		g, w := at(got, i), at(want, i)
		if g != w {
			lines = append(lines, "got  "+text(g)+"\nwant "+text(w))
		}
	}
	t.Errorf("got %d rows, want %d; the first that differ:\n%s", len(got), len(want), strings.Join(lines, "\n"))
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "(none)"
}

// text adds what is readable in a dumped row.
func text(line string) string {
	_, value, ok := strings.Cut(line, "= ")
	b, err := hex.DecodeString(value)
	if !ok || err != nil {
		return line
	}
	return fmt.Sprintf("%s %q", line, b)
}

// Told is a store in memory after a story, with the projection that wrote it.
func Told(t testing.TB, p projections.Projection, story []events.Message) *Started {
	t.Helper()
	s := Start(t, vfs.NewMem(), NewLog(story...), Critical(p))
	s.WaitLast()
	return s
}

// Pages is all items of a list, page by page. List is given the cursor of each
// page. No page may hold more than limit.
func Pages[T any](t testing.TB, limit int, list func(cursor string) (projections.Page[T], error)) []T {
	t.Helper()
	var all []T
	for cursor, n := "", 0; ; n++ {
		page, err := list(cursor)
		if err != nil {
			t.Fatalf("page %d: %v", n, err)
		}
		if len(page.Items) > limit {
			t.Fatalf("page %d has %d items, want %d at most", n, len(page.Items), limit)
		}
		all = append(all, page.Items...)
		if cursor = page.Next; cursor == "" {
			return all
		}
		if n > 100_000 {
			t.Fatal("the list does not end")
		}
	}
}
