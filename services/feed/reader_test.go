package feed_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/services/feed"
)

// populate has something of everything happen, a minute apart.
func (w *world) populate() {
	at := func(i int) time.Time { return noon.Add(time.Duration(i-60) * time.Minute) }
	w.decide(at(0), events.AccountSubject(acme), events.UserAdded{User: alice, Name: "alice"}, events.UserAdded{User: bob, Name: "bob"})
	w.decide(at(1), events.KeyringSubject(acme, alice), events.KeyCreated{Key: aliceKey, Cause: "requested"})
	w.decide(at(2), events.KeyringSubject(other, alice), events.KeyCreated{Key: "KLAKOTHER", Cause: "requested"})
	w.decide(at(3), events.KeyringSubject(acme, bob), events.KeyCreated{Key: key, Cause: "requested"}, events.KeyDisabled{Key: key}, events.KeyEnabled{Key: key})
	w.uses.append(use(at(4), acme, alice, aliceKey, access.Allowed), use(at(4), other, alice, "KLAKOTHER", access.Allowed))
	w.uses.append(use(at(5), acme, bob, key, access.Denied), use(at(5), acme, bob, key, access.Attempt), use(at(6), acme, alice, aliceKey, access.Allowed))
	w.decide(at(7), events.KeyringSubject(acme, alice), events.KeyDeleted{Key: aliceKey, PurgeAt: noon})
}

func TestFilter(t *testing.T) {
	w := newWorld(t)
	w.populate()
	created, used, attempted := "dev.keyledger.key.created.v1", access.TypeUsed, access.TypeAttempted
	mine := []string{
		"user.added 200000000000000001", "user.added 200000000000000002", "key.created KLAKAAAAAAAAAAAAAAAA", "key.created KLAKBBBBBBBBBBBBBBBB",
		"key.disabled KLAKBBBBBBBBBBBBBBBB", "key.enabled KLAKBBBBBBBBBBBBBBBB", "key.deleted KLAKAAAAAAAAAAAAAAAA",
		"key.used KLAKAAAAAAAAAAAAAAAA", "key.used KLAKBBBBBBBBBBBBBBBB", "key.attempted KLAKBBBBBBBBBBBBBBBB", "key.used KLAKAAAAAAAAAAAAAAAA",
	}
	for _, c := range []struct {
		name   string
		filter feed.Filter
		want   []string
	}{
		{"an account", feed.Filter{Account: acme}, mine},
		{"all accounts", feed.Filter{}, append(slices.Clone(mine), "key.created KLAKOTHER", "key.used KLAKOTHER")},
		{"a user", feed.Filter{Account: acme, User: alice}, []string{mine[0], mine[2], mine[6], mine[7], mine[10]}},
		{"a key", feed.Filter{Account: acme, Key: key}, []string{mine[3], mine[4], mine[5], mine[8], mine[9]}},
		{"a key of another's account", feed.Filter{Account: acme, Key: "KLAKOTHER"}, nil},
		{"a type of LEDGER", feed.Filter{Account: acme, Types: map[string]bool{created: true}}, []string{mine[2], mine[3]}},
		{"uses", feed.Filter{Account: acme, Types: map[string]bool{used: true}}, []string{mine[7], mine[8], mine[10]}},
		{"of both streams", feed.Filter{Account: acme, Types: map[string]bool{created: true, attempted: true}}, []string{mine[2], mine[3], mine[9]}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			told, end := w.all(c.filter, "earliest")
			for _, e := range told {
				got = append(got, e.short())
			}
			slices.Sort(got)
			want := slices.Sorted(slices.Values(c.want))
			if !slices.Equal(got, want) || *end != feed.EndCaughtUp {
				t.Errorf("got %q and %v, want %q", got, end, want)
			}
		})
	}
}

