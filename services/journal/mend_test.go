package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
)

// used is an installation with so many messages in USED, each of so many bytes.
func used(t *testing.T, messages, size int) installation {
	t.Helper()
	in := installation{dir: t.TempDir(), last: 3}
	j := opened(t, testConfig(in.dir))
	filled(t, j, int(in.last))
	for i := range messages {
		if _, err := j.AppendUses(t.Context(), fmt.Sprint("batch-", i), []byte(content(i, size))); err != nil {
			t.Fatal(err)
		}
	}
	in.created = j.Created()
	closed(t, j)
	return in
}

func content(i, size int) string { return fmt.Sprint(i+1, ":") + noise(i, size) }

func (in installation) usedBlock(n int) string {
	return filepath.Join(in.stream(streamUsed), "msgs", fmt.Sprint(n, ".blk"))
}

// offsets are where the records of an uncompressed block begin.
func offsets(buf []byte) (at []int) {
	for next := 0; next < len(buf); next += int(binary.LittleEndian.Uint32(buf[next:]) &^ headerBit) {
		at = append(at, next)
	}
	return at
}

// reading follows USED from its beginning: the positions that come, up to one, and the error that ends it.
func reading(t *testing.T, j *Journal, after, until access.Position) (came []access.Position, failed error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for m, err := range j.FollowUses(ctx, after) {
		if err != nil {
			return came, err
		}
		if number, _, _ := strings.Cut(string(m.Data), ":"); len(m.Data) > 0 && number != fmt.Sprint(m.Position) && !strings.HasPrefix(number, "new") {
			t.Errorf("position %d holds the message %q", m.Position, number)
		}
		if came = append(came, m.Position); m.Position >= until {
			return came, nil
		}
	}
	return came, errors.New("it did not come to its end in time")
}

// TestUsedIsMended damages USED in a block that is not compressed. The log starts, says what is
// lost, keeps the block as it was, and takes more; who reads is stopped there until an operator lets it pass.
func TestUsedIsMended(t *testing.T) {
	const first = 10 // messages
	for name, test := range map[string]struct {
		damage        func(buf []byte, at []int) []byte
		from, through events.Position // through zero: a bound
	}{
		"content in the middle":         {func(b []byte, at []int) []byte { return changed(b, at[3]+100, 1) }, 4, 4},
		"a length in the middle":        {func(b []byte, at []int) []byte { return changed(b, at[3], 1) }, 4, 4},
		"a sequence in the middle":      {func(b []byte, at []int) []byte { return changed(b, at[3]+9, 'Z') }, 4, 4},
		"three side by side":            {func(b []byte, at []int) []byte { clear(b[at[3]+5 : at[6]-5]); return b }, 4, 6},
		"the first":                     {func(b []byte, at []int) []byte { return changed(b, at[0]+100, 1) }, 1, 1},
		"the last":                      {func(b []byte, at []int) []byte { return changed(b, at[9]+100, 1) }, 10, 0},
		"the sequence of the last":      {func(b []byte, at []int) []byte { return changed(b, at[9]+9, 'Z') }, 10, 0},
		"everything but the last bytes": {func(b []byte, at []int) []byte { clear(b[:len(b)-8]); return b }, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			in := used(t, first, 300)
			path := in.usedBlock(1)
			whole := read(t, path)
			broken := test.damage(bytes.Clone(whole), offsets(whole))
			write(t, path, broken)
			j := opened(t, in.config())
			damages := j.Unacknowledged()
			if len(damages) != 1 || damages[0].From != test.from || test.through != 0 && damages[0].Through != test.through || damages[0].Through < max(test.through, test.from) {
				t.Fatalf("got %v, want that %d to %d are lost", damages, test.from, test.through)
			}
			d := damages[0]
			if d.Stream != streamUsed || d.Block != "1.blk" || !bytes.Equal(read(t, d.Aside), broken) || j.Health().Whole() || !j.Health().Writable {
				t.Errorf("got %+v, health %+v", d, j.Health())
			}
			next, err := j.AppendUses(t.Context(), "new", []byte("new:"))
			if err != nil || events.Position(next) <= d.Through || next <= first {
				t.Fatalf("append: got %d, %v, want a position that nothing had", next, err)
			}
			came, err := reading(t, j, 0, next)
			if r := wantRefused(t, err, GuardContent); !strings.Contains(r.Detail, d.String()) || len(came) != int(d.From)-1 {
				t.Errorf("got %v and %v, want what is before the damage and its name", came, err)
			}
			closed(t, j)
			in.last = 3
			j = opened(t, in.config()) // it is not damaged any more, and stays known
			if got := j.Unacknowledged(); len(got) != 1 || got[0] != d {
				t.Errorf("at the next start: got %v, want %v", got, damages)
			}
			j.Excuse(func(stream string, p events.Position) bool { return stream == streamUsed && p == d.From })
			came, err = reading(t, j, 0, next)
			for p := access.Position(1); p <= next; p++ {
				lost := events.Position(p) >= d.From && events.Position(p) <= d.Through
				if there := slices.Contains(came, p); there == lost {
					t.Errorf("position %d: came %v, lost %v", p, there, lost)
				}
			}
			if err != nil || !j.Health().Whole() {
				t.Errorf("with leave: got %v, whole %v", err, j.Health().Whole())
			}
			if err := j.TrimUses(t.Context(), next); err != nil || len(j.Damages()) > 0 {
				t.Errorf("trimmed: got %v, %v", j.Damages(), err)
			}
			if left, _ := os.ReadDir(filepath.Join(in.dir, asideDir)); len(left) > 0 {
				t.Errorf("trimmed, and still set aside: %v", left)
			}
		})
	}
}

