package logtest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
)

// patience bounds what a test waits for.
const patience = 30 * time.Second

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// must appends d and wants it written at a position.
func must(t *testing.T, l events.Log, d events.Decision, want events.Position) {
	t.Helper()
	got, err := l.Append(within(t), d)
	if err != nil || got != want {
		t.Fatalf("append to %s after %d: got %d, %v, want %d", d.Subject, d.After, got, err, want)
	}
}

// fill appends n messages, each to a subject of its own.
func fill(t *testing.T, l events.Log, n int) {
	t.Helper()
	for i := range n {
		must(t, l, Decision(Keyring(1000+i), 0), events.Position(i+1))
	}
}

// conflicts wants d refused with the last position of its subject.
func conflicts(t *testing.T, l events.Log, d events.Decision, last events.Position) {
	t.Helper()
	before := lastOf(t, l)
	got, err := l.Append(within(t), d)
	var conflict *events.ConflictError
	if !errors.As(err, &conflict) {
		t.Fatalf("append to %s after %d: got %d, %v, want a conflict", d.Subject, d.After, got, err)
	}
	if conflict.Subject != d.Subject || conflict.Last != last {
		t.Errorf("conflict: got %s at %d, want %s at %d", conflict.Subject, conflict.Last, d.Subject, last)
	}
	if after := lastOf(t, l); after != before {
		t.Errorf("last after a conflict: got %d, want %d", after, before)
	}
}

func lastOf(t *testing.T, l events.Log) events.Position {
	t.Helper()
	p, err := l.Last(within(t))
	if err != nil {
		t.Fatalf("last: %v", err)
	}
	return p
}

// read is everything after a position.
func read(t *testing.T, l events.Log, after events.Position) []events.Message {
	t.Helper()
	var all []events.Message
	for m, err := range l.Read(within(t), after) {
		if err != nil {
			t.Fatalf("read after %d: %v", after, err)
		}
		all = append(all, m)
	}
	return all
}

// dense wants messages to follow on a position without a gap.
func dense(t *testing.T, messages []events.Message, after events.Position) {
	t.Helper()
	for i, m := range messages {
		if want := after + events.Position(i) + 1; m.Position != want {
			t.Fatalf("message %d of those after %d: got position %d, want %d", i, after, m.Position, want)
		}
	}
}

func testEmpty(t *testing.T, l events.Log) {
	if got := lastOf(t, l); got != 0 {
		t.Errorf("last: got %d, want 0", got)
	}
	if _, err := l.LastOf(within(t), Keyring(1)); !errors.Is(err, events.ErrNone) {
		t.Errorf("last of a subject: got %v, want ErrNone", err)
	}
	for _, p := range []events.Position{0, 1, 1 << 40} {
		if _, err := l.At(within(t), p); !errors.Is(err, events.ErrNone) {
			t.Errorf("at %d: got %v, want ErrNone", p, err)
		}
	}
	if got := read(t, l, 0); len(got) != 0 {
		t.Errorf("read: got %d messages, want none", len(got))
	}
}

func testDense(t *testing.T, l events.Log) {
	for i := range 40 {
		must(t, l, Decision(Keyring(i), 0), events.Position(i+1))
	}
	dense(t, read(t, l, 0), 0)
	if got := lastOf(t, l); got != 40 {
		t.Errorf("last: got %d, want 40", got)
	}
}

func testReadBack(t *testing.T, l events.Log) {
	account := events.AccountSubject("100000000001")
	must(t, l, Decision(account, 0), 1)
	want := Decision(Keyring(1), 0)
	must(t, l, want, 2)
	must(t, l, Decision(Keyring(2), 0), 3)

	at, err := l.At(within(t), 2)
	if err != nil {
		t.Fatalf("at 2: %v", err)
	}
	last, err := l.LastOf(within(t), Keyring(1))
	if err != nil {
		t.Fatalf("last of %s: %v", Keyring(1), err)
	}
	for _, m := range []events.Message{at, last, read(t, l, 1)[0]} {
		sameAs(t, m, want, 2)
	}
	if m, err := l.LastOf(within(t), account); err != nil || m.Position != 1 {
		t.Errorf("last of the account, whose users have later messages: got %d, %v, want 1", m.Position, err)
	}
	if _, err := l.LastOf(within(t), events.AccountSubject("100000000002")); !errors.Is(err, events.ErrNone) {
		t.Errorf("last of another account: got %v, want ErrNone", err)
	}
}

