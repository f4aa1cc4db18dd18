package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
)

// usedBlocks is an installation with four blocks of USED, and what the positions of each are.
func usedBlocks(t *testing.T) (in installation, from []access.Position) {
	t.Helper()
	in = used(t, 80, 400_000)
	blocks, err := blocksOf(filepath.Join(in.stream(streamUsed), "msgs"), streamUsed)
	if err != nil || len(blocks) != 4 {
		t.Fatalf("got %d blocks, %v, want 4", len(blocks), err)
	}
	for _, b := range blocks {
		m := mender{}
		if err := m.read(b); err != nil {
			t.Fatal(err)
		}
		from = append(from, access.Position(m.last+1))
	}
	return in, append([]access.Position{1}, from...)
}

// copyOf is an installation as it was, in another place.
func copyOf(t *testing.T, in installation) installation {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copied")
	if err := os.CopyFS(to, os.DirFS(in.dir)); err != nil {
		t.Fatal(err)
	}
	in.dir = to
	return in
}

// TestMissingBlocksOfUsed removes blocks of USED, which the log's server takes for what was never written: each start says which messages are
// missing, gives no position anew, and stops who reads there until an operator lets it pass.
func TestMissingBlocksOfUsed(t *testing.T) {
	whole, from := usedBlocks(t)
	for name, test := range map[string]struct {
		gone          []int
		from, through access.Position
	}{
		"the first":     {[]int{1}, 1, from[1] - 1},
		"the first two": {[]int{1, 2}, 1, from[2] - 1},
		"the second":    {[]int{2}, from[1], from[2] - 1},
		"two between":   {[]int{2, 3}, from[1], from[3] - 1},
		"the last":      {[]int{4}, from[3], 80},
		"the last two":  {[]int{3, 4}, from[2], 80},
		"all":           {[]int{1, 2, 3, 4}, 1, 80},
	} {
		for _, index := range []bool{true, false} {
			t.Run(fmt.Sprint(name, ", the server's index is there: ", index), func(t *testing.T) {
				in := copyOf(t, whole)
				for _, n := range test.gone {
					remove(t, in.usedBlock(n))
				}
				if !index {
					remove(t, filepath.Join(in.stream(streamUsed), "msgs", "index.db"))
				}
				for start := range 2 {
					j := opened(t, in.config())
					lost := j.Unacknowledged()
					if len(lost) == 0 || lost[0].Stream != streamUsed || access.Position(lost[0].From) != test.from || access.Position(lost[0].Through) != test.through || j.Health().Whole() {
						t.Fatalf("start %d: got %v, want that %d to %d are lost", start, lost, test.from, test.through)
					}
					if first, err := j.FirstUse(t.Context()); err != nil || first != 1 {
						t.Errorf("it begins at %d, %v, want 1: nothing was trimmed", first, err)
					}
					came, err := reading(t, j, 0, 80)
					if wantRefused(t, err, GuardContent); len(came) != int(test.from)-1 {
						t.Errorf("got %d messages, want those before %d", len(came), test.from)
					}
					if start == 0 {
						closed(t, j)
						continue
					}
					next, err := j.AppendUses(t.Context(), "new", []byte("new:"))
					if err != nil || next <= 80 {
						t.Fatalf("append: got %d, %v, want a position that nothing had", next, err)
					}
					j.Excuse(func(stream string, p events.Position) bool { return stream == streamUsed && p == lost[0].From })
					came, err = reading(t, j, 0, next)
					for p := access.Position(1); p <= 80; p++ {
						if gone := p >= test.from && p <= test.through; slices.Contains(came, p) == gone {
							t.Errorf("with leave: position %d came: %v", p, !gone)
						}
					}
					if err != nil || !j.Health().Whole() {
						t.Errorf("with leave: %v, whole %v", err, j.Health().Whole())
					}
				}
			})
		}
	}
}

