package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
)

// TestSuspectedUsedIsMended damages the middle of a compressed block, which a start that nobody has warned does not look
// at, and has it found by the scan, by a reader, and by who checks the files: the next start mends it, whoever it was.
func TestSuspectedUsedIsMended(t *testing.T) {
	whole := used(t, 60, 400_000)
	for name, find := range map[string]func(t *testing.T, in installation){
		"the scan": func(t *testing.T, in installation) {
			c := in.config()
			c.Scan = Scan{Rate: 1000, Every: 20 * time.Millisecond}
			j := opened(t, c)
			waitFor(t, "the scan", func() bool { return len(j.Health().Scan.Blocks) > 0 })
			closed(t, j)
		},
		"a reader": func(t *testing.T, in installation) {
			j := opened(t, in.config())
			_, err := reading(t, j, 0, 60)
			wantRefused(t, err, GuardWhole)
			if h := j.Health(); h.Whole() || !slices.Equal(h.Suspects, []string{streamUsed}) {
				t.Errorf("health: got %+v, want USED suspected", h)
			}
			closed(t, j)
		},
		"a note that cannot be read": func(t *testing.T, in installation) {
			if err := os.WriteFile(filepath.Join(in.dir, suspectFile), []byte("\x00US"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"a check": func(t *testing.T, in installation) {
			j := opened(t, in.config())
			if len(j.CheckFiles(t.Context())) == 0 {
				t.Error("nothing was found")
			}
			closed(t, j)
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := whole
			in.dir = filepath.Join(t.TempDir(), "copied")
			if err := os.CopyFS(in.dir, os.DirFS(whole.dir)); err != nil {
				t.Fatal(err)
			}
			flip(t, in.usedBlock(1))
			find(t, in)
			j := opened(t, in.config())
			lost := j.Unacknowledged()
			if len(lost) == 0 || lost[0].Stream != streamUsed || lost[0].Block != "1.blk" {
				t.Fatalf("at the next start: got %v, want block 1 set aside", lost)
			}
			if _, err := os.Stat(filepath.Join(in.dir, suspectFile)); !os.IsNotExist(err) {
				t.Errorf("mended, and still suspected: %v", err)
			}
			j.Excuse(func(string, events.Position) bool { return true })
			if came, err := reading(t, j, 0, 60); err != nil || len(came) < 20 {
				t.Errorf("with leave: %d of 60 came, %v", len(came), err)
			}
			if found := j.CheckFiles(t.Context()); len(found) > 0 {
				t.Errorf("mended, and still found: %v", found)
			}
		})
	}
}

// TestLeaveIsForWhatIsLost lets one message pass that lies in a damaged block, before anybody knows which are lost with it: what is behind it is
// not passed.
func TestLeaveIsForWhatIsLost(t *testing.T) {
	in := used(t, 60, 400_000)
	flip(t, in.usedBlock(1))
	j := opened(t, in.config())
	came, err := reading(t, j, 0, 60)
	lost := events.Position(len(came) + 1)
	wantRefused(t, err, GuardWhole)
	j.Excuse(func(_ string, p events.Position) bool { return p == lost })
	came, err = reading(t, j, 0, 60)
	if r := wantRefused(t, err, GuardWhole); len(came) != int(lost)-1 || r.Detail != fmt.Sprintf("position %d of USED is missing", lost+1) {
		t.Errorf("with leave for %d: %d came, %v", lost, len(came), err)
	}
}

// TestSuspectedMeanwhile has a stream found damaged while a start reads what was suspected before: it stays suspected.
func TestSuspectedMeanwhile(t *testing.T) {
	s := suspectsOf(t.TempDir())
	for _, stream := range []string{streamUsed, streamSummary} {
		if _, err := s.add(stream); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.take(); !slices.Equal(got, mendable) {
		t.Errorf("took %v, want %v", got, mendable)
	}
	if added, err := s.add(streamUsed); added || err != nil {
		t.Errorf("got %v, %v", added, err)
	}
	for _, want := range [][]string{{streamUsed}, nil} {
		if err := s.clear(); err != nil {
			t.Fatal(err)
		}
		if got := s.take(); !slices.Equal(got, want) {
			t.Errorf("left are %v, want %v", got, want)
		}
	}
}

// TestGapBetweenBlocks starts on what an older build left that had lost the end of USED: its server went on behind it. No file is missing, and
// who reads comes upon the gap.
func TestGapBetweenBlocks(t *testing.T) {
	whole, from := usedBlocks(t)
	in := copyOf(t, whole)
	remove(t, in.usedBlock(4))
	remove(t, filepath.Join(in.dir, endsFile))
	j := opened(t, in.config())
	if next, err := j.AppendUses(t.Context(), "new", []byte("new:")); err != nil || next != 81 {
		t.Fatalf("append: got %d, %v, want what the server's index knows of", next, err)
	}
	_, err := reading(t, j, 0, 81)
	wantRefused(t, err, GuardWhole)
	closed(t, j)
	for range 2 {
		j = opened(t, in.config())
		if lost := j.Unacknowledged(); len(lost) != 1 || access.Position(lost[0].From) != from[3] || lost[0].Through != 80 {
			t.Fatalf("got %v, want %d to 80", lost, from[3])
		}
		closed(t, j)
	}
}

// TestSuspectedAndWell has a start find nothing wrong with what was suspected, and pass over names it does not know.
func TestSuspectedAndWell(t *testing.T) {
	in := used(t, 60, 400_000)
	path := filepath.Join(in.dir, suspectFile)
	write(t, path, []byte("USED\nLEDGER\n?\n"))
	j := opened(t, in.config())
	if _, err := os.Stat(path); !os.IsNotExist(err) || len(j.Damages()) > 0 {
		t.Errorf("got %v, damages %v, want nothing of either", err, j.Damages())
	}
}