func sameAs(t *testing.T, m events.Message, want events.Decision, p events.Position) {
	t.Helper()
	r, err := events.Decode(m)
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	if m.Position != p || r.Subject != want.Subject || r.Meta != want.Meta || len(r.Events) != 1 || r.Events[0] != want.Events[0] {
		t.Errorf("message: got %+v at %d, want %+v at %d", r, m.Position, want, p)
	}
}

func testExpectation(t *testing.T, l events.Log) {
	must(t, l, Decision(Keyring(1), 0), 1)
	must(t, l, Decision(Keyring(2), 0), 2)
	must(t, l, Decision(Keyring(1), 1), 3)
	must(t, l, Decision(Keyring(2), 2), 4)
	must(t, l, Decision(Keyring(1), 3), 5)
}

func testConflict(t *testing.T, l events.Log) {
	must(t, l, Decision(Keyring(1), 0), 1)
	must(t, l, Decision(Keyring(2), 0), 2)
	must(t, l, Decision(Keyring(1), 1), 3)
	must(t, l, Decision(Keyring(1), 3), 4)
	must(t, l, Decision(Keyring(2), 2), 5)
	conflicts(t, l, Decision(Keyring(1), 0), 4)
	conflicts(t, l, Decision(Keyring(1), 1), 4)
	conflicts(t, l, Decision(Keyring(1), 3), 4)
	conflicts(t, l, Decision(Keyring(2), 2), 5)
}

func testMisplaced(t *testing.T, l events.Log) {
	must(t, l, Decision(Keyring(1), 0), 1)
	must(t, l, Decision(Keyring(2), 0), 2)
	conflicts(t, l, Decision(Keyring(1), 2), 1)
	conflicts(t, l, Decision(Keyring(1), 99), 1)
	conflicts(t, l, Decision(Keyring(3), 2), 0)
}

func testRepeat(t *testing.T, l events.Log) {
	first := Decision(Keyring(1), 0)
	must(t, l, first, 1)
	must(t, l, first, 1)
	second := Decision(Keyring(1), 1)
	must(t, l, second, 2)
	must(t, l, second, 2)
	if got := lastOf(t, l); got != 2 {
		t.Errorf("last: got %d, want 2", got)
	}
}

func testRepeatLater(t *testing.T, l events.Log) {
	first, second := Decision(Keyring(1), 0), Decision(Keyring(1), 1)
	must(t, l, first, 1)
	must(t, l, second, 2)
	must(t, l, Decision(Keyring(2), 0), 3)
	must(t, l, Decision(Keyring(1), 2), 4)
	must(t, l, first, 1)
	must(t, l, second, 2)
	if got := lastOf(t, l); got != 4 {
		t.Errorf("last: got %d, want 4", got)
	}
}

func testRepeatAtOnce(t *testing.T, l events.Log) {
	must(t, l, Decision(Keyring(1), 0), 1)
	d := Decision(Keyring(1), 1)
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			if p, err := l.Append(within(t), d); err != nil || p != 2 {
				t.Errorf("append: got %d, %v, want 2", p, err)
			}
		})
	}
	all.Wait()
	if got := len(read(t, l, 0)); got != 2 {
		t.Errorf("messages: got %d, want 2", got)
	}
}

func testOther(t *testing.T, l events.Log) {
	must(t, l, Decision(Keyring(1), 0), 1)
	d := Decision(Keyring(1), 1)
	must(t, l, d, 2)
	other := d
	other.Events = Decision(Keyring(1), 1).Events
	conflicts(t, l, other, 2)
	must(t, l, d, 2)
}

// reservation is a decision that reserves an access key ID.
func reservation(id events.AccessKeyID) events.Decision {
	d := Decision(events.ReservationSubject(id), 0)
	d.Events[0].Event = events.KeyReserved{Key: id, Account: "100000000001", User: "100000000000000001"}
	return d
}

