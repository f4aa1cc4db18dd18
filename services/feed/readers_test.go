package feed_test

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/services/feed"
	"github.com/keyledger/keyledger/services/journal"
)

// TestReadersCostLittle has 40 readers follow a real log: besides its own, a reader has the two
// goroutines that bring it the streams. All of them hear of what is new.
func TestReadersCostLittle(t *testing.T) {
	j, err := journal.Open(context.Background(), journal.Config{
		Dir: t.TempDir(), Create: true, Profile: journal.Relaxed, Space: journal.Space{Off: 1 << 20, Hard: 1 << 19, Ballast: 1 << 16}, Scan: journal.Scan{Rate: -1},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	tail := journal.Tail{Journal: j}
	f := feed.New(feed.Config{
		Ledger: tail, Uses: tail, Now: func() time.Time { return noon }, Excused: func(events.Position) bool { return false }, PerUser: 64, PerAccount: 64, Readers: 200,
	})
	defer f.Close()
	write := func(n int) {
		t.Helper()
		if _, err := j.AppendUses(t.Context(), strconv.Itoa(n), access.Append(nil, []access.Record{use(noon, acme, alice, aliceKey, access.Allowed)})); err != nil {
			t.Fatal(err)
		}
	}
	const readers, past, live = 40, 300, 30
	for n := range past {
		write(n)
	}
	before := runtime.NumGoroutine()
	var reading, caughtUp sync.WaitGroup
	caughtUp.Add(readers)
	heard := make([]int, readers)
	for i := range readers {
		r, err := f.Open(t.Context(), feed.Query{Caller: feed.Caller{Account: acme, User: alice, Oversees: true}, From: from(t, "1-1.0-1.0"), Follow: true})
		if err != nil {
			t.Fatal(err)
		}
		reading.Go(func() {
			defer r.Close()
			for item := range r.Items(t.Context()) {
				if item.Event != nil {
					heard[i]++
				}
				if item.Event != nil && heard[i] == past {
					caughtUp.Done()
				}
				if heard[i] == past+live {
					return
				}
			}
		})
	}
	caughtUp.Wait()
	each := float64(runtime.NumGoroutine()-before) / readers
	for n := range live {
		write(past + n)
	}
	reading.Wait()
	for i, n := range heard {
		if n != past+live {
			t.Errorf("reader %d heard of %d, want %d", i, n, past+live)
		}
	}
	if each > 4 {
		t.Errorf("a reader costs %.1f goroutines, want its own, two for the streams, and less than one of what all share", each)
	}
}
