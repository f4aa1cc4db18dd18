package projections

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"
)

// numbers is a table of the test's: a scope and a number lead to a word.
var numbers = Table[[2]byte, string]{
	ID:        TableKeys,
	AppendKey: func(dst []byte, k [2]byte) []byte { return append(dst, k[:]...) },
	ParseKey: func(b []byte) (k [2]byte, err error) {
		if len(b) != 2 {
			return k, errors.New("want two bytes")
		}
		return [2]byte(b), nil
	},
	AppendValue: func(dst []byte, v string) []byte { return append(dst, v...) },
	ParseValue:  func(b []byte) (string, error) { return string(b), nil },
}

// testStore is a store in memory whose table of keys answers from a generation.
func testStore(t *testing.T, generation byte) (*Store, *member) {
	t.Helper()
	s, err := Open("s", Options{FS: vfs.NewMem(), CacheBytes: 1 << 20, MemTableBytes: 128 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	s.turn([]TableID{TableKeys}, generation)
	m := &member{name: "test", standing: standing{generation: generation}}
	m.owns[TableKeys] = true
	return s, m
}

func batchOf(s *Store, m *member) *Batch {
	m.begin(s, 1)
	return m.batch
}

func write(t *testing.T, s *Store, m *member, f func(b *Batch)) {
	t.Helper()
	b := batchOf(s, m)
	f(b)
	if b.err != nil {
		t.Fatal(b.err)
	}
	b.sort()
	out := s.db.NewBatch()
	defer out.Close()
	if err := errors.Join(b.writeTo(out), s.commit(out)); err != nil {
		t.Fatal(err)
	}
}

func put(b *Batch, keys ...[2]byte) {
	for _, k := range keys {
		numbers.Put(b, k, fmt.Sprint(k))
	}
}

func scan(t *testing.T, r Reader, g Range) (found [][2]byte) {
	t.Helper()
	for row, err := range numbers.Scan(r, g) {
		if err != nil {
			t.Fatal(err)
		}
		if row.Value != fmt.Sprint(row.Key) || !bytes.Equal(row.Suffix, row.Key[len(g.Prefix):]) {
			t.Errorf("row %v has value %q and suffix %x", row.Key, row.Value, row.Suffix)
		}
		found = append(found, row.Key)
	}
	return found
}

func TestScanKeepsToItsRange(t *testing.T) {
	for _, generation := range []byte{1, 254, 255} {
		s, m := testStore(t, generation)
		write(t, s, m, func(b *Batch) {
			put(b, [2]byte{1, 0}, [2]byte{1, 5}, [2]byte{1, 9}, [2]byte{2, 1}, [2]byte{255, 255}, [2]byte{0, 0})
		})
		for name, c := range map[string]struct {
			g    Range
			want [][2]byte
		}{
			"all":               {Range{}, [][2]byte{{0, 0}, {1, 0}, {1, 5}, {1, 9}, {2, 1}, {255, 255}}},
			"prefix":            {Range{Prefix: []byte{1}}, [][2]byte{{1, 0}, {1, 5}, {1, 9}}},
			"the last prefix":   {Range{Prefix: []byte{255}}, [][2]byte{{255, 255}}},
			"from":              {Range{Prefix: []byte{1}, From: []byte{5}}, [][2]byte{{1, 5}, {1, 9}}},
			"to":                {Range{Prefix: []byte{1}, To: []byte{5}}, [][2]byte{{1, 0}}},
			"backward":          {Range{Prefix: []byte{1}, Backward: true}, [][2]byte{{1, 9}, {1, 5}, {1, 0}}},
			"after":             {Range{Prefix: []byte{1}}.After([]byte{0}), [][2]byte{{1, 5}, {1, 9}}},
			"after, backward":   {Range{Prefix: []byte{1}, Backward: true}.After([]byte{9}), [][2]byte{{1, 5}, {1, 0}}},
			"nothing to resume": {Range{Prefix: []byte{2}}.After(nil), [][2]byte{{2, 1}}},
			"empty":             {Range{Prefix: []byte{3}}, nil},
		} {
			if got := scan(t, s, c.g); !slices.Equal(got, c.want) {
				t.Errorf("generation %d, %s: got %v, want %v", generation, name, got, c.want)
			}
		}
	}
}

func TestMergeIsInOrderOfSuffixes(t *testing.T) {
	s, m := testStore(t, 1)
	write(t, s, m, func(b *Batch) { put(b, [2]byte{1, 4}, [2]byte{1, 7}, [2]byte{2, 1}, [2]byte{2, 5}, [2]byte{4, 6}) })
	var got []byte
	for row, err := range numbers.Merge(s, []Range{{Prefix: []byte{1}}, {Prefix: []byte{2}}, {Prefix: []byte{3}}, {Prefix: []byte{4}}}) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, row.Suffix...); len(got) == 4 {
			break // the other iterators must be closed
		}
	}
	if want := []byte{1, 4, 5, 6}; !bytes.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestBatchSeesItsOwnRows(t *testing.T) {
	s, m := testStore(t, 1)
	write(t, s, m, func(b *Batch) { put(b, [2]byte{1, 1}, [2]byte{1, 2}) })
	has := func(g Getter, k [2]byte) bool {
		_, found, err := numbers.Get(g, k)
		if err != nil {
			t.Fatal(err)
		}
		also, err := numbers.Has(g, k)
		if err != nil || also != found {
			t.Errorf("Has is %v, %v, but Get is %v", also, err, found)
		}
		return found
	}
	write(t, s, m, func(b *Batch) {
		numbers.Delete(b, [2]byte{1, 1})
		put(b, [2]byte{1, 3})
		b.keep()
		// a record that fails
		numbers.Delete(b, [2]byte{1, 3})
		put(b, [2]byte{1, 1}, [2]byte{1, 4})
		numbers.Put(b, [2]byte{1, 2}, "changed")
		numbers.Put(b, [2]byte{1, 2}, "changed twice")
		if has(b, [2]byte{1, 3}) || !has(b, [2]byte{1, 1}) || !has(b, [2]byte{1, 4}) {
			t.Error("the batch does not see what it wrote last")
		}
		b.takeBack()
		if !has(b, [2]byte{1, 3}) || has(b, [2]byte{1, 1}) || has(b, [2]byte{1, 4}) {
			t.Error("the batch sees what was taken back")
		}
		if has(s, [2]byte{1, 3}) || !has(s, [2]byte{1, 1}) {
			t.Error("the store sees what is not committed")
		}
	})
	if got, want := scan(t, s, Range{}), [][2]byte{{1, 2}, {1, 3}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestBatchWithEqualHashes lets a row have the hash of another key, and its place.
func TestBatchWithEqualHashes(t *testing.T) {
	s, m := testStore(t, 1)
	one, two := [2]byte{1, 1}, [2]byte{2, 2}
	write(t, s, m, func(b *Batch) {
		put(b, one)
		_, h := b.find([]byte{byte(TableKeys), 1, 2, 2})
		b.rows[0].hash = h
		clear(b.index)
		b.enter(1, h)
		if _, found, err := numbers.Get(b, two); found || err != nil {
			t.Errorf("found a row that nobody wrote, %v", err)
		}
		put(b, two)
		if v, found, err := numbers.Get(b, two); !found || err != nil || v != fmt.Sprint(two) {
			t.Errorf("got %q, %v, %v", v, found, err)
		}
	})
	if got, want := scan(t, s, Range{}), [][2]byte{one, two}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestBatchFindsManyRows lets the index grow.
func TestBatchFindsManyRows(t *testing.T) {
	s, m := testStore(t, 1)
	b := batchOf(s, m)
	for i := range uint16(5000) {
		put(b, [2]byte(binary.BigEndian.AppendUint16(nil, i)))
	}
	for i := range uint16(10_000) {
		k := [2]byte(binary.BigEndian.AppendUint16(nil, i))
		if v, found, err := numbers.Get(b, k); err != nil || found != (i < 5000) || found && v != fmt.Sprint(k) {
			t.Fatalf("%d: got %q, %v, %v", i, v, found, err)
		}
	}
}

// noted is numbers for a projection that only writes them.
var noted = func() Table[[2]byte, string] {
	t := numbers
	t.WriteOnly = true
	return t
}()

// TestWriteOnlyRows: the last of a key counts, what a failed record wrote does not, and
// nobody may look for one.
func TestWriteOnlyRows(t *testing.T) {
	s, m := testStore(t, 1)
	write(t, s, m, func(b *Batch) { put(b, [2]byte{1, 1}, [2]byte{1, 9}) })
	write(t, s, m, func(b *Batch) {
		noted.Put(b, [2]byte{1, 2}, "old")
		noted.Delete(b, [2]byte{1, 1})
		noted.Put(b, [2]byte{1, 3}, "gone")
		noted.Put(b, [2]byte{1, 2}, fmt.Sprint([2]byte{1, 2}))
		noted.Delete(b, [2]byte{1, 3})
		b.keep()
		noted.Put(b, [2]byte{1, 2}, "taken back")
		noted.Put(b, [2]byte{1, 4}, "taken back")
		noted.Delete(b, [2]byte{1, 9})
		b.takeBack()
	})
	if got, want := scan(t, s, Range{}), [][2]byte{{1, 2}, {1, 9}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	b := batchOf(s, m)
	if _, _, err := noted.Get(b, [2]byte{1, 2}); err == nil || b.err == nil {
		t.Error("a projection looked for a row of a table that is only written")
	}
	if v, found, err := noted.Get(s, [2]byte{1, 2}); !found || err != nil || v != fmt.Sprint([2]byte{1, 2}) {
		t.Errorf("a query got %q, %v, %v", v, found, err)
	}
}

// TestBatchLeavesNoTombstones: what the store never had needs none.
func TestBatchLeavesNoTombstones(t *testing.T) {
	s, m := testStore(t, 1)
	write(t, s, m, func(b *Batch) {
		k := [2]byte{1, 1}
		if _, found, err := numbers.Get(b, k); found || err != nil {
			t.Errorf("got %v, %v", found, err)
		}
		put(b, k)
		b.keep()
		numbers.Delete(b, k)
		if _, found, err := numbers.Get(b, k); found || err != nil {
			t.Errorf("deleted: got %v, %v", found, err)
		}
		if b.sort(); len(b.order) != 0 {
			t.Errorf("%d rows to write, want none", len(b.order))
		}
		b.takeBack()
		if v, found, err := numbers.Get(b, k); !found || err != nil || v != fmt.Sprint(k) {
			t.Errorf("taken back: got %q, %v, %v", v, found, err)
		}
	})
	if got, want := scan(t, s, Range{}), [][2]byte{{1, 1}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestBatchWritesInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := &Batch{}
		for _, key := range rapid.SliceOf(rapid.StringMatching(`[tu]g([\x00a]{0,3}k{14}[\x00a]{0,3}|[\x00ab]{0,4})`)).Draw(t, "keys") {
			b.rows = append(b.rows, pending{key: b.hold([]byte(key)), state: written})
		}
		b.sort()
		order := b.order
		if len(order) != len(b.rows) {
			t.Fatalf("%d rows of %d", len(order), len(b.rows))
		}
		for i := 1; i < len(order); i++ {
			x, y := order[i-1].row, order[i].row
			if c := bytes.Compare(b.of(b.rows[x].key), b.of(b.rows[y].key)); c > 0 || c == 0 && x > y {
				t.Fatalf("%q of row %d before %q of row %d", b.of(b.rows[x].key), x, b.of(b.rows[y].key), y)
			}
		}
	})
}

func TestBatchKeepsToItsOwnTables(t *testing.T) {
	s, m := testStore(t, 1)
	m.owns[TableKeys] = false
	b := batchOf(s, m)
	put(b, [2]byte{1, 1})
	if b.err == nil || len(b.rows) != 0 {
		t.Errorf("got %v and %d rows: want an error and none", b.err, len(b.rows))
	}
	b.err = nil
	if _, _, err := numbers.Get(b, [2]byte{1, 1}); err == nil {
		t.Error("a projection read a table that is not its own")
	}
}

func TestSmallBatchesAfterLargeOnesAreCheap(t *testing.T) {
	s, m := testStore(t, 1)
	b := batchOf(s, m)
	for i := range uint16(10_000) {
		put(b, [2]byte(binary.BigEndian.AppendUint16(nil, i)))
	}
	b.reset(1)
	if len(b.index) != 0 || b.large != 0 {
		t.Errorf("an index of %d, large %d: want a new one", len(b.index), b.large)
	}
}

func TestViewIsOfOneMoment(t *testing.T) {
	s, m := testStore(t, 1)
	write(t, s, m, func(b *Batch) { put(b, [2]byte{1, 1}) })
	v := s.View()
	defer v.Close()
	write(t, s, m, func(b *Batch) { put(b, [2]byte{1, 2}) })
	// A rebuild without rows takes over, and the old rows go.
	s.turn([]TableID{TableKeys}, 2)
	if err := s.sweep(TableKeys, 2); err != nil {
		t.Fatal(err)
	}
	if got := scan(t, s, Range{}); got != nil {
		t.Errorf("the store has %v: want nothing", got)
	}
	if got, want := scan(t, v, Range{}), [][2]byte{{1, 1}}; !slices.Equal(got, want) {
		t.Errorf("the view has %v, want %v", got, want)
	}
	if _, found, err := numbers.Get(v, [2]byte{1, 1}); !found || err != nil {
		t.Errorf("the view's row: %v, %v", found, err)
	}
}

// TestReadersNeverSeeASwap lets another generation take over, and the old one
// go, just when a reader has looked which one to read.
func TestReadersNeverSeeASwap(t *testing.T) {
	s, m := testStore(t, 1)
	row := [2]byte{1, 1}
	write(t, s, m, func(b *Batch) { put(b, row) })
	swap := func() {
		s.between = nil
		m.generation = nextGeneration(m.generation)
		write(t, s, m, func(b *Batch) { put(b, row) })
		s.turn([]TableID{TableKeys}, m.generation)
		if err := s.sweep(TableKeys, m.generation); err != nil {
			t.Fatal(err)
		}
	}
	s.between = swap
	if got := scan(t, s, Range{}); len(got) != 1 {
		t.Errorf("a scan sees %d rows", len(got))
	}
	s.between = swap
	if _, found, err := numbers.Get(s, row); !found || err != nil {
		t.Errorf("a get sees none: %v", err)
	}
	s.between = swap
	v := s.View()
	defer v.Close()
	if got := scan(t, v, Range{}); len(got) != 1 {
		t.Errorf("a view sees %d rows", len(got))
	}
	if m.generation != 4 {
		t.Errorf("%d swaps, want 3", m.generation-1)
	}
}

func TestSweepKeepsOneGeneration(t *testing.T) {
	for _, keep := range []byte{1, 7, 255} {
		s, m := testStore(t, keep)
		for _, g := range []byte{1, 2, 7, 254, 255} {
			m.generation = g
			write(t, s, m, func(b *Batch) { put(b, [2]byte{g, g}) })
		}
		if err := s.sweep(TableKeys, keep); err != nil {
			t.Fatal(err)
		}
		for _, g := range []byte{1, 2, 7, 254, 255} {
			s.turn([]TableID{TableKeys}, g)
			if _, found, err := numbers.Get(s, [2]byte{g, g}); err != nil || found != (g == keep) {
				t.Errorf("keep %d: generation %d: %v, %v", keep, g, found, err)
			}
		}
	}
}

func TestUnreadableRowsAreErrors(t *testing.T) {
	s, m := testStore(t, 1)
	write(t, s, m, func(b *Batch) { b.set([]byte{byte(TableKeys), 0, 1, 2, 3}, nil) })
	for _, err := range numbers.Scan(s, Range{}) {
		if err == nil {
			t.Error("a key of three bytes was read as one of two")
		}
	}
}

func TestStandingIsReadBack(t *testing.T) {
	for _, want := range []standing{
		{version: 3, generation: 200, position: 1 << 40},
		{version: 1, generation: 1, position: 7, degraded: &Degradation{Position: 8, Reason: "no such key"}},
		{version: 2, generation: 5, along: true},
	} {
		got, err := parseStanding(appendStanding(nil, want))
		if err != nil || got.version != want.version || got.generation != want.generation || got.position != want.position || got.along != want.along ||
			(got.degraded == nil) != (want.degraded == nil) || got.degraded != nil && *got.degraded != *want.degraded {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}

func FuzzParseStanding(f *testing.F) {
	f.Add(appendStanding(nil, standing{version: 1, generation: 1, position: 7, degraded: &Degradation{Position: 8, Reason: "no"}}))
	f.Add(appendStanding(nil, standing{version: 2, generation: 5, along: true}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseStanding(b); err == nil && !bytes.Equal(appendStanding(nil, s), b) {
			t.Errorf("read %x as %+v", b, s)
		}
	})
}

func TestOlderStoresAreRemoved(t *testing.T) {
	fs := vfs.NewMem()
	for _, dir := range []string{"s/v0", "s/v01", "s/v9", "s/other"} {
		if err := fs.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open("s", Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	names, err := fs.List("s")
	slices.Sort(names)
	if want := []string{"bulk", "other", "v01", "v1", "v9"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("got %v, %v, want %v", names, err, want)
	}
}

func TestQueriesTellCursorsApart(t *testing.T) {
	q := QueryOf("keys", "a", "")
	at, err := q.Resume(q.Cursor([]byte{1, 2}))
	if err != nil || !bytes.Equal(at, []byte{1, 2}) {
		t.Errorf("got %x, %v", at, err)
	}
	if at, err := q.Resume(""); at != nil || err != nil {
		t.Errorf("no cursor: got %x, %v", at, err)
	}
	var refused *CursorError
	for name, text := range map[string]string{
		"another list":    QueryOf("users", "a", "").Cursor([]byte{1}),
		"another filter":  QueryOf("keys", "", "a").Cursor([]byte{1}),
		"no place":        q.Cursor(nil),
		"not base64":      "!!!",
		"cut":             q.Cursor([]byte{1, 2})[:8],
		"a line break":    q.Cursor([]byte{1, 2}) + "\n",
		"another version": "Ag" + q.Cursor([]byte{1, 2})[2:],
		"too long":        q.Cursor(make([]byte, 2000)),
	} {
		if at, err := q.Resume(text); !errors.As(err, &refused) {
			t.Errorf("%s: got %x, %v, want a *CursorError", name, at, err)
		}
	}
}

func FuzzResume(f *testing.F) {
	q := QueryOf("keys", "a")
	f.Add(q.Cursor([]byte("place")))
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, text string) {
		at, err := q.Resume(text)
		if err == nil && text != "" && q.Cursor(at) != text {
			t.Errorf("%q resumes at %x, whose cursor is %q", text, at, q.Cursor(at))
		}
	})
}

func TestFatalFaultsBecomeErrors(t *testing.T) {
	var told []Health
	fatal := func() (err error) {
		defer recoverFatal(&err)
		logger{func(h Health) { told = append(told, h) }}.Fatalf("commit: %v", "no disk")
		return nil
	}
	var failed *StoreError
	if err := fatal(); !errors.As(err, &failed) || failed.Detail != "commit: no disk" {
		t.Errorf("got %v", err)
	}
	if len(told) != 1 || told[0] != (Health{HealthFailed, "commit: no disk"}) {
		t.Errorf("told %v", told)
	}
	defer func() {
		if recover() == nil {
			t.Error("another panic was swallowed")
		}
	}()
	func() (err error) {
		defer recoverFatal(&err)
		panic("a bug")
	}()
}
