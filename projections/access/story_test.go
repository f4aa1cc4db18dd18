package access_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/keyledger/keyledger/events"
	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/access"
)

const identity = "a log"

// begin is when every story begins.
var begin = time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)

// small makes a store flush and compact often.
func small(fs vfs.FS) projections.Options {
	return projections.Options{FS: fs, CacheBytes: 1 << 20, MemTableBytes: 64 << 10}
}

func open(t testing.TB, fs vfs.FS) *access.Store {
	t.Helper()
	s, err := access.Open("store", identity, small(fs))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fresh is an empty store in memory, closed when the test ends.
func fresh(t testing.TB) *access.Store {
	t.Helper()
	s := open(t, vfs.NewMem())
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// told is a store in memory after the messages.
func told(t testing.TB, messages []uses.Message) *access.Store {
	t.Helper()
	s := fresh(t)
	apply(t, s, messages)
	return s
}

func apply(t testing.TB, s *access.Store, messages []uses.Message) {
	t.Helper()
	if err := s.Apply(messages); err != nil {
		t.Fatal(err)
	}
}

func message(p uses.Position, records ...uses.Record) uses.Message {
	return uses.Message{Position: p, Data: uses.Append(nil, records)}
}

// A drawer draws numbers below n: lots, or what rapid draws.
type drawer func(n int) int

func lots(seed uint64) drawer { return rand.New(rand.NewPCG(seed, 3)).IntN }

// What stories are made of. Some keys are odd, one account is, and one key ends where another goes on.
var (
	accounts  = []events.AccountID{"100000000001", "100000000002", "odd"}
	keys      = []events.AccessKeyID{"KLAK0000000000000001", "KLAK0000000000000002", "KLAK", "k-3", "k_4", "KLAK000000000000000"}
	addresses = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("::ffff:192.0.2.3"), {}}
)

// accountOf is the account that a key belongs to.
func accountOf(k events.AccessKeyID) events.AccountID {
	return accounts[slices.Index(keys, k)%len(accounts)]
}

// tell makes up a story of n messages, of which the first has the given position. It begins at a
// time and goes on for months, sometimes in bursts, sometimes backwards.
func tell(draw drawer, at time.Time, first uses.Position, n int) (out []uses.Message) {
	for i := range n {
		at = at.Add([]time.Duration{time.Microsecond, time.Millisecond, time.Minute, time.Hour, 40 * time.Hour, -time.Hour}[draw(6)])
		var records []uses.Record
		for range draw(20) {
			at = at.Add([]time.Duration{0, time.Microsecond, 20 * time.Millisecond, time.Second, -time.Second}[draw(5)])
			records = append(records, record(draw, at))
		}
		out = append(out, message(first+uses.Position(i), records...))
	}
	return out
}

func record(draw drawer, at time.Time) uses.Record {
	if draw(20) == 0 {
		at = at.Add(-time.Duration(draw(60)) * time.Minute)
	}
	r := uses.Record{
		ID: [16]byte{byte(draw(256)), 1, byte(draw(256))}, Time: at, Key: keys[draw(len(keys))], User: events.UserID(fmt.Sprintf("2%017d", draw(4))),
		Outcome: uses.Outcome(draw(3)), Scheme: "AWS4-HMAC-SHA256", Service: []string{"s3", "ecs", ""}[draw(3)], Action: "GetObject", Region: "eu-west-1",
		SourceIP: addresses[draw(len(addresses))], UserAgent: "aws-cli", RequestID: "b4a8a2f0-7d0b-4a44-9a32-51b0ed4f7ba9", Position: events.Position(draw(1000)),
	}
	r.Account = accountOf(r.Key)
	if r.Outcome != uses.Allowed {
		r.Reason = []string{"signature", "expired"}[draw(2)]
	}
	if draw(3) == 0 {
		r.Replay = [16]byte{1, byte(draw(256))}
	}
	if r.Outcome == uses.Attempt && draw(4) == 0 {
		r.Count = uint32(draw(50))
	}
	return r
}

// facts are the records of messages, newest first.
func facts(messages []uses.Message) (out []access.Entry) {
	for _, m := range messages {
		records, err := uses.Parse(nil, m.Data)
		if err != nil {
			panic(err)
		}
		for i, r := range records {
			out = append(out, access.Entry{Record: r, Message: m.Position, Index: i})
		}
	}
	slices.SortFunc(out, func(a, b access.Entry) int { return -older(a, b) })
	return out
}

// older is negative if a comes before b in time.
func older(a, b access.Entry) int {
	return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Message, b.Message), cmp.Compare(a.Index, b.Index))
}

// same reports where two dumps differ.
func same(t testing.TB, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	t.Errorf("got %d rows, want %d", len(got), len(want))
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Errorf("row %d:\ngot  %v\nwant %v", i, got[min(i, len(got)):min(i+1, len(got))], want[min(i, len(want)):min(i+1, len(want))])
			return
		}
	}
}