// The reservation of an imported ID lies on no account's subject, and is told to those
// whom it concerns and to nobody else.
func TestReservations(t *testing.T) {
	w := newWorld(t)
	w.populate()
	for _, r := range []events.KeyReserved{{Key: "LTAI5tMine", Account: acme, User: bob}, {Key: "LTAI5tTheirs", Account: other, User: bob}} {
		w.decide(noon.Add(time.Hour), events.ReservationSubject(r.Key), r)
	}
	reserved := events.TypeOf(events.KeyReserved{})
	for _, c := range []struct {
		filter feed.Filter
		want   string
	}{
		{feed.Filter{}, "key.reserved LTAI5tMine key.reserved LTAI5tTheirs"},
		{feed.Filter{Account: acme}, "key.reserved LTAI5tMine"},
		{feed.Filter{Account: acme, User: bob}, "key.reserved LTAI5tMine"},
		{feed.Filter{Account: acme, User: alice}, ""},
		{feed.Filter{Account: other}, "key.reserved LTAI5tTheirs"},
		{feed.Filter{Account: acme, Key: "LTAI5tMine"}, "key.reserved LTAI5tMine"},
		{feed.Filter{Account: acme, Key: "LTAI5tTheirs"}, ""},
	} {
		c.filter.Types = map[string]bool{reserved: true}
		var got []string
		told, end := w.all(c.filter, "earliest")
		for _, e := range told {
			got = append(got, e.short())
		}
		if strings.Join(got, " ") != c.want || *end != feed.EndCaughtUp {
			t.Errorf("%+v: got %q and %v, want %q", c.filter, got, end, c.want)
		}
	}
}

// TestResumeAnywhere goes on from every cursor there is, and hears what comes behind it
// in both streams: nothing else, nothing twice, nothing left out.
func TestResumeAnywhere(t *testing.T) {
	w := newWorld(t)
	w.populate()
	for _, f := range []feed.Filter{{Account: acme}, {Account: acme, User: bob}, {}, {Types: map[string]bool{access.TypeUsed: true}}} {
		first, _ := w.all(f, "earliest")
		for i, e := range first {
			rest, end := w.all(f, e.cursor.String())
			got, want := ids(rest), ids(first[i+1:])
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) || *end != feed.EndCaughtUp {
				t.Errorf("behind %s (%s): got %q, want %q", e.cursor, e.short(), got, want)
			}
		}
	}
}

func ids(told []told) (out []string) {
	for _, e := range told {
		out = append(out, e.ID)
	}
	return out
}

// TestFromTime begins at every time there is and a little beside it: all of that time
// and later is told, and nothing earlier.
func TestFromTime(t *testing.T) {
	w := newWorld(t)
	w.populate()
	whole, _ := w.all(feed.Filter{}, "earliest")
	for minute := -1; minute < 9; minute++ {
		for _, beside := range []time.Duration{-time.Microsecond, 0, time.Microsecond} {
			at := noon.Add(time.Duration(minute-60)*time.Minute + beside)
			got, _ := w.all(feed.Filter{}, at.Format(time.RFC3339Nano))
			var want []string
			for _, e := range whole {
				if !timeOf(t, e).Before(at) {
					want = append(want, e.ID)
				}
			}
			if g := slices.Sorted(slices.Values(ids(got))); !slices.Equal(g, slices.Sorted(slices.Values(want))) {
				t.Errorf("from %s: got %d events, want %d", at, len(g), len(want))
			}
		}
	}
}

