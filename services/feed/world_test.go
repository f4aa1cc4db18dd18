package feed_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/events/logtest"
	"github.com/keyledger/keyledger/services/feed"
)

// noon is when the worlds of these tests begin.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const (
	acme, other   = events.AccountID("100000000001"), events.AccountID("100000000002")
	alice, bob    = events.UserID("200000000000000001"), events.UserID("200000000000000002")
	aliceKey, key = events.AccessKeyID("KLAKAAAAAAAAAAAAAAAA"), events.AccessKeyID("KLAKBBBBBBBBBBBBBBBB")
)

// A usesLog is USED without a disk, whose front can be trimmed.
type usesLog struct {
	mu       sync.Mutex
	trimmed  int             // messages that are gone from the front
	lost     access.Position // a message that cannot be read, though others may lie behind it
	passed   bool            // that was let pass
	messages []access.Message
	changed  chan struct{}
}

func (l *usesLog) append(records ...access.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := access.Position(len(l.messages) + 1)
	l.messages = append(l.messages, access.Message{Position: p, Data: access.Append(nil, records)})
	l.announce()
}

func (l *usesLog) trim(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trimmed = n
	l.announce()
}

func (l *usesLog) announce() {
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *usesLog) FirstUse(context.Context) (access.Position, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return access.Position(l.trimmed + 1), nil
}

func (l *usesLog) LastUse(context.Context) (access.Position, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return access.Position(len(l.messages)), nil
}

func (l *usesLog) UsesAt(_ context.Context, p access.Position) (access.Message, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if int(p) <= l.trimmed || int(p) > len(l.messages) || p == l.lost {
		return access.Message{}, events.ErrNone
	}
	return l.messages[p-1], nil
}

func (l *usesLog) FollowUses(ctx context.Context, after access.Position) iter.Seq2[access.Message, error] {
	return func(yield func(access.Message, error) bool) {
		for at := int(after); ; at++ {
			m, ok := l.await(ctx, &at)
			if ok && m.Position == l.lost && l.passed {
				continue
			}
			if ok && m.Position == l.lost {
				yield(access.Message{}, fmt.Errorf("%w: position %d", events.ErrLost, m.Position))
				return
			}
			if !ok || !yield(m, nil) {
				return
			}
		}
	}
}

func (l *usesLog) await(ctx context.Context, at *int) (access.Message, bool) {
	for {
		l.mu.Lock()
		*at = max(*at, l.trimmed)
		changed := l.changed
		if *at < len(l.messages) {
			defer l.mu.Unlock()
			return l.messages[*at], true
		}
		l.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return access.Message{}, false
		}
	}
}

// A world is two logs in memory and a feed on them.
type world struct {
	*testing.T
	ledger  *logtest.Memory
	uses    *usesLog
	feed    *feed.Feed
	now     time.Time
	excused map[events.Position]bool
	times   []time.Time // of LEDGER
	lasts   map[events.Subject]events.Position
}

func newWorld(t *testing.T, turn ...func(*feed.Config)) *world {
	w := &world{
		T: t, ledger: logtest.NewMemory(), uses: &usesLog{changed: make(chan struct{})}, now: noon,
		excused: map[events.Position]bool{}, lasts: map[events.Subject]events.Position{},
	}
	c := feed.Config{
		Ledger: w.ledger, Uses: w.uses, LedgerAt: w.ledgerAt, Now: func() time.Time { return w.now },
		Excused: func(p events.Position) bool { return w.excused[p] }, Heartbeat: 20 * time.Millisecond, Recheck: 5 * time.Millisecond,
	}
	for _, f := range turn {
		f(&c)
	}
	w.feed = feed.New(c)
	t.Cleanup(w.feed.Close)
	return w
}

// ledgerAt is the end of the longest prefix whose times are all at t or before.
func (w *world) ledgerAt(t time.Time) (events.Position, error) {
	for i, at := range w.times {
		if at.After(t) {
			return events.Position(i), nil
		}
	}
	return events.Position(len(w.times)), nil
}

// decide appends a decision of some events.
func (w *world) decide(at time.Time, s events.Subject, what ...events.Event) events.Position {
	w.Helper()
	d := events.Decision{Subject: s, After: w.lasts[s], Meta: events.Meta{
		Time: at, Actor: events.UserActor(s.Account, alice), Request: events.RequestID(uuid.NewString()),
	}}
	for _, e := range what {
		d.Events = append(d.Events, events.Recorded{ID: events.EventID(uuid.NewString()), Event: e})
	}
	p, err := w.ledger.Append(w.Context(), d)
	if err != nil {
		w.Fatal(err)
	}
	w.lasts[s] = p
	w.times = append(w.times, at)
	return p
}

// use is a record of a key.
func use(at time.Time, a events.AccountID, u events.UserID, k events.AccessKeyID, o access.Outcome) access.Record {
	return access.Record{
		ID: uuid.New(), Time: at, Key: k, Account: a, User: u, Outcome: o, Scheme: "AWS4-HMAC-SHA256", SourceIP: netip.MustParseAddr("192.0.2.7"),
		Replay: [16]byte{1, 2, 3},
	}
}

// from reads a place.
func from(t testing.TB, text string) feed.From {
	t.Helper()
	f, err := feed.ParseFrom(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A told is an event as a reader hears of it.
type told struct {
	cursor feed.Cursor
	kind   string
	ID     string
	About  string `json:"subject"`
	raw    string
}

// all reads to where the log ends.
func (w *world) all(f feed.Filter, place string) ([]told, *feed.End) {
	w.Helper()
	r, err := w.feed.Open(w.Context(), feed.Query{Caller: feed.Caller{Account: acme, User: alice, Oversees: true}, Filter: f, From: from(w, place)})
	if err != nil {
		w.Fatalf("from %s: %v", place, err)
	}
	defer r.Close()
	var out []told
	for i := range r.Items(w.Context()) {
		if i.Event != nil {
			out = append(out, hear(w, i))
		}
		if i.End != nil {
			return out, i.End
		}
	}
	w.Fatal("it ended without an end")
	return nil, nil
}

func hear(t testing.TB, i feed.Item) told {
	t.Helper()
	e := told{cursor: i.Cursor, kind: i.Type, raw: string(i.Event)}
	if err := json.Unmarshal(i.Event, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// short is "type about".
func (e told) short() string {
	return fmt.Sprint(e.kind[len(events.TypePrefix):len(e.kind)-3], " ", e.About)
}

// unmarked is a cursor's text without its marks.
func unmarked(c feed.Cursor) string {
	c.Ledger.Mark, c.Used.Mark = 0, 0
	return c.String()
}