// TestMissingFrontOfTrimmedUsed removes what is behind the trimmed front of USED, and then everything: what was trimmed is not missed.
func TestMissingFrontOfTrimmedUsed(t *testing.T) {
	whole, from := usedBlocks(t)
	trim := func(last access.Position) installation {
		in := copyOf(t, whole)
		j := opened(t, in.config())
		if err := j.AppendSummary(t.Context(), time.Now(), []byte("a page")); err != nil {
			t.Fatal(err)
		}
		if err := j.TrimUses(t.Context(), last); err != nil {
			t.Fatal(err)
		}
		pages := 0
		for page, err := range j.Summaries(t.Context()) {
			if pages++; err != nil || string(page) != "a page" {
				t.Errorf("got the page %q, %v", page, err)
			}
		}
		if pages != 1 {
			t.Errorf("got %d pages, want 1", pages)
		}
		closed(t, j)
		return in
	}
	for name, test := range map[string]struct {
		trimmed       access.Position
		gone          []int
		from, through access.Position // from zero: nothing is lost
	}{
		"nothing, in a block":       {trimmed: from[1] + 3},
		"nothing, to a block's end": {trimmed: from[1] - 1},
		"nothing, to the end":       {trimmed: 80},
		"the rest of a block":       {from[1] + 3, []int{2}, from[1] + 4, from[2] - 1},
		"a block":                   {from[1] - 1, []int{2}, from[1], from[2] - 1},
	} {
		t.Run(name, func(t *testing.T) {
			in := trim(test.trimmed)
			for _, n := range test.gone {
				remove(t, in.usedBlock(n))
			}
			for range 2 {
				j := opened(t, in.config())
				lost := j.Unacknowledged()
				if first, err := j.FirstUse(t.Context()); err != nil || first != test.trimmed+1 {
					t.Errorf("it begins at %d, %v, want %d", first, err, test.trimmed+1)
				}
				if test.from == 0 && len(lost) > 0 || test.from > 0 && (len(lost) != 1 || access.Position(lost[0].From) != test.from || access.Position(lost[0].Through) != test.through) {
					t.Errorf("got %v, want %d to %d", lost, test.from, test.through)
				}
				closed(t, j)
			}
		})
	}
}

// TestMissingSummariesOfTrimmedUsed loses all of SUMMARY, and with it the word of how far USED was trimmed:
// what was trimmed is not told as lost, and what is lost behind it is.
func TestMissingSummariesOfTrimmedUsed(t *testing.T) {
	whole, from := usedBlocks(t)
	j := opened(t, whole.config())
	if err := errors.Join(j.AppendSummary(t.Context(), time.Now(), []byte("a page")), j.TrimUses(t.Context(), from[1]-1)); err != nil {
		t.Fatal(err)
	}
	closed(t, j)
	for _, used := range []bool{false, true} {
		in := copyOf(t, whole)
		remove(t, filepath.Join(in.stream(streamSummary), "msgs", "1.blk"))
		if used {
			remove(t, in.usedBlock(2))
		}
		for range 2 {
			j := opened(t, in.config())
			lost := j.Unacknowledged()
			if len(lost) == 0 || lost[0].Stream != streamSummary || len(lost) > 1 && !used {
				t.Errorf("got %v, want what is lost of SUMMARY", lost)
			}
			if used && (len(lost) != 2 || access.Position(lost[1].From) != from[1] || access.Position(lost[1].Through) != from[2]-1) {
				t.Errorf("got %v, want %d to %d of USED as well", lost, from[1], from[2]-1)
			}
			closed(t, j)
		}
	}
}

// TestFrontTrimmedByAnOlderBuild starts on a front that was trimmed when nothing said how far.
func TestFrontTrimmedByAnOlderBuild(t *testing.T) {
	in, from := usedBlocks(t)
	j := opened(t, in.config())
	if err := j.AppendSummary(t.Context(), time.Now(), []byte("a page")); err != nil {
		t.Fatal(err)
	}
	closed(t, j)
	remove(t, in.usedBlock(1))
	for range 2 {
		j = opened(t, in.config())
		if first, err := j.FirstUse(t.Context()); err != nil || first != from[1] || len(j.Damages()) > 0 {
			t.Errorf("it begins at %d, %v, damages %v; want %d and none", first, err, j.Damages(), from[1])
		}
		closed(t, j)
	}
	remove(t, in.usedBlock(2))
	if lost := opened(t, in.config()).Unacknowledged(); len(lost) != 1 || access.Position(lost[0].From) != from[1] || access.Position(lost[0].Through) != from[2]-1 {
		t.Errorf("got %v, want what was there at the last start", lost)
	}
}