func testReservation(t *testing.T, l events.Log) {
	longest := events.AccessKeyID(strings.Repeat("x", 128))
	must(t, l, Decision(events.AccountSubject("100000000001"), 0), 1)
	first := reservation("LTAI5tX-y_9")
	must(t, l, first, 2)
	must(t, l, reservation("ltai5tx-y_9"), 3)
	must(t, l, reservation("100000000001"), 4)
	must(t, l, reservation(longest), 5)
	must(t, l, first, 2)
	conflicts(t, l, reservation("LTAI5tX-y_9"), 2)
	conflicts(t, l, reservation(longest), 5)
	m, err := l.LastOf(within(t), first.Subject)
	if err != nil {
		t.Fatalf("last of %s: %v", first.Subject, err)
	}
	sameAs(t, m, first, 2)
	if _, err := l.LastOf(within(t), events.ReservationSubject("LTAI5tX-y")); !errors.Is(err, events.ErrNone) {
		t.Errorf("last of an ID that nobody reserved: got %v, want ErrNone", err)
	}
	dense(t, read(t, l, 0), 0)
}

func testReservedOnce(t *testing.T, l events.Log) {
	var all sync.WaitGroup
	var won atomic.Int32
	for range 32 {
		all.Go(func() {
			_, err := l.Append(within(t), reservation("AKIA0000000000000001"))
			if err == nil {
				won.Add(1)
			} else if conflict := new(events.ConflictError); !errors.As(err, &conflict) {
				t.Errorf("append: got %v, want success or a conflict", err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 || lastOf(t, l) != 1 {
		t.Errorf("%d reserved the ID in a log of %d messages, want one", won.Load(), lastOf(t, l))
	}
}

func testMalformed(t *testing.T, l events.Log) {
	d := Decision(Keyring(1), 0)
	d.Events = nil
	if p, err := l.Append(within(t), d); err == nil || errors.Is(err, events.ErrUncertain) {
		t.Errorf("append without events: got %d, %v, want an error that is certain", p, err)
	}
	if got := lastOf(t, l); got != 0 {
		t.Errorf("last: got %d, want 0", got)
	}
}

func testCancelled(t *testing.T, l events.Log) {
	gone, cancel := context.WithCancel(within(t))
	cancel()
	d := Decision(Keyring(1), 0)
	if _, err := l.Append(gone, d); err != nil && !errors.Is(err, events.ErrUncertain) {
		t.Errorf("append whose caller has left: got %v, want success or ErrUncertain", err)
	}
	must(t, l, d, 1)
	if got := lastOf(t, l); got != 1 {
		t.Errorf("last: got %d, want 1", got)
	}
}

func testRead(t *testing.T, l events.Log) {
	fill(t, l, 120)
	for _, after := range []events.Position{0, 1, 57, 119, 120, 500} {
		got := read(t, l, after)
		dense(t, got, after)
		if want := max(0, 120-int(after)); len(got) != want {
			t.Errorf("read after %d: got %d messages, want %d", after, len(got), want)
		}
	}
}

func testReadEnds(t *testing.T, l events.Log) {
	fill(t, l, 5)
	seen := 0
	for m, err := range l.Read(within(t), 0) {
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		if seen++; seen <= 5 {
			must(t, l, Decision(Keyring(seen), 0), events.Position(5+seen))
			continue
		}
		t.Fatalf("read: got position %d, which was appended after the reading began", m.Position)
	}
	if seen != 5 {
		t.Errorf("read: got %d messages, want 5", seen)
	}
}

func testStop(t *testing.T, l events.Log) {
	fill(t, l, 10)
	for name, messages := range map[string]func(context.Context, events.Position) seq{"read": l.Read, "follow": l.Follow} {
		seen := 0
		for m, err := range messages(within(t), 2) {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if seen++; m.Position == 5 {
				break
			}
		}
		if seen != 3 {
			t.Errorf("%s until position 5: got %d messages, want 3", name, seen)
		}
	}
}