func timeOf(t *testing.T, e told) time.Time {
	t.Helper()
	_, rest, _ := strings.Cut(e.raw, `"time":"`)
	text, _, _ := strings.Cut(rest, `"`)
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestFromPosition begins behind what a command was answered with.
func TestFromPosition(t *testing.T) {
	w := newWorld(t)
	w.populate()
	got, _ := w.all(feed.Filter{Account: acme}, "4")
	var kinds []string
	for _, e := range got {
		kinds = append(kinds, e.short())
	}
	slices.Sort(kinds)
	want := []string{"key.attempted KLAKBBBBBBBBBBBBBBBB", "key.deleted KLAKAAAAAAAAAAAAAAAA", "key.used KLAKAAAAAAAAAAAAAAAA", "key.used KLAKAAAAAAAAAAAAAAAA", "key.used KLAKBBBBBBBBBBBBBBBB"}
	if !slices.Equal(kinds, want) {
		t.Errorf("got %q, want %q", kinds, want)
	}
}

// TestWiden begins with a filter that wants one stream and goes on with one that wants both:
// it is told what the wide one would have been told from the start, whatever the beginning was.
func TestWiden(t *testing.T) {
	w := newWorld(t)
	w.populate()
	narrow := []feed.Filter{{Types: map[string]bool{"dev.keyledger.key.created.v1": true}}, {Types: map[string]bool{access.TypeUsed: true}}}
	places := []string{"earliest", "now", "1", "4", "5"}
	for minute := range 9 {
		places = append(places, noon.Add(time.Duration(minute-60)*time.Minute).Format(time.RFC3339))
	}
	for _, place := range places {
		whole, begin, _ := w.toEnd(feed.Filter{}, place)
		for i, f := range narrow {
			some, at, end := w.toEnd(f, place)
			if at != begin {
				t.Errorf("from %s, filter %d begins at %s, and one that wants all at %s", place, i, at, begin)
			}
			rest, _, _ := w.toEnd(feed.Filter{}, end.String())
			got := append(ids(some), ids(rest)...)
			for _, e := range whole {
				unwanted := e.kind == access.TypeUsed || e.kind == access.TypeAttempted
				if f.Types[access.TypeUsed] {
					unwanted = !unwanted
				}
				if (unwanted || f.Types[e.kind]) && !slices.Contains(got, e.ID) {
					t.Errorf("from %s, filter %d, then all: %s is left out", place, i, e.short())
				}
			}
		}
	}
}

// toEnd reads to where the log ends, and tells the first cursor and the last, too.
func (w *world) toEnd(f feed.Filter, place string) (out []told, first, last feed.Cursor) {
	w.Helper()
	r, err := w.feed.Open(w.Context(), feed.Query{Caller: feed.Caller{Account: acme, User: alice, Oversees: true}, Filter: f, From: from(w, place)})
	if err != nil {
		w.Fatalf("from %s: %v", place, err)
	}
	defer r.Close()
	for i := range r.Items(w.Context()) {
		if first == (feed.Cursor{}) {
			first = i.Cursor
		}
		if last = i.Cursor; i.Event != nil {
			out = append(out, hear(w, i))
		}
	}
	return out, first, last
}

// TestReplaced goes on from a cursor in the log that it came from, and in none that went on otherwise from an older copy.
func TestReplaced(t *testing.T) {
	grow := func(key events.AccessKeyID, more int) *world {
		w := newWorld(t)
		w.populate()
		for range 1 + more {
			w.decide(noon, events.KeyringSubject(acme, alice), events.KeyCreated{Key: key, Cause: "requested"})
			w.uses.append(use(noon, acme, alice, key, access.Allowed))
		}
		return w
	}
	backup, restored := grow("KLAKBEFORE", 0), grow("KLAKAFTER", 3)
	_, _, last := backup.toEnd(feed.Filter{Account: acme}, "earliest")
	if last.Ledger.Mark == 0 || last.Used.Mark == 0 {
		t.Fatalf("a cursor without marks: %s", last)
	}
	now, _ := open(t, backup, feed.Filter{Account: acme}, "now")
	for name, f := range map[string]feed.Filter{
		"both": {Account: acme}, "LEDGER": {Account: acme, Types: map[string]bool{events.TypeOf(events.KeyCreated{}): true}}, "USED": {Account: acme, Types: map[string]bool{access.TypeUsed: true}},
	} {
		for _, cursor := range []feed.Cursor{last, now} {
			if _, err := open(t, backup, f, cursor.String()); err != nil {
				t.Errorf("%s: in its own log: %v", name, err)
			}
			refused := (*feed.RefusedError)(nil)
			if _, err := open(t, restored, f, cursor.String()); !errors.As(err, &refused) || refused.Reason != feed.Replaced {
				t.Errorf("%s, %s: in another log: got %v, want %q", name, cursor, err, feed.Replaced)
			}
		}
	}
}

// open is the first cursor of a reader, or why there is none.
func open(t *testing.T, w *world, f feed.Filter, place string) (first feed.Cursor, err error) {
	r, err := w.feed.Open(t.Context(), feed.Query{Caller: feed.Caller{Account: acme, User: alice, Oversees: true}, Filter: f, From: from(t, place)})
	if err != nil {
		return first, err
	}
	defer r.Close()
	for i := range r.Items(t.Context()) {
		return i.Cursor, nil
	}
	return first, nil
}

// TestRefused begins where nobody can.
func TestRefused(t *testing.T) {
	w := newWorld(t)
	long := noon.Add(-access.Kept - time.Hour)
	w.decide(long, events.AccountSubject(acme), events.UserAdded{User: alice, Name: "alice"})
	w.uses.append(use(long, acme, alice, aliceKey, access.Allowed))
	w.uses.append(use(long, acme, alice, aliceKey, access.Allowed))
	w.populate() // LEDGER 2 to 6, USED 3 to 4
	w.uses.trim(1)
	for _, c := range []struct {
		from string
		want feed.Reason
	}{
		{"1-7.0-5.0", ""},
		{"1-8.0-5.0", feed.Ahead},
		{"1-7.0-6.0", feed.Ahead},
		{"1-7.1-5.0", feed.Ahead},
		{"1-7.0-5.1", feed.Ahead},
		{"1-5.2-5.0", ""},
		{"1-5.3-5.0", feed.Malformed},
		{"1-7.0-4.2", ""},
		{"1-7.0-4.3", feed.Malformed},
		{"1-1.0-5.0", feed.Expired},
		{"1-2.0-5.0", ""},
		{"1-7.0-1.0", feed.Expired}, // trimmed
		{"1-7.0-2.0", feed.Expired}, // too old, and still there
		{"1-7.0-3.0", ""},
		{"0", feed.Expired},
		{"1", ""},
		{"6", ""},
		{"7", feed.Ahead},
		{noon.Add(-access.Kept - time.Second).Format(time.RFC3339), feed.Expired},
		{noon.Add(-access.Kept + time.Second).Format(time.RFC3339), ""},
		{noon.Add(4 * time.Minute).Format(time.RFC3339), ""},
		{noon.Add(time.Hour).Format(time.RFC3339), feed.Ahead},
	} {
		r, err := w.feed.Open(t.Context(), feed.Query{Caller: feed.Caller{Account: acme, User: alice, Oversees: true}, From: from(t, c.from)})
		if err == nil {
			r.Close()
		}
		refused := (*feed.RefusedError)(nil)
		if (c.want == "") != (err == nil) || err != nil && (!errors.As(err, &refused) || refused.Reason != c.want) {
			t.Errorf("from %s: got %v, want %q", c.from, err, c.want)
		}
	}
	for _, text := range []string{"yesterday", "-1", "1-1.0", "2026-11-22", "9999999999999999999999"} {
		if _, err := feed.ParseFrom(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
	only := feed.Filter{Types: map[string]bool{access.TypeUsed: true}}
	if r, err := w.feed.Open(t.Context(), feed.Query{Caller: feed.Caller{Account: acme, User: alice, Oversees: true}, Filter: only, From: from(t, "1-1.0-3.0")}); err != nil {
		t.Errorf("a place in a stream that is not read: %v", err)
	} else {
		r.Close()
	}
}

// TestNothingSealedLeaves looks at the bytes.
func TestNothingSealedLeaves(t *testing.T) {
	w := newWorld(t)
	sealed := events.Sealed{Layout: 1, Version: 1, Epoch: 1, Ciphertext: []byte("the ciphertext of a secret"), WrappedKey: []byte("the wrapped key of it")}
	w.decide(noon, events.KeyringSubject(acme, alice), events.KeyCreated{Key: aliceKey, Cause: "requested", Sealed: sealed})
	w.decide(noon, events.AccountSubject(acme), events.GatewayTokenCreated{Token: "KLGT0000000000000000", Name: "edge", Account: acme, Hash: "5eed5eed5eed"})
	w.uses.append(use(noon, acme, alice, aliceKey, access.Allowed))
	m, err := w.ledger.At(t.Context(), 1)
	if err != nil || !bytes.Contains(m.Data, []byte(base64.StdEncoding.EncodeToString(sealed.Ciphertext))) {
		t.Fatalf("the log itself holds no sealed secret: %v", err)
	}
	told, _ := w.all(feed.Filter{Account: acme}, "earliest")
	if len(told) != 3 {
		t.Fatalf("got %d events, want 3", len(told))
	}
	for _, e := range told {
		for _, secret := range []string{
			base64.StdEncoding.EncodeToString(sealed.Ciphertext), base64.StdEncoding.EncodeToString(sealed.WrappedKey), "sealed", "wrapped", "5eed5eed", "sha256", "replay",
		} {
			if strings.Contains(e.raw, secret) {
				t.Errorf("%s holds %q: %s", e.short(), secret, e.raw)
			}
		}
	}
}

// TestOthersMoveTheCursor: whoever waits for something of its own is told where it is.
func TestOthersMoveTheCursor(t *testing.T) {
	w := newWorld(t)
	r, err := w.feed.Open(t.Context(), feed.Query{Caller: feed.Caller{Account: acme, User: alice, Oversees: true}, Filter: feed.Filter{Account: acme}, Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i := range r.Items(t.Context()) {
		switch {
		case i.Event != nil || i.End != nil:
			t.Fatalf("got %+v", i)
		case i.Alive && unmarked(i.Cursor) == "1-1.0-1.0":
			w.decide(noon, events.KeyringSubject(other, alice), events.KeyCreated{Key: "KLAKOTHER", Cause: "requested"})
			w.uses.append(use(noon, other, alice, "KLAKOTHER", access.Allowed))
		case i.Alive && unmarked(i.Cursor) == "1-2.0-2.0":
			return
		}
	}
}

// TestSignsOfLife: whatever happens when, and however rarely its right is asked about, nothing is longer than a reader is promised to wait.
func TestSignsOfLife(t *testing.T) {
	for _, recheck := range []time.Duration{time.Second, 3 * time.Second, 10 * time.Second, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, func(c *feed.Config) { c.Heartbeat, c.Recheck = 0, recheck })
			r, err := w.feed.Open(t.Context(), feed.Query{Caller: feed.Caller{Account: acme, User: alice, Oversees: true}, Filter: feed.Filter{Account: acme}, Follow: true})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			go func() {
				for i := range 20 {
					time.Sleep(12500*time.Millisecond + time.Duration(i)*77*time.Millisecond)
					if ctx.Err() == nil {
						w.decide(noon, events.KeyringSubject(acme, alice), events.KeyDescribed{Key: aliceKey, Description: fmt.Sprint(i)})
					}
				}
			}()
			signs, heard := 0, time.Now()
			for i := range r.Items(ctx) {
				if !i.Alive && i.Event == nil {
					continue
				}
				signs++
				if silence := time.Since(heard); silence >= 10*time.Second {
					t.Errorf("asked every %s: nothing for %s before the %dth", recheck, silence, signs)
				}
				heard = time.Now()
			}
			if last := time.Since(heard); last >= 10*time.Second || signs < 40 || signs > 100 {
				t.Errorf("asked every %s: %d signs in five minutes, the last %s before the end", recheck, signs, last)
			}
		})
	}
}

// TestPoisoned: nothing is passed over but what an operator let pass.
func TestPoisoned(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		w.decide(noon, events.KeyringSubject(acme, alice), events.KeyDescribed{Key: aliceKey, Description: fmt.Sprint(i)})
	}
	w.ledger.Poison(2)
	if told, end := w.all(feed.Filter{Account: acme}, "earliest"); len(told) != 1 || *end != feed.EndUnreadable {
		t.Errorf("got %d events and %v", len(told), end)
	}
	if told, end := w.all(feed.Filter{Account: other}, "earliest"); len(told) != 0 || *end != feed.EndCaughtUp {
		t.Errorf("of another account: got %d events and %v", len(told), end)
	}
	w.excused[2] = true
	if told, end := w.all(feed.Filter{Account: acme}, "earliest"); len(told) != 2 || *end != feed.EndCaughtUp {
		t.Errorf("let pass: got %d events and %v", len(told), end)
	}
}

// TestLostUse: a message of USED that is damaged, with others behind it, is never told as
// one that is not kept any more. Whoever begins before it, by whatever kind of place, is
// told what lies before and then of it; whoever begins behind it is not troubled.
func TestLostUse(t *testing.T) {
	const size = 9
	for lost := access.Position(1); lost <= size; lost++ {
		w := newWorld(t)
		for i := range size {
			w.uses.append(use(noon.Add(time.Duration(i-size)*time.Hour), acme, alice, aliceKey, access.Allowed))
		}
		w.uses.lost = lost
		for begin := access.Position(1); begin <= size; begin++ {
			at := noon.Add(time.Duration(int(begin)-1-size) * time.Hour).Format(time.RFC3339)
			for _, place := range []string{fmt.Sprintf("1-1.0-%d.0", begin), at} {
				told, end := w.all(feed.Filter{Account: acme}, place)
				wantTold, wantEnd := int(size-begin+1), feed.EndCaughtUp
				if begin <= lost {
					wantTold, wantEnd = int(lost-begin), feed.EndUnreadable
				}
				if begin == lost+1 && place == at && len(told) == 0 && *end == feed.EndUnreadable {
					continue // what was lost may have been of that time
				}
				if len(told) != wantTold || *end != wantEnd {
					t.Errorf("%d is lost, from %s (%d): told %d and %s, want %d and %s", lost, place, begin, len(told), end.Code, wantTold, wantEnd.Code)
				}
			}
		}
	}
}

// TestExcusedUses: leave to pass a message of USED is no leave to pass those behind it that were
// trimmed under the reader.
func TestExcusedUses(t *testing.T) {
	for excused, want := range map[access.Position]feed.End{1: feed.EndExpired, 3: feed.EndCaughtUp} {
		w := newWorld(t, func(c *feed.Config) { c.ExcusedUse = func(p access.Position) bool { return p <= excused } })
		for range 5 {
			w.uses.append(use(noon, acme, alice, aliceKey, access.Allowed))
		}
		r, err := w.feed.Open(t.Context(), feed.Query{Caller: feed.Caller{Account: acme, User: alice, Oversees: true}, From: from(t, "1-1.0-1.0")})
		if err != nil {
			t.Fatal(err)
		}
		w.uses.trim(3)
		told := 0
		for i := range r.Items(t.Context()) {
			if i.Event != nil {
				told++
			}
			if i.End != nil && (*i.End != want || told > 0 != (want == feed.EndCaughtUp)) {
				t.Errorf("let pass to %d: told %d and %s, want %s", excused, told, i.End.Code, want.Code)
			}
		}
		r.Close()
	}
}

// TestLastUseLetPass lets the last message of USED pass, which is lost: who reads to the end comes to it.
func TestLastUseLetPass(t *testing.T) {
	const size = 3
	w := newWorld(t, func(c *feed.Config) { c.ExcusedUse = func(p access.Position) bool { return p == size } })
	for range size {
		w.uses.append(use(noon.Add(-time.Hour), acme, alice, aliceKey, access.Allowed))
	}
	w.uses.lost, w.uses.passed = size, true
	for _, q := range []feed.Query{{From: from(t, "1-1.0-1.0")}, {From: from(t, "1-1.0-1.0"), Follow: true, Until: noon.Add(-30 * time.Minute)}} {
		q.Caller = feed.Caller{Account: acme, User: alice, Oversees: true}
		r, err := w.feed.Open(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		told, end := 0, (*feed.End)(nil)
		for i := range r.Items(ctx) {
			if i.Event != nil {
				told++
			}
			end = i.End
		}
		if told != size-1 || end == nil || *end != feed.EndCaughtUp && *end != feed.EndUntil {
			t.Errorf("following %v: told %d and %v, want %d and the end", q.Follow, told, end, size-1)
		}
		cancel()
		r.Close()
	}
}

// TestTrimmedUnderReader trims what a reader was about to read.
func TestTrimmedUnderReader(t *testing.T) {
	w := newWorld(t)
	for range 10 {
		w.uses.append(use(noon, acme, alice, aliceKey, access.Allowed))
	}
	r, err := w.feed.Open(t.Context(), feed.Query{Caller: feed.Caller{Account: acme, User: alice, Oversees: true}, From: from(t, "1-1.0-1.0"), Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	n, trimmed := 0, false
	for i := range r.Items(t.Context()) {
		if i.Event != nil {
			n++
		}
		if !trimmed {
			w.uses.trim(9)
			trimmed = true
		}
		if i.End != nil && *i.End != feed.EndExpired {
			t.Errorf("got %v", i.End)
		}
		if i.Event != nil && n > 8 {
			t.Fatal("it went on over the gap")
		}
	}
}

// TestStill ends whoever may not read any more.
func TestStill(t *testing.T) {
	w := newWorld(t)
	asked := 0
	r, err := w.feed.Open(t.Context(), feed.Query{Caller: feed.Caller{Account: acme, User: alice, Oversees: true}, Follow: true, Still: func() error {
		if asked++; asked < 3 {
			return nil
		}
		return fmt.Errorf("not any more: %w", feed.ErrNoLonger)
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var last feed.Item
	for last = range r.Items(t.Context()) {
	}
	if last.End == nil || *last.End != feed.EndDenied || asked != 3 {
		t.Errorf("got %+v after %d questions", last, asked)
	}
}

// TestCrowded fills the places in every way that could shut somebody out.
func TestCrowded(t *testing.T) {
	member := func(a events.AccountID, n int) feed.Caller {
		return feed.Caller{Account: a, User: events.UserID(fmt.Sprint("20000000000000000", n))}
	}
	auditor := func(a events.AccountID, n int) feed.Caller {
		c := member(a, n)
		c.Oversees = true
		return c
	}
	operator := func(n int) feed.Caller {
		c := auditor("100000000009", n)
		c.Operator = true
		return c
	}
	const third, fourth = events.AccountID("100000000003"), events.AccountID("100000000004")
	type step struct {
		who     feed.Caller
		asks    int
		want    int // let in
		leaving int // after that
	}
	for name, steps := range map[string][]step{
		"one user":                      {{member(acme, 1), 9, 4, 1}, {member(acme, 1), 9, 1, 0}},
		"one auditor":                   {{auditor(acme, 1), 9, 4, 0}, {auditor(acme, 2), 9, 4, 0}},
		"a user of two accounts' names": {{member(acme, 1), 4, 4, 0}, {member(other, 1), 4, 4, 0}},
		"an account's users leave room for its auditors": {
			{member(acme, 1), 9, 4, 0}, {member(acme, 2), 9, 4, 0}, {member(acme, 3), 1, 0, 0},
			{auditor(acme, 4), 9, 4, 0}, {auditor(acme, 5), 9, 4, 0}, {auditor(acme, 6), 1, 0, 0},
		},
		"an account's auditors fill it": {
			{auditor(acme, 1), 4, 4, 0}, {auditor(acme, 2), 4, 4, 0}, {auditor(acme, 3), 4, 4, 0}, {auditor(acme, 4), 4, 4, 1}, {auditor(acme, 5), 4, 1, 0}, {member(acme, 6), 1, 0, 0},
			{auditor(other, 1), 4, 4, 0},
		},
		"accounts leave room for the operator": {
			{auditor(acme, 1), 4, 4, 0}, {auditor(acme, 2), 4, 4, 0}, {auditor(acme, 3), 4, 4, 0}, {auditor(acme, 4), 4, 4, 0},
			{auditor(other, 1), 4, 4, 0}, {auditor(other, 2), 4, 4, 0}, {auditor(other, 3), 4, 4, 0}, {auditor(other, 4), 4, 4, 0},
			{auditor(third, 1), 4, 4, 0}, {auditor(third, 2), 4, 4, 0}, {auditor(third, 3), 4, 4, 0}, {auditor(third, 4), 4, 4, 0},
			{auditor(fourth, 1), 4, 0, 0},
			{operator(1), 9, 4, 0}, {operator(2), 9, 4, 0}, {operator(3), 9, 4, 0}, {operator(4), 9, 4, 4},
			{auditor(fourth, 1), 4, 0, 0}, {operator(4), 9, 4, 0}, {operator(5), 1, 0, 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for i, s := range steps {
				in := w.crowd(s.who, s.asks)
				if len(in) != s.want {
					t.Errorf("step %d: %d of %+v were let in, want %d", i, len(in), s.who, s.want)
				}
				for _, r := range in[:min(s.leaving, len(in))] {
					r.Close()
					r.Close() // a place that is given up twice is given away once
				}
			}
		})
	}
}

// crowd has somebody open readers, and is those that were let in.
func (w *world) crowd(c feed.Caller, n int) (in []*feed.Reader) {
	w.Helper()
	for range n {
		r, err := w.feed.Open(w.Context(), feed.Query{Caller: c, Follow: true})
		if refused := (*feed.RefusedError)(nil); err != nil && (!errors.As(err, &refused) || refused.Reason != feed.Crowded) {
			w.Fatal(err)
		}
		if err == nil {
			in = append(in, r)
		}
	}
	return in
}

// TestClose ends every reader with where to go on, and lets nobody in.
func TestClose(t *testing.T) {
	w := newWorld(t)
	r, err := w.feed.Open(t.Context(), feed.Query{Caller: feed.Caller{Account: acme, User: alice, Oversees: true}, Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var last feed.Item
	for last = range r.Items(t.Context()) {
		w.feed.Close()
	}
	if last.End == nil || *last.End != feed.EndStopping || unmarked(last.Cursor) != "1-1.0-1.0" {
		t.Errorf("got %+v", last)
	}
	if _, err := w.feed.Open(t.Context(), feed.Query{Caller: feed.Caller{Account: acme, User: alice, Oversees: true}}); err == nil {
		t.Error("somebody was let in")
	}
}