// TestMissingSummaries removes blocks of SUMMARY.
func TestMissingSummaries(t *testing.T) {
	whole := installation{dir: t.TempDir(), last: 3}
	j := opened(t, testConfig(whole.dir))
	filled(t, j, int(whole.last))
	for i := range 60 {
		if err := j.AppendSummary(t.Context(), time.Now(), []byte(noise(i, 400_000))); err != nil {
			t.Fatal(err)
		}
	}
	whole.created = j.Created()
	closed(t, j)
	for name, gone := range map[string][]int{"the first": {1}, "one between": {2}, "the last": {3}, "all": {1, 2, 3}} {
		t.Run(name, func(t *testing.T) {
			in := copyOf(t, whole)
			for _, n := range gone {
				remove(t, filepath.Join(in.stream(streamSummary), "msgs", fmt.Sprint(n, ".blk")))
			}
			for range 2 {
				j := opened(t, in.config())
				lost := j.Unacknowledged()
				if len(lost) == 0 || lost[0].Stream != streamSummary || slices.Contains(gone, 1) != (lost[0].From == 1) || slices.Contains(gone, 3) != (lost[0].Through == 60) {
					t.Fatalf("got %v, want what was in %v", lost, gone)
				}
				came := 0
				for _, err := range j.Summaries(t.Context()) {
					if err != nil {
						wantRefused(t, err, GuardContent)
						break
					}
					came++
				}
				if came != int(lost[0].From)-1 {
					t.Errorf("got %d pages, want those before %d", came, lost[0].From)
				}
				j.Excuse(func(stream string, p events.Position) bool { return stream == streamSummary && p == lost[0].From })
				came = 0
				for _, err := range j.Summaries(t.Context()) {
					if err != nil {
						t.Fatalf("with leave: %v", err)
					}
					came++
				}
				if want := 60 - int(lost[0].Through-lost[0].From+1); came != want {
					t.Errorf("with leave: got %d pages, want %d", came, want)
				}
				closed(t, j)
			}
		})
	}
}

// TestMissingEndOfAKilledLog removes the newest block of a log that was killed: it went on behind what was written down, and nobody
// knows how far.
func TestMissingEndOfAKilledLog(t *testing.T) {
	in, from := usedBlocks(t)
	remove(t, in.usedBlock(4))
	write(t, filepath.Join(in.dir, endsFile), fmt.Appendf(nil, `{"last":{"USED":%d}}`, from[3]+1))
	j := opened(t, in.config())
	lost := j.Unacknowledged()
	if len(lost) != 1 || access.Position(lost[0].From) != from[3] || lost[0].Through < 80 {
		t.Fatalf("got %v, want %d and what can have been behind it", lost, from[3])
	}
	if next, err := j.AppendUses(t.Context(), "new", []byte("new:")); err != nil || events.Position(next) <= lost[0].Through {
		t.Errorf("append: got %d, %v, want a position that nothing can have had", next, err)
	}
}

// TestKilledBeforeTheFirstSummary kills the log several times while SUMMARY is empty: its server numbers the empty block anew at each
// start, and nothing is missing before the one that the first page goes into.
func TestKilledBeforeTheFirstSummary(t *testing.T) {
	in := installation{dir: t.TempDir(), last: 3}
	j := opened(t, testConfig(in.dir))
	filled(t, j, int(in.last))
	in.created = j.Created()
	for range 3 {
		in = copyOf(t, in) // as it is while the server runs
		closed(t, j)
		j = opened(t, in.config())
	}
	if err := j.AppendSummary(t.Context(), time.Now(), []byte("page")); err != nil {
		t.Fatal(err)
	}
	closed(t, j)
	if blocks, err := blocksOf(filepath.Join(in.stream(streamSummary), "msgs"), streamSummary); err != nil || len(blocks) != 1 || blocks[0].index == 1 {
		t.Fatalf("got %v, %v, want one block that is not the first", blocks, err)
	}
	var said bytes.Buffer
	c := in.config()
	c.Logger = slog.New(slog.NewTextHandler(&said, nil))
	j = opened(t, c)
	closed(t, j)
	if strings.Contains(said.String(), "level=ERROR") {
		t.Errorf("a whole log is said to be damaged: %s", said.String())
	}
	if _, err := os.Stat(filepath.Join(in.dir, asideDir)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was set aside of a whole log: %v", err)
	}
}

