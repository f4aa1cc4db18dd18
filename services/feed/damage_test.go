package feed_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/services/feed"
	"github.com/keyledger/keyledger/services/journal"
)

// TestDamagedUse flips a bit in the second block of USED: a reader is told everything before
// the damage and then of it, from the front on and from the damaged message on.
func TestDamagedUse(t *testing.T) {
	const size = 400
	c := journal.Config{
		Dir: t.TempDir(), Create: true, Profile: journal.Relaxed, Space: journal.Space{Off: 1 << 20, Hard: 1 << 19, Ballast: 1 << 16}, Scan: journal.Scan{Rate: -1},
	}
	j, err := journal.Open(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	records := make([]access.Record, 500)
	for i := range size {
		for k := range records {
			records[k] = use(noon, acme, alice, aliceKey, access.Allowed)
		}
		if _, err := j.AppendUses(t.Context(), strconv.Itoa(i), access.Append(nil, records)); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	blocks, _ := filepath.Glob(filepath.Join(c.Dir, "jetstream", "*", "streams", "USED", "msgs", "2.blk"))
	if len(blocks) != 1 {
		t.Fatalf("blocks: %v", blocks)
	}
	flip(t, blocks[0])
	if j, err = journal.Open(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	tail := journal.Tail{Journal: j}
	f := feed.New(feed.Config{Ledger: tail, Uses: tail, Now: func() time.Time { return noon }, Excused: func(events.Position) bool { return false }})
	defer f.Close()
	first, end := readUses(t, f, "1-1.0-1.0")
	if first.Index != 0 || first.Message == 1 || first.Message >= size || *end != feed.EndUnreadable {
		t.Fatalf("came to %s and %s", first, end.Code)
	}
	if again, end := readUses(t, f, "1-1.0-"+first.String()); again != first || *end != feed.EndUnreadable {
		t.Errorf("from the damage on: came to %s and %s", again, end.Code)
	}
}

// readUses reads uses from a place and is where it came to.
func readUses(t *testing.T, f *feed.Feed, place string) (feed.Point, *feed.End) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := f.Open(ctx, feed.Query{Caller: feed.Caller{Account: acme, User: alice, Oversees: true}, From: from(t, place), Filter: feed.Filter{Types: map[string]bool{access.TypeUsed: true}}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i := range r.Items(ctx) {
		if i.End != nil {
			return i.Cursor.Used, i.End
		}
	}
	t.Fatal("it ended without an end")
	return feed.Point{}, nil
}

func flip(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 0x10
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
