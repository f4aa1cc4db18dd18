package feed_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/services/feed"
)

// until reads from the earliest on until a time, following, and is what it was told.
func (w *world) until(t time.Time, during func()) (about []string, end *feed.End) {
	w.Helper()
	r, err := w.feed.Open(w.Context(), feed.Query{
		Caller: feed.Caller{Account: acme, User: alice, Oversees: true}, From: from(w, "earliest"), Follow: true, Until: t,
	})
	if err != nil {
		w.Fatal(err)
	}
	defer r.Close()
	for i := range r.Items(w.Context()) {
		switch {
		case i.Event != nil:
			about = append(about, hear(w, i).short())
		case i.End != nil:
			end = i.End
		case i.Flush && during != nil:
			during()
			during = nil
		}
	}
	return about, end
}

// TestUntilThePast fills a consumer with what was before a time, and reads no further in
// the logs than it must: behind it lies what cannot be read.
func TestUntilThePast(t *testing.T) {
	w := newWorld(t)
	keyring := events.KeyringSubject(acme, alice)
	for minute := range 10 {
		at := noon.Add(time.Duration(minute) * time.Minute)
		w.decide(at, keyring, events.KeyDescribed{Key: aliceKey})
		w.uses.append(use(at, acme, alice, aliceKey, access.Allowed))
	}
	w.now = noon.Add(time.Hour)
	w.uses.lost = 9
	about, end := w.until(noon.Add(4*time.Minute), nil)
	slices.Sort(about)
	want := slices.Concat(slices.Repeat([]string{"key.described " + string(aliceKey)}, 4), slices.Repeat([]string{"key.used " + string(aliceKey)}, 4))
	if !slices.Equal(about, want) || end == nil || *end != feed.EndUntil {
		t.Errorf("got %q and %+v, want %q", about, end, want)
	}
}

// TestUntilYetToCome follows until the time is over, and until nothing of before it can
// come in any more.
func TestUntilYetToCome(t *testing.T) {
	var mu sync.Mutex
	now := noon
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	w := newWorld(t, func(c *feed.Config) { c.Now = clock })
	keyring := events.KeyringSubject(acme, alice)
	until := noon.Add(time.Hour)
	w.decide(noon, keyring, events.KeyDescribed{Key: aliceKey, Description: "first"})
	about, end := w.until(until, func() {
		w.decide(until.Add(-time.Second), keyring, events.KeyDescribed{Key: aliceKey, Description: "last"})
		w.decide(until, keyring, events.KeyDisabled{Key: aliceKey})
		w.uses.append(use(until.Add(-time.Second), acme, alice, aliceKey, access.Allowed), use(until, acme, alice, aliceKey, access.Allowed))
		mu.Lock()
		defer mu.Unlock()
		now = until.Add(time.Minute)
	})
	slices.Sort(about)
	if want := []string{"key.described " + string(aliceKey), "key.described " + string(aliceKey), "key.used " + string(aliceKey)}; !slices.Equal(about, want) || end == nil || *end != feed.EndUntil {
		t.Errorf("got %q and %+v, want %q", about, end, want)
	}
}

// TestUntilLongAgo refuses a time of which nothing is told.
func TestUntilLongAgo(t *testing.T) {
	w := newWorld(t)
	var refused *feed.RefusedError
	if _, err := w.feed.Open(t.Context(), feed.Query{From: from(t, "earliest"), Until: noon.Add(-access.Kept)}); !errors.As(err, &refused) || refused.Reason != feed.Expired {
		t.Errorf("got %v", err)
	}
}

// TestBehindDamage begins behind a position that cannot be read: that is said, and not taken
// for a fault of ours. Where an operator let it pass, the uses since the one before come along.
func TestBehindDamage(t *testing.T) {
	w := newWorld(t)
	keyring := events.KeyringSubject(acme, alice)
	w.decide(noon, keyring, events.KeyDescribed{Key: aliceKey})
	w.uses.append(use(noon, acme, alice, aliceKey, access.Allowed))
	bad := w.decide(noon, keyring, events.KeyDescribed{Key: aliceKey})
	w.ledger.Poison(bad)
	w.decide(noon, keyring, events.KeyDisabled{Key: aliceKey})
	open := func() (*feed.Reader, error) {
		return w.feed.Open(t.Context(), feed.Query{Caller: feed.Caller{Account: acme, User: alice, Oversees: true}, From: from(t, "2")})
	}
	var refused *feed.RefusedError
	if _, err := open(); !errors.As(err, &refused) || refused.Reason != feed.Unreadable {
		t.Fatalf("got %v", err)
	}
	w.excused[bad] = true
	r, err := open()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	told, end := w.all(feed.Filter{}, "2")
	var about []string
	for _, e := range told {
		about = append(about, e.short())
	}
	slices.Sort(about)
	if want := []string{"key.disabled " + string(aliceKey), "key.used " + string(aliceKey)}; !slices.Equal(about, want) || *end != feed.EndCaughtUp {
		t.Errorf("got %q and %+v, want %q", about, end, want)
	}
}

// TestLag counts readers and how far the one that is furthest behind is, and why they ended.
func TestLag(t *testing.T) {
	var mu sync.Mutex
	ended := map[string]int{}
	w := newWorld(t, func(c *feed.Config) {
		c.PerUser = 1
		c.Ended = func(code string) { mu.Lock(); defer mu.Unlock(); ended[code]++ }
	})
	keyring := events.KeyringSubject(acme, alice)
	for range 5 {
		w.decide(noon, keyring, events.KeyDescribed{Key: aliceKey})
	}
	w.uses.append(use(noon, acme, alice, aliceKey, access.Allowed))
	caller := feed.Caller{Account: acme, User: alice, Oversees: true}
	r, err := w.feed.Open(t.Context(), feed.Query{Caller: caller, From: from(t, "1-3.0-1.0")})
	if err != nil {
		t.Fatal(err)
	}
	if n, ledger, used := w.feed.Lag(5, 1); n != 1 || ledger != 3 || used != 1 {
		t.Errorf("before it reads: got %d readers, %d and %d messages behind; want 1, 3 and 1", n, ledger, used)
	}
	if _, err := w.feed.Open(t.Context(), feed.Query{Caller: caller}); err == nil {
		t.Error("there was a place for another")
	}
	for range r.Items(t.Context()) { //nolint:revive // it is read to its end
	}
	if _, ledger, used := w.feed.Lag(5, 1); ledger != 0 || used != 0 {
		t.Errorf("at its end: %d and %d messages behind", ledger, used)
	}
	r.Close()
	if n, _, _ := w.feed.Lag(5, 1); n != 0 {
		t.Errorf("%d readers, and it has left", n)
	}
	mu.Lock()
	defer mu.Unlock()
	if ended["events.caught_up"] != 1 || ended[feed.CodeCrowded] != 1 || len(ended) != 2 {
		t.Errorf("ended: got %v", ended)
	}
}