// TestEveryByteOfUsedIsMended changes bytes of a block: what was not in a damaged record is still there.
func TestEveryByteOfUsedIsMended(t *testing.T) {
	in := used(t, 6, 40)
	b := block{stream: streamUsed, path: in.usedBlock(1), index: 1}
	whole := read(t, b.path)
	at := offsets(whole)
	for i := range whole {
		for _, with := range []byte{0x01, 0x80, 0x55} {
			write(t, b.path, changed(whole, i, with))
			m := mender{}
			if err := m.read(b); err != nil {
				t.Fatal(err)
			}
			m.end(block{stream: streamUsed, index: 2}, ends{})
			hit, _ := slices.BinarySearch(at, i+1)
			d, kept := m.patches[0].lost, m.patches[0].kept
			if len(d) != 1 || d[0].From != events.Position(hit) || d[0].Through < d[0].From || hit < 6 && d[0].Through != d[0].From {
				t.Fatalf("byte %d changed: got %v, want that message %d is lost", i, d, hit)
			}
			end := len(whole)
			if hit < 6 {
				end = at[hit]
			}
			if want := append(bytes.Clone(whole[:at[hit-1]]), whole[end:]...); !bytes.HasPrefix(kept, want) || hit < 6 && len(kept) != len(want) {
				t.Fatalf("byte %d changed: something else is kept", i)
			}
		}
	}
}

// TestCompressedUsedIsMended damages old blocks, which are compressed: in their frames, which only the server looks at
// (and would remove the stream for), in their heads, and wholly.
func TestCompressedUsedIsMended(t *testing.T) {
	whole := used(t, 60, 400_000)
	for name, damage := range map[string]func(t *testing.T, in installation){
		"a frame, and the index is gone": func(t *testing.T, in installation) {
			flip(t, in.usedBlock(1))
			remove(t, filepath.Join(in.stream(streamUsed), "msgs", "index.db"))
		},
		"the head of a block": func(t *testing.T, in installation) {
			write(t, in.usedBlock(2), changed(read(t, in.usedBlock(2)), 6, 0xff))
		},
		"a whole block": func(t *testing.T, in installation) {
			write(t, in.usedBlock(2), make([]byte, len(read(t, in.usedBlock(2)))))
		},
		"the first block": func(t *testing.T, in installation) {
			write(t, in.usedBlock(1), make([]byte, len(read(t, in.usedBlock(1)))))
		},
		"a block that is cut": func(t *testing.T, in installation) { cut(t, in.usedBlock(1), 0.5) },
	} {
		t.Run(name, func(t *testing.T) {
			in := whole
			in.dir = filepath.Join(t.TempDir(), "copied")
			if err := os.CopyFS(in.dir, os.DirFS(whole.dir)); err != nil {
				t.Fatal(err)
			}
			damage(t, in)
			j := opened(t, in.config())
			lost := j.Unacknowledged()
			if len(lost) == 0 {
				t.Fatal("nothing is said to be lost")
			}
			j.Excuse(func(string, events.Position) bool { return true })
			came, err := reading(t, j, 0, 60)
			if err != nil {
				t.Fatalf("with leave: %v", err)
			}
			for p := access.Position(1); p <= 60; p++ {
				named := slices.ContainsFunc(lost, func(d Damage) bool { return events.Position(p) >= d.From && events.Position(p) <= d.Through })
				if !named && !slices.Contains(came, p) {
					t.Errorf("position %d is gone, and only %v are said to be lost", p, lost)
				}
			}
			if len(came) < 20 {
				t.Errorf("only %d of 60 came", len(came))
			}
		})
	}
}

