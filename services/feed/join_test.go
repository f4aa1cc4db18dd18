package feed_test

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/services/feed"
	"github.com/keyledger/keyledger/services/journal"
)

// A busy is a real log that eight writers write to.
type busy struct {
	*testing.T
	journal *journal.Journal
	feed    *feed.Feed
	writers sync.WaitGroup
	end     atomic.Bool
	written atomic.Int64
}

func newBusy(t *testing.T) *busy {
	t.Helper()
	j, err := journal.Open(context.Background(), journal.Config{
		Dir: t.TempDir(), Create: true, Profile: journal.Relaxed, Space: journal.Space{Off: 1 << 20, Hard: 1 << 19, Ballast: 1 << 16}, Scan: journal.Scan{Rate: -1},
	})
	if err != nil {
		t.Fatal(err)
	}
	tail := journal.Tail{Journal: j}
	b := &busy{T: t, journal: j, feed: feed.New(feed.Config{
		Ledger: tail, Uses: tail, LedgerAt: func(time.Time) (events.Position, error) { return 0, nil },
		Excused: func(events.Position) bool { return false }, Now: time.Now,
	})}
	t.Cleanup(func() {
		b.end.Store(true)
		b.writers.Wait()
		b.feed.Close()
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	for i := range 8 {
		b.writers.Go(func() { b.write(i) })
	}
	return b
}

// write appends to LEDGER and USED in turn, decisions of one to three events and
// messages of one to five records, until the end.
func (b *busy) write(n int) {
	user := events.UserID(fmt.Sprintf("20000000000000000%d", n))
	s, last := events.KeyringSubject(acme, user), events.Position(0)
	for i := 0; !b.end.Load(); i++ {
		d := events.Decision{Subject: s, After: last, Meta: events.Meta{Time: time.Now(), Actor: events.UserActor(acme, user), Request: events.RequestID(uuid.NewString())}}
		for range 1 + i%3 {
			d.Events = append(d.Events, events.Recorded{ID: events.EventID(uuid.NewString()), Event: events.KeyDescribed{Key: key, Description: fmt.Sprint(n, i)}})
		}
		var err error
		if last, err = b.journal.Append(context.Background(), d); err != nil {
			b.Error(err)
			return
		}
		var records []access.Record
		for range 1 + i%5 {
			records = append(records, use(time.Now(), acme, user, key, access.Allowed))
		}
		if _, err := b.journal.AppendUses(context.Background(), uuid.NewString(), access.Append(nil, records)); err != nil {
			b.Error(err)
			return
		}
		b.written.Add(2)
	}
}

// whole is the IDs that a stream holds, in order, by message.
func (b *busy) whole() (ledger, used [][]string) {
	b.Helper()
	for m, err := range b.journal.Read(b.Context(), 0) {
		if err != nil {
			b.Fatal(err)
		}
		r, err := events.Decode(m)
		if err != nil {
			b.Fatal(err)
		}
		var ids []string
		for _, e := range r.Events {
			ids = append(ids, string(e.ID))
		}
		ledger = append(ledger, ids)
	}
	last, err := b.journal.LastUse(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for m, err := range b.journal.FollowUses(b.Context(), 0) {
		if err != nil {
			b.Fatal(err)
		}
		records, err := access.Parse(nil, m.Data)
		if err != nil {
			b.Fatal(err)
		}
		var ids []string
		for _, r := range records {
			ids = append(ids, uuid.UUID(r.ID).String())
		}
		if used = append(used, ids); m.Position == last {
			break
		}
	}
	return ledger, used
}

// heard is what a reader was told, by stream, and where it began and stopped.
type heard struct {
	from, to     feed.Cursor
	ledger, used []string
}

// hear reads from a place until n events were told, cut off and gone on from the cursor
// after every so many.
func (b *busy) hear(place string, n, every int) (h heard) {
	for first := true; len(h.ledger)+len(h.used) < n; first = false {
		r, err := b.feed.Open(b.Context(), feed.Query{Caller: acme, Filter: feed.Filter{Account: acme}, From: from(b, place), Follow: true})
		if err != nil {
			b.Errorf("from %s: %v", place, err)
			return h
		}
		told := 0
		for i := range r.Items(b.Context()) {
			if first && i.Alive {
				h.from, first = i.Cursor, false
			}
			if i.End != nil {
				b.Errorf("ended: %v", i.End)
			}
			if i.Event == nil {
				continue
			}
			e := hear(b, i)
			if e.kind == access.TypeUsed {
				h.used = append(h.used, e.ID)
			} else {
				h.ledger = append(h.ledger, e.ID)
			}
			h.to, place = i.Cursor, i.Cursor.String()
			if told++; told == every || len(h.ledger)+len(h.used) == n {
				break
			}
		}
		r.Close()
	}
	return h
}

// between is the events from one point to another.
func between(stream [][]string, from, to feed.Point) (out []string) {
	for p := from.Message; p <= to.Message && p <= uint64(len(stream)); p++ {
		ids := stream[p-1]
		if p == to.Message {
			ids = ids[:to.Index]
		}
		if p == from.Message {
			ids = ids[from.Index:]
		}
		out = append(out, ids...)
	}
	return out
}

// TestJoin has readers begin anywhere while eight writers write, some of them cut off
// again and again: each is told what the streams hold from where it began to where it
// stopped, in order, with nothing left out and nothing twice.
func TestJoin(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("KEYLEDGER_SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	t.Logf("KEYLEDGER_SEED=%d", seed)
	lots := rand.New(rand.NewPCG(seed, 0))
	b := newBusy(t)
	for b.written.Load() < 400 {
		time.Sleep(time.Millisecond)
	}
	stories := make([]heard, 12)
	var readers sync.WaitGroup
	for i := range stories {
		place := "now"
		if last := b.written.Load() / 2; i%4 != 0 {
			place = fmt.Sprintf("1-%d.0-%d.0", 1+lots.Int64N(last), 1+lots.Int64N(last/2))
		}
		every := []int{1 << 30, 100, 30}[i%3]
		n := 300 + lots.IntN(700)
		readers.Go(func() { stories[i] = b.hear(place, n, every) })
	}
	readers.Wait()
	b.end.Store(true)
	b.writers.Wait()
	ledger, used := b.whole()
	for i, h := range stories {
		if want := between(ledger, h.from.Ledger, h.to.Ledger); !slices.Equal(h.ledger, want) {
			t.Errorf("reader %d from %s to %s: told %d events of LEDGER, want %d", i, h.from, h.to, len(h.ledger), len(want))
		}
		if want := between(used, h.from.Used, h.to.Used); !slices.Equal(h.used, want) {
			t.Errorf("reader %d from %s to %s: told %d uses, want %d", i, h.from, h.to, len(h.used), len(want))
		}
	}
}

// A stuckLedger can be asked how long it is, and nothing else.
type stuckLedger struct{ *journal.Journal }

func (stuckLedger) At(context.Context, events.Position) (events.Message, error) {
	panic("LEDGER was read")
}

func (stuckLedger) Follow(context.Context, events.Position) iter.Seq2[events.Message, error] {
	panic("LEDGER was followed")
}

// TestUsesAreNotHeldUp: whoever wants uses alone does not touch LEDGER.
func TestUsesAreNotHeldUp(t *testing.T) {
	b := newBusy(t)
	for b.written.Load() < 100 {
		time.Sleep(time.Millisecond)
	}
	stuck := feed.New(feed.Config{
		Ledger: stuckLedger{b.journal}, Uses: journal.Tail{Journal: b.journal}, LedgerAt: nil, Now: time.Now, Excused: nil,
	})
	defer stuck.Close()
	r, err := stuck.Open(t.Context(), feed.Query{Caller: acme, Follow: true, From: from(t, "1-1.0-1.0"), Filter: feed.Filter{Types: map[string]bool{access.TypeUsed: true}}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	n := 0
	for i := range r.Items(t.Context()) {
		if i.Event != nil {
			if n++; n == 500 {
				return
			}
		}
		if i.End != nil {
			t.Fatalf("ended: %v", i.End)
		}
	}
}
