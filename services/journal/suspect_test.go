package journal

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
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
			closed(t, j)
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