// TestSummaryIsMended damages SUMMARY likewise.
func TestSummaryIsMended(t *testing.T) {
	in := installation{dir: t.TempDir(), last: 3}
	j := opened(t, testConfig(in.dir))
	filled(t, j, int(in.last))
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for i := range 5 {
		if err := j.AppendSummary(t.Context(), day.AddDate(0, 0, i), []byte(noise(i, 200))); err != nil {
			t.Fatal(err)
		}
	}
	in.created = j.Created()
	closed(t, j)
	for _, hit := range []int{2, 4} { // the third, then the last
		path := filepath.Join(in.stream(streamSummary), "msgs", "1.blk")
		buf := read(t, path)
		write(t, path, changed(buf, offsets(buf)[hit-hit/4]+60, 1)) // one is gone by then
		j = opened(t, in.config())
		pages := func() (n int, failed error) {
			for page, err := range j.Summaries(t.Context()) {
				if err != nil {
					return n, err
				}
				if len(page) != 200 {
					t.Errorf("a page of %d bytes", len(page))
				}
				n++
			}
			return n, nil
		}
		n, err := pages()
		if r := wantRefused(t, err, GuardContent); n != 2 || !strings.Contains(r.Detail, "stream SUMMARY") {
			t.Errorf("got %d pages and %v", n, err)
		}
		j.Excuse(func(stream string, _ events.Position) bool { return stream == streamSummary })
		if n, err := pages(); err != nil || n != 4-hit/4 {
			t.Errorf("with leave: got %d pages, %v", n, err)
		}
		closed(t, j)
	}
}

// TestLedgerIsNotMended damages LEDGER and USED at once: the start is refused for LEDGER, and nothing is touched.
func TestLedgerIsNotMended(t *testing.T) {
	in := used(t, 5, 100)
	for _, stream := range []string{streamUsed, streamLedger} {
		path := filepath.Join(in.stream(stream), "msgs", "1.blk")
		write(t, path, changed(read(t, path), 60, 1))
	}
	broken := read(t, in.usedBlock(1))
	_, err := Open(t.Context(), in.config())
	if r := wantRefused(t, err, GuardContent); !strings.Contains(r.Detail, "block 1.blk of stream LEDGER") {
		t.Errorf("got %q", r.Detail)
	}
	if _, err := os.Stat(filepath.Join(in.dir, asideDir)); !os.IsNotExist(err) || !bytes.Equal(read(t, in.usedBlock(1)), broken) {
		t.Errorf("USED was touched: %v", err)
	}
}

// TestScanReadsFiles damages blocks of USED and SUMMARY, old and new, while the log is open, and the newest of LEDGER: each is
// found, and goes on being found until it is mended. A log that is written to is not found damaged.
func TestScanReadsFiles(t *testing.T) {
	in := used(t, 60, 400_000)
	c := in.config()
	c.Scan = Scan{Rate: 1000, Every: 20 * time.Millisecond}
	j := opened(t, c)
	if err := j.AppendSummary(t.Context(), time.Now(), []byte("a page")); err != nil {
		t.Fatal(err)
	}
	rounds := func(n int) {
		done := j.Health().Scan.FileRounds + n
		waitFor(t, "the scan", func() bool { return j.Health().Scan.FileRounds >= done })
	}
	stop := busy(t, j, 4, 100)
	for i := range 200 {
		if _, err := j.AppendUses(t.Context(), fmt.Sprint("more-", i), []byte(content(i, 100))); err != nil {
			t.Fatal(err)
		}
	}
	rounds(2)
	stop()
	if h := j.Health(); !h.Whole() {
		t.Fatalf("nothing is wrong, and the scan found %v", h.Scan)
	}
	flip(t, in.usedBlock(1))
	want := []string{"block 1.blk of stream USED"}
	for _, stream := range []string{streamLedger, streamSummary} {
		blocks, err := blocksOf(filepath.Join(in.stream(stream), "msgs"), stream)
		if err != nil {
			t.Fatal(err)
		}
		path := blocks[len(blocks)-1].path
		buf := read(t, path)
		write(t, path, changed(buf, offsets(buf)[0]+30, 1))
		want = append([]string{"block " + filepath.Base(path) + " of stream " + stream}, want...)
	}
	rounds(2)
	var said []string
	for _, f := range j.Health().Scan.Blocks {
		said = append(said, strings.Join(strings.Fields(f.Err.Detail)[:5], " "))
	}
	if !slices.Equal(said, want) {
		t.Errorf("found %q, want %q", said, want)
	}
	if h := j.Health(); h.Whole() || h.Writable || !h.Reserve {
		t.Errorf("got %+v, want that only the reserve is written on a damaged LEDGER", h)
	}
}
