package access_test

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/keyledger/keyledger/events"
	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/projections/access"
)

// A model answers by looking at every record.
type model struct {
	entries []access.Entry // newest first
	low     time.Time      // what is before was dropped
}

func (m model) list(q access.Query) (out []access.Entry) {
	for _, e := range m.entries {
		if m.holds(q, e) {
			out = append(out, e)
		}
	}
	return out
}

func (m model) holds(q access.Query, e access.Entry) bool {
	return e.Account == q.Account && (q.Key == "" || e.Key == q.Key) &&
		(!q.SourceIP.IsValid() || e.SourceIP.IsValid() && e.SourceIP.Unmap() == q.SourceIP.Unmap()) &&
		outcomes(q.Which, e.Outcome) && !e.Time.Before(q.Since) && (q.Until.IsZero() || e.Time.Before(q.Until)) &&
		!e.Time.Before(q.NotBefore) && !e.Time.Before(m.low)
}

func outcomes(w access.Which, o uses.Outcome) bool {
	return map[access.Which][3]bool{
		access.All: {true, true, true}, access.Attempts: {true, false, false}, access.Denied: {false, true, false},
		access.Allowed: {false, false, true}, access.Failed: {true, true, false}, access.Uses: {false, true, true},
	}[w][o]
}

func (m model) last(k events.AccessKeyID) access.Last {
	out := access.Last{Key: k}
	for _, e := range m.entries {
		use := &access.Use{ID: e.ID, Time: e.Time, Position: e.Message, Index: e.Index, SourceIP: e.SourceIP, Service: e.Service, Action: e.Action, Region: e.Region, Reason: e.Reason}
		switch {
		case e.Key != k:
		case e.Outcome == uses.Allowed && out.Used == nil:
			out.Used = use
		case e.Outcome == uses.Denied && out.Refused == nil:
			out.Refused = use
		}
	}
	return out
}

func (m model) counts(k events.AccessKeyID, p access.Period) (out []access.DayCounts) {
	whole := func(t time.Time) time.Time { return t.Add(time.Microsecond - 1).Truncate(time.Microsecond) }
	since, until := whole(p.Since), whole(p.Until)
	if p.NotBefore.After(p.Since) {
		since = whole(p.NotBefore)
	}
	if !p.Until.IsZero() && !since.Before(until) {
		return nil
	}
	for _, e := range slices.Backward(m.entries) {
		day := e.Time.Truncate(24 * time.Hour)
		end := day.Add(24 * time.Hour)
		if e.Key != k || !end.After(since) || !p.Until.IsZero() && !day.Before(until) || e.Time.Before(m.low) {
			continue
		}
		if n := len(out); n == 0 || !out[n-1].Day.Equal(day) {
			out = append(out, access.DayCounts{Day: day})
		}
		c, n := &out[len(out)-1], uint64(max(e.Count, 1))
		switch e.Outcome {
		case uses.Attempt:
			c.Attempts += n
		case uses.Denied:
			c.Denied += n
		case uses.Allowed:
			c.Allowed += n
		}
	}
	return out
}

// TestAnswers compares what a store answers with what a model does, of random stories and
// with random questions and pages.
func TestAnswers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "lot") }
		story := tell(lots(rapid.Uint64().Draw(t, "story")), begin, 1, rapid.IntRange(1, 60).Draw(t, "messages"))
		s, err := access.Open("store", identity, small(vfs.NewMem()))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for rest := story; len(rest) > 0; {
			n := 1 + draw(len(rest))
			if err := s.Apply(rest[:n]); err != nil {
				t.Fatal(err)
			}
			if rest = rest[n:]; draw(3) == 0 {
				s.Forget()
			}
		}
		m := model{entries: facts(story)}
		if draw(3) == 0 {
			m.low = begin.AddDate(0, draw(3), 0).Truncate(24*time.Hour).AddDate(0, 0, 1-begin.Day())
			if err := s.Drop(m.low.Add(time.Duration(draw(28*24)) * time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		for range 10 {
			checkList(t, s, m, draw)
		}
		checkKeys(t, s, m, draw)
	})
}

// question draws a query: times are near records.
func question(m model, draw drawer) access.Query {
	q := access.Query{Account: accounts[draw(len(accounts))], Which: access.Which(draw(6)), Period: period(m, draw)}
	if draw(2) == 0 {
		q.Key = keys[draw(len(keys))]
		q.Account = accountOf(q.Key)
	}
	if draw(3) == 0 {
		q.SourceIP = addresses[draw(len(addresses))]
		if draw(2) == 0 {
			q.SourceIP = q.SourceIP.Unmap()
		}
	}
	if draw(3) == 0 {
		q.Look = 1 + draw(30)
	}
	return q
}