// TestMissingStream takes a stream away as a whole, again and again: that is named, nothing is set aside, and all is well once it is back.
func TestMissingStream(t *testing.T) {
	in := used(t, 2, 100)
	j := opened(t, in.config())
	if err := j.AppendSummary(t.Context(), time.Now(), []byte("a page")); err != nil {
		t.Fatal(err)
	}
	closed(t, j)
	for _, stream := range []string{streamUsed, streamSummary} {
		away := filepath.Join(t.TempDir(), stream)
		if err := os.Rename(in.stream(stream), away); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			_, err := Open(t.Context(), in.config())
			wantRefused(t, err, GuardMissing)
			if !strings.Contains(err.Error(), "put back "+in.stream(stream)) {
				t.Errorf("%s: it does not say what would be right: %v", stream, err)
			}
		}
		if _, err := os.Stat(filepath.Join(in.dir, asideDir)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: something was set aside: %v", stream, err)
		}
		if err := os.Rename(away, in.stream(stream)); err != nil {
			t.Fatal(err)
		}
		j := opened(t, in.config())
		if lost := j.Damages(); len(lost) > 0 {
			t.Errorf("%s is back, and said to be lost: %v", stream, lost)
		}
		closed(t, j)
	}
}

// TestMissingEndThatNobodyKnowsOf loses the last block of SUMMARY and what said how far that reached: who reads it is told of the loss
// or passes it over, and does not wait for what will never come.
func TestMissingEndThatNobodyKnowsOf(t *testing.T) {
	in := used(t, 2, 100)
	j := opened(t, in.config())
	if err := j.AppendSummary(t.Context(), time.Now(), []byte("a page")); err != nil {
		t.Fatal(err)
	}
	closed(t, j)
	remove(t, filepath.Join(in.dir, endsFile))
	remove(t, filepath.Join(in.stream(streamSummary), "msgs", "1.blk"))
	j = opened(t, in.config())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for salvage, want := range map[bool]error{true: nil, false: events.ErrLost} {
		for page, err := range j.summaries(ctx, salvage) {
			if len(page) > 0 || !errors.Is(err, events.ErrLost) {
				t.Errorf("salvage %v: got %q, %v", salvage, page, err)
			}
			want = nil
		}
		if want != nil || ctx.Err() != nil {
			t.Errorf("salvage %v: %v was not told, %v", salvage, want, ctx.Err())
		}
	}
	closed(t, j)
}

// TestMissingLog takes all streams away: what is missing is named, nothing is made up for it, and all is well once they are back.
func TestMissingLog(t *testing.T) {
	in := used(t, 2, 100)
	streams, away := filepath.Join(in.dir, "jetstream"), filepath.Join(t.TempDir(), "away")
	if err := os.Rename(streams, away); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err := Open(t.Context(), in.config())
		wantRefused(t, err, GuardMissing)
	}
	if err := errors.Join(os.RemoveAll(streams), os.Rename(away, streams)); err != nil {
		t.Fatal(err)
	}
	if lost := opened(t, in.config()).Damages(); len(lost) > 0 {
		t.Errorf("what is back is said to be lost: %v", lost)
	}
}

// TestEndsThatCannotBeRead refuses a start that could not say whether the end of USED is there.
func TestEndsThatCannotBeRead(t *testing.T) {
	in := used(t, 2, 100)
	write(t, filepath.Join(in.dir, endsFile), []byte("?"))
	_, err := Open(t.Context(), in.config())
	wantRefused(t, err, GuardContent)
}
