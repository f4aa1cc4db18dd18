package access_test

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/projections/access"
)

// march is the time at which the stories of this file drop what is before: the month began
// some time ago.
var march = time.Date(2026, 3, 17, 8, 0, 0, 0, time.UTC)

// months is a story from January to April.
func months(seed uint64) (out []uses.Message) {
	draw := lots(seed)
	for m := range 4 {
		out = append(out, tell(draw, begin.AddDate(0, m, 0), uses.Position(1+30*m), 30)...)
	}
	return out
}

// TestTheBoundIsKeptAtOnce asks with a bound: nothing that is before it is told, though the
// rows are there.
func TestTheBoundIsKeptAtOnce(t *testing.T) {
	s := told(t, months(1))
	for _, q := range []access.Query{{Account: accounts[0]}, {Account: accounts[0], Key: keys[0]}, {Account: accounts[0], SourceIP: addresses[0]}} {
		before, err := s.List(q, "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		q.NotBefore = march
		after, err := s.List(q, "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(after.Items) == 0 || len(after.Items) >= len(before.Items) || after.Next != "" {
			t.Errorf("%+v: got %d entries of %d, want some", q, len(after.Items), len(before.Items))
		}
		for _, e := range after.Items {
			if e.Time.Before(march) {
				t.Errorf("%+v: got an entry of %v", q, e.Time)
			}
		}
	}
	counts, err := s.Counts(keys[0], access.Period{NotBefore: march})
	if err != nil || len(counts) == 0 || counts[0].Day.Before(march.Truncate(24*time.Hour)) {
		t.Errorf("counts: got %+v, %v", counts, err)
	}
}

func TestDroppedMonthsAreGone(t *testing.T) {
	story := months(2)
	fs := vfs.NewMem()
	s := open(t, fs)
	apply(t, s, story)
	last, err := s.LastOf(keys)
	if err != nil {
		t.Fatal(err)
	}
	whole := s.Dump()
	if err := s.Drop(march); err != nil {
		t.Fatal(err)
	}
	kept := s.Dump()
	for _, row := range kept {
		if !slices.Contains(whole, row) && !strings.HasPrefix(row, "016c") {
			t.Errorf("a row has come: %s", row)
		}
	}
	for _, row := range whole {
		dropped := strings.HasPrefix(row, "10") && row[:6] < "1002a2" // March 2026 is month 674
		if dropped == slices.Contains(kept, row) {
			t.Errorf("dropped %v, still there %v: %s", dropped, !dropped, row)
		}
	}
	if got, err := s.LastOf(keys); err != nil || !reflect.DeepEqual(got, last) {
		t.Errorf("last uses: got %+v, %v; want %+v", got, err, last)
	}
	if err := s.Drop(begin); err != nil { // never less
		t.Fatal(err)
	}
	same(t, s.Dump(), kept)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, fs)
	defer s.Close()
	same(t, s.Dump(), kept)
}

// TestReplayBringsNothingBack reads the log again into a store that has dropped months: into
// the same one behind its position, and into an empty one.
func TestReplayBringsNothingBack(t *testing.T) {
	story := months(3)
	lived := told(t, story)
	if err := lived.Drop(march); err != nil {
		t.Fatal(err)
	}
	empty := fresh(t)
	if err := empty.Drop(march); err != nil {
		t.Fatal(err)
	}
	apply(t, empty, story)
	same(t, empty.Dump(), lived.Dump())

	late := message(121, record(lots(9), begin), record(lots(10), march))
	rows := lived.MonthRows()
	apply(t, lived, []uses.Message{late})
	both := lived.MonthRows() - rows
	rows = empty.MonthRows()
	apply(t, empty, []uses.Message{message(121, record(lots(10), march))})
	if one := empty.MonthRows() - rows; both != one || one == 0 {
		t.Errorf("a record of a dropped month and one of a live month: %d rows have come, want %d", both, one)
	}
}

// TestCrashWhileDropping lets the machine fail around Drop: no row of a month that was dropped
// comes back, and the store ends as it would have without.
func TestCrashWhileDropping(t *testing.T) {
	story := months(4)
	want := told(t, story)
	if err := want.Drop(march); err != nil {
		t.Fatal(err)
	}
	prefix := prefixes(t, story)
	raised := 0
	for seed := range uint64(120) {
		lots := rand.New(rand.NewPCG(seed, 6))
		s := open(t, dropping(t, story, lots))
		if rows := s.Dump(); strings.Contains(strings.Join(rows, "\n"), "016c = ") {
			raised++
		} else { // then nothing is gone: else what is read again would fill a part of it
			same(t, rows, prefix[s.Position()])
			if err := s.Drop(march); err != nil {
				t.Fatal(err)
			}
		}
		apply(t, s, story)
		same(t, s.Dump(), want.Dump())
		if err := s.Close(); err != nil || t.Failed() {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	if raised < 10 || raised > 110 {
		t.Errorf("%d of 120 crashes were after the lowest month was raised: too one-sided to prove anything", raised)
	}
}

// dropping is what the disk may hold before one of the operations that dropping months is.
func dropping(t *testing.T, story []uses.Message, lots *rand.Rand) (crashed *vfs.MemFS) {
	fs := vfs.NewCrashableMem()
	var left atomic.Int64 // operations until the crash; none while negative
	left.Store(-1)
	s := open(t, errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && left.Load() >= 0 && left.Add(-1) == -1 {
			crashed = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50, 100}[lots.IntN(3)], RNG: lots})
		}
		return nil
	})))
	apply(t, s, story[:60+lots.IntN(61)])
	if lots.IntN(2) == 0 {
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	left.Store(int64(lots.IntN([]int{4, 40}[lots.IntN(2)])))
	err := errors.Join(s.Drop(march), s.Close())
	if crashed == nil {
		crashed = fs.CrashClone(vfs.CrashCloneCfg{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return crashed
}
