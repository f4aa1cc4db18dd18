package access_test

import (
	"bytes"
	"errors"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/keyledger/keyledger/events"
	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/access"
)

func anyRecord(t *rapid.T) uses.Record {
	text := func(name string) string { return rapid.StringN(0, 20, 60).Draw(t, name) }
	sixteen := func(name string) (out [16]byte) {
		copy(out[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, name))
		return out
	}
	r := uses.Record{
		ID: sixteen("id"), Time: time.UnixMicro(rapid.Int64().Draw(t, "time")).UTC(), User: events.UserID(text("user")),
		Outcome: uses.Outcome(rapid.IntRange(0, 2).Draw(t, "outcome")), Reason: text("reason"), Scheme: text("scheme"),
		Service: text("service"), Action: text("action"), Region: text("region"), UserAgent: text("agent"), RequestID: text("request"),
		Position: events.Position(rapid.Uint64().Draw(t, "position")), Replay: sixteen("replay"), Count: rapid.Uint32().Draw(t, "count"),
	}
	switch rapid.IntRange(0, 3).Draw(t, "shape") {
	case 1:
		r.SourceIP = netip.AddrFrom4([4]byte(r.Replay[:4]))
		r.User, r.RequestID = "200000000000000001", "b4a8a2f0-7d0b-4a44-9a32-51b0ed4f7ba9"
	case 2:
		r.SourceIP = netip.AddrFrom16(r.Replay)
		milli := uint64(r.Time.UnixMicro() / 1000)
		copy(r.ID[:], []byte{byte(milli >> 40), byte(milli >> 32), byte(milli >> 24), byte(milli >> 16), byte(milli >> 8), byte(milli)})
	case 3:
		r.Replay, r.Count = [16]byte{}, 0
	}
	return r
}

func TestARecordReadsAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyRecord(t)
		value := access.AppendRecord(nil, &want)
		got := uses.Record{Time: want.Time}
		if err := access.ParseRecord(&got, value); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, %v\nwant %+v", got, err, want)
		}
		for n := range value {
			if err := access.ParseRecord(&uses.Record{Time: want.Time}, value[:n]); err == nil {
				t.Fatalf("the first %d of %d bytes are read", n, len(value))
			}
		}
	})
}

func FuzzRecord(f *testing.F) {
	for seed := range uint64(8) {
		r := record(lots(seed), begin)
		f.Add(access.AppendRecord(nil, &r), begin.UnixMicro())
	}
	f.Fuzz(func(t *testing.T, value []byte, micros int64) {
		r := uses.Record{Time: time.UnixMicro(micros).UTC()}
		if err := access.ParseRecord(&r, value); err != nil {
			return
		}
		if again := access.AppendRecord(nil, &r); !bytes.Equal(again, value) {
			t.Errorf("%x\nis written again as %x", value, again)
		}
	})
}

func FuzzLast(f *testing.F) {
	s := told(f, months(7))
	for _, k := range keys {
		last, err := s.Last(k)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(access.AppendLast(last))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		last, err := access.ParseLast("k", value)
		if err != nil {
			return
		}
		if again := access.AppendLast(last); !bytes.Equal(again, value) {
			t.Errorf("%x\nis written again as %x", value, again)
		}
	})
}

func FuzzCounts(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5})
	f.Fuzz(func(t *testing.T, value []byte) {
		c, err := access.ParseCounts(value)
		if err != nil {
			return
		}
		if again := access.AppendCounts(c); !bytes.Equal(again, value) {
			t.Errorf("%x\nis written again as %x", value, again)
		}
	})
}

func FuzzTimeline(f *testing.F) {
	f.Add([]byte{1, 0, 2, 1, 'k', 5, 9, 0}, int64(1000), uint64(3))
	f.Fuzz(func(t *testing.T, value []byte, newest int64, position uint64) {
		again, n, err := access.Mentions(value, newest, uses.Position(position))
		if err != nil || n == 0 {
			return
		}
		if _, m, err := access.Mentions(again, newest, uses.Position(position)); err != nil || m != n {
			t.Errorf("%d mentions, written again %d, %v", n, m, err)
		}
	})
}

func FuzzSummary(f *testing.F) {
	for _, page := range summaries(f, told(f, months(8)), begin) {
		f.Add(page)
	}
	s, err := access.Open("store", identity, small(vfs.NewMem()))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, page []byte) {
		keys, err := access.ParseSummary(page)
		if (err == nil) != (s.ApplySummary(page) == nil) {
			t.Errorf("%v to read, but not so to apply", err)
		}
		if err != nil {
			return
		}
		if again := access.AppendSummary(nil, keys); !bytes.Equal(again, page) {
			t.Errorf("%x\nis written again as %x", page, again)
		}
	})
}

// FuzzCursor asks with any cursor: it is refused, or the page holds nothing that the query
// does not let through.
func FuzzCursor(f *testing.F) {
	s := told(f, months(9))
	q := access.Query{Account: accounts[0], Period: access.Period{NotBefore: march}}
	page, err := s.List(q, "", 3)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(page.Next)
	f.Add("")
	f.Fuzz(func(t *testing.T, cursor string) {
		page, err := s.List(q, cursor, 50)
		if bad := (*projections.CursorError)(nil); err != nil && !errors.As(err, &bad) {
			t.Errorf("got %v, want a CursorError", err)
		}
		for _, e := range page.Items {
			if e.Time.Before(march) || e.Account != q.Account {
				t.Errorf("got %+v", e)
			}
		}
	})
}