func period(m model, draw drawer) (p access.Period) {
	moment := func() time.Time {
		if len(m.entries) == 0 || draw(2) == 0 {
			return time.Time{}
		}
		return m.entries[draw(len(m.entries))].Time.Add([]time.Duration{0, 1, time.Hour, time.Microsecond, -time.Hour}[draw(5)])
	}
	return access.Period{Since: moment(), Until: moment(), NotBefore: moment()}
}

func checkList(t *rapid.T, s *access.Store, m model, draw drawer) {
	q := question(m, draw)
	limit := 1 + draw(8)
	var got []access.Entry
	for cursor, n := "", 0; ; n++ {
		page, err := s.List(q, cursor, limit)
		if err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
		if len(page.Items) > limit || n > 100_000 {
			t.Fatalf("%+v: page %d has %d items, want at most %d", q, n, len(page.Items), limit)
		}
		got = append(got, page.Items...)
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	want := m.list(q)
	if len(got) != len(want) {
		t.Fatalf("%+v: got %d entries, want %d", q, len(got), len(want))
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("%+v: entry %d:\ngot  %+v\nwant %+v", q, i, got[i], want[i])
		}
	}
}

func checkKeys(t *rapid.T, s *access.Store, m model, draw drawer) {
	asked := append(slices.Clone(keys), "never")
	all, err := s.LastOf(asked)
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range asked {
		if want := m.last(k); !reflect.DeepEqual(all[i], want) {
			t.Fatalf("last of %s:\ngot  %+v %+v\nwant %+v %+v", k, all[i].Used, all[i].Refused, want.Used, want.Refused)
		}
		p := period(m, draw)
		got, err := s.Counts(k, p)
		if want := m.counts(k, p); err != nil || len(got) != len(want) || len(got) > 0 && !reflect.DeepEqual(got, want) {
			t.Fatalf("counts of %s in %+v:\ngot  %+v, %v\nwant %+v", k, p, got, err, want)
		}
	}
}

// TestManyKeysOfAnAddress asks by an address that named more keys than are merged.
func TestManyKeysOfAnAddress(t *testing.T) {
	var records []uses.Record
	ip := netip.MustParseAddr("192.0.2.9")
	for i := range 3 * access.ManyKeys {
		r := record(lots(uint64(i)), begin.Add(time.Duration(i)*time.Second))
		r.Key, r.Account, r.SourceIP = events.AccessKeyID("K"+string(rune('a'+i%26))+string(rune('a'+i/26))), accounts[0], ip
		if i%5 == 0 {
			r.SourceIP = addresses[0]
		}
		records = append(records, r)
	}
	story := []uses.Message{message(1, records...)}
	s, m := told(t, story), model{entries: facts(story)}
	q := access.Query{Account: accounts[0], SourceIP: ip}
	page, err := s.List(q, "", 1000)
	if want := m.list(q); err != nil || !reflect.DeepEqual(page.Items, want) {
		t.Errorf("got %d entries, %v; want %d", len(page.Items), err, len(want))
	}
}

// TestAnAddressInTwoMonths has a key that is named from one address only, month after month.
func TestAnAddressInTwoMonths(t *testing.T) {
	r := record(lots(1), begin)
	r.SourceIP = addresses[2]
	later := r
	later.Time = begin.AddDate(0, 1, 0)
	story := []uses.Message{message(1, r), message(2, later)}
	s, q := told(t, story), access.Query{Account: r.Account, SourceIP: r.SourceIP}
	if page, err := s.List(q, "", 10); err != nil || !reflect.DeepEqual(page.Items, facts(story)) {
		t.Errorf("got %+v, %v; want both", page.Items, err)
	}
}

// TestLookBoundsAPage asks for what is not there: the page is empty and has a cursor.
func TestLookBoundsAPage(t *testing.T) {
	story := tell(lots(5), begin, 1, 60)
	s := told(t, story)
	for _, q := range []access.Query{
		{Account: accounts[0], Key: keys[0], SourceIP: addresses[0], Look: 1},
		{Account: accounts[0], Which: access.Denied, Look: 1},
	} {
		page, err := s.List(q, "", 50)
		if err != nil || page.Next == "" || len(page.Items) > 1 {
			t.Errorf("%+v: got %d items, cursor %q, %v; want one at most, and a cursor", q, len(page.Items), page.Next, err)
		}
	}
}
