package ledger_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/logtest"
	"github.com/keyledger/keyledger/services/ledger"
	"github.com/keyledger/keyledger/services/ledger/ledgertest"
)

// patience is short enough that a command which can never be settled is
// answered soon.
const patience = 2 * time.Second

func newWorld(t *testing.T) (*ledgertest.World, *logtest.Memory) {
	log := logtest.NewMemory()
	return ledgertest.New(t, log, patience), log
}

// TestFailures is the failure table: every way in which the append of a command
// can end, what the caller is told, what the log holds then, and what the same request,
// sent again, is told.
func TestFailures(t *testing.T) {
	for _, row := range []struct {
		name   string
		faults []logtest.Fault
		late   bool // the lost decision arrives after the first answer
		told   error
		again  string // "done": by the second sending; "found": by the first
	}{
		{"done", nil, false, nil, "found"},
		{"lost on the way there, once", faults(logtest.LostGoing, 1), false, nil, "found"},
		{"lost on the way back, once", faults(logtest.LostReturning, 1), false, nil, "found"},
		{"lost on the way there, each time", faults(logtest.LostGoing, 3), false, ledger.ErrUnknown, "done"},
		{"lost on the way back, each time", faults(logtest.LostReturning, 3), false, ledger.ErrUnknown, "found"},
		{"late, after the answer", faults(logtest.Late, 3), true, ledger.ErrUnknown, "found"},
		{"late, never", faults(logtest.Late, 3), false, ledger.ErrUnknown, "done"},
		{"writes are off", faults(logtest.Off, 1), false, &events.UnavailableError{}, "done"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w, log := newWorld(t)
			owner := w.User(t, w.Open(t, "strict").Account, "alice")
			before := len(w.Messages(t))

			log.FailNext(row.faults...)
			first, err := w.CreateKey(t.Context(), ledgertest.Request("r"), owner, "")
			wantError(t, err, row.told)
			if row.late {
				log.Deliver()
			}
			settle(t, w)
			second, err := w.CreateKey(t.Context(), ledgertest.Request("r"), owner, "")
			if err != nil {
				t.Fatalf("sent again: %v", err)
			}
			if found := second.Repeated; found != (row.again == "found") {
				t.Errorf("sent again: repeated is %t, want it %s", found, row.again)
			}
			if (second.Secret == nil) != second.Repeated {
				t.Errorf("sent again: a secret is there: %t, repeated: %t", second.Secret != nil, second.Repeated)
			}
			if first.Key != "" && first.Key != second.Key {
				t.Errorf("two sendings of one request made %s and %s", first.Key, second.Key)
			}
			if got := len(w.Messages(t)) - before; got != 1 {
				t.Errorf("the log took %d decisions, want 1", got)
			}
			if _, ok := w.Keys(t, owner)[second.Key]; !ok {
				t.Errorf("the key %s is not on the keyring", second.Key)
			}
		})
	}
}

func faults(f logtest.Fault, n int) []logtest.Fault {
	out := make([]logtest.Fault, n)
	for i := range out {
		out[i] = f
	}
	return out
}

func wantError(t *testing.T, got, want error) {
	t.Helper()
	var unavailable *events.UnavailableError
	switch {
	case want == nil && got != nil:
		t.Fatalf("got %v, want no error", got)
	case errors.As(want, &unavailable):
		if !errors.As(got, &unavailable) {
			t.Fatalf("got %v, want an UnavailableError", got)
		}
	case !errors.Is(got, want):
		t.Fatalf("got %v, want %v", got, want)
	}
}

// settle waits until what is in the log is known.
func settle(t *testing.T, w *ledgertest.World) {
	t.Helper()
	last, err := w.Log.Last(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Views.Wait(t.Context(), last); err != nil {
		t.Fatal(err)
	}
}

// A rivalry is a log in which something happens just before an append.
type rivalry struct {
	events.Log
	before func() // taken away before it is called
}

func (r *rivalry) Append(ctx context.Context, d events.Decision) (events.Position, error) {
	if first := r.before; first != nil {
		r.before = nil
		first()
	}
	return r.Log.Append(ctx, d)
}

// Another decision on the same subject that lands between the read and the
// append makes the command be decided again, on what is true then.
func TestConflictIsDecidedAgain(t *testing.T) {
	log := &rivalry{Log: logtest.NewMemory()}
	w := ledgertest.New(t, log, patience)
	owner := w.User(t, w.Open(t, "strict").Account, "alice")
	other, err := ledger.New(w.Config) // another node: this one's commands take turns
	if err != nil {
		t.Fatal(err)
	}
	var rival ledger.CreatedKey
	log.before = func() {
		var err error
		if rival, err = other.CreateKey(t.Context(), ledgertest.Request("rival"), owner, ""); err != nil {
			t.Error(err)
		}
	}
	k, err := w.CreateKey(t.Context(), ledgertest.Request("slow"), owner, "")
	if err != nil {
		t.Fatal(err)
	}
	if k.Position <= rival.Position {
		t.Errorf("the slow command is at %d, its rival at %d", k.Position, rival.Position)
	}
	_, err = w.CreateKey(t.Context(), ledgertest.Request("third"), owner, "")
	wantRule(t, err, "key.quota")
}

// A late arrival does not overtake what was decided meanwhile.
func TestLateArrivalYields(t *testing.T) {
	w, log := newWorld(t)
	owner := w.User(t, w.Open(t, "strict").Account, "alice")
	k, err := w.CreateKey(t.Context(), ledgertest.Request("k"), owner, "")
	if err != nil {
		t.Fatal(err)
	}
	log.FailNext(faults(logtest.Late, 3)...)
	_, err = w.DisableKey(t.Context(), ledgertest.Request("disable"), k.Key, "")
	wantError(t, err, ledger.ErrUnknown)
	if _, err := w.DescribeKey(t.Context(), ledgertest.Request("describe"), k.Key, "mine"); err != nil {
		t.Fatal(err)
	}
	if stored := log.Deliver(); stored != 0 {
		t.Fatalf("%d late decisions were written over a newer one", stored)
	}
	if got := w.Keys(t, owner)[k.Key]; got != "active" {
		t.Fatalf("the key is %s, want active", got)
	}
	if _, err := w.DisableKey(t.Context(), ledgertest.Request("disable"), k.Key, ""); err != nil {
		t.Fatal(err)
	}
	if got := w.Keys(t, owner)[k.Key]; got != "disabled" {
		t.Fatalf("the key is %s, want disabled", got)
	}
}

// A client that hangs up does not stop a decision half way, and finds its
// outcome by asking again.
func TestHungUp(t *testing.T) {
	w, _ := newWorld(t)
	owner := w.User(t, w.Open(t, "strict").Account, "alice")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	first, err := w.CreateKey(gone, ledgertest.Request("r"), owner, "")
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.CreateKey(t.Context(), ledgertest.Request("r"), owner, "")
	if err != nil || again.Key != first.Key {
		t.Fatalf("got %s, %v, want %s", again.Key, err, first.Key)
	}
}

// TestReused holds the scope of a request ID: account, actor and ID.
func TestReused(t *testing.T) {
	w, _ := newWorld(t)
	a := w.Open(t, "strict").Account
	alice, bob := w.User(t, a, "alice"), w.User(t, a, "bob")
	if _, err := w.CreateKey(t.Context(), ledgertest.Request("r"), alice, ""); err != nil {
		t.Fatal(err)
	}
	other := ledgertest.Request("r")
	other.Digest = "of another body"
	_, err := w.CreateKey(t.Context(), other, alice, "")
	wantRule(t, err, "request.reused")
	_, err = w.CreateKey(t.Context(), other, bob, "")
	wantRule(t, err, "request.reused")

	other.Actor = "system:another"
	if k, err := w.CreateKey(t.Context(), other, bob, ""); err != nil || k.Repeated {
		t.Errorf("another actor's request of the same ID: repeated %t, %v", k.Repeated, err)
	}
}

// A refusal is not remembered: the same request may succeed later.
func TestRefusalIsDecidedAnew(t *testing.T) {
	w, _ := newWorld(t)
	owner := w.User(t, w.Open(t, "strict").Account, "alice")
	k, err := w.CreateKey(t.Context(), ledgertest.Request("k"), owner, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.DeleteKey(t.Context(), ledgertest.Request("delete"), k.Key)
	wantRule(t, err, "delete.requires_disabled")
	if _, err := w.DisableKey(t.Context(), ledgertest.Request("disable"), k.Key, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := w.DeleteKey(t.Context(), ledgertest.Request("delete"), k.Key); err != nil {
		t.Fatal(err)
	}
}

func wantRule(t *testing.T, err error, rule string) {
	t.Helper()
	var refusal *aggregate.Refusal
	if !errors.As(err, &refusal) || refusal.Rule != rule {
		t.Fatalf("got %v, want the refusal %s", err, rule)
	}
}

// TestOpeningBrokenOff holds that an opening whose first key was not recorded
// is finished by the same request.
func TestOpeningBrokenOff(t *testing.T) {
	w, log := newWorld(t)
	o, err := w.DrawOpening()
	if err != nil {
		t.Fatal(err)
	}
	log.FailNext(append([]logtest.Fault{logtest.None}, faults(logtest.LostGoing, 3)...)...)
	_, err = w.OpenAccount(t.Context(), ledgertest.Request("open"), ledger.NewAccount{Name: "acme", Preset: "aws"}, o)
	wantError(t, err, ledger.ErrUnknown)

	fresh, err := w.DrawOpening() // a second sending draws anew, and finds the first account
	if err != nil {
		t.Fatal(err)
	}
	again := ledgertest.Request("open")
	again.Scope = o.Account
	opened, err := w.OpenAccount(t.Context(), again, ledger.NewAccount{Name: "acme", Preset: "aws"}, fresh)
	if err != nil {
		t.Fatal(err)
	}
	if opened.Account != o.Account || opened.Root != o.Root || opened.Key.Secret == nil {
		t.Errorf("got account %s with a secret: %t, want %s", opened.Account, opened.Key.Secret != nil, o.Account)
	}
}

// TestRemoval holds the order of a removal, what takes it back, and that what
// was left half done is finished.
func TestRemoval(t *testing.T) {
	w, log := newWorld(t)
	a := w.Open(t, "aws").Account
	alice := w.User(t, a, "alice")
	k, err := w.CreateKey(t.Context(), ledgertest.Request("k"), alice, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.RemoveUser(t.Context(), ledgertest.Request("early"), a, alice.User)
	wantRule(t, err, "keyring.keys_exist")
	if _, err := w.DeleteKey(t.Context(), ledgertest.Request("delete"), k.Key); err != nil {
		t.Fatal(err)
	}
	log.FailNext(append([]logtest.Fault{logtest.None}, faults(logtest.LostGoing, 3)...)...)
	_, err = w.RemoveUser(t.Context(), ledgertest.Request("remove"), a, alice.User)
	wantError(t, err, ledger.ErrUnknown)
	_, err = w.CreateKey(t.Context(), ledgertest.Request("too late"), alice, "")
	wantRule(t, err, "keyring.closed")

	half, err := w.Views.Closed(w.Now(), 10)
	if err != nil || len(half) != 1 || half[0].User != alice.User {
		t.Fatalf("half done: %v, %v, want alice", half, err)
	}
	if _, err := w.RemoveUser(t.Context(), ledgertest.Request("remove"), a, alice.User); err != nil {
		t.Fatal(err)
	}
	if again, err := w.RemoveUser(t.Context(), ledgertest.Request("remove"), a, alice.User); err != nil || !again.Repeated {
		t.Errorf("sent once more: repeated %t, %v", again.Repeated, err)
	}
	_, err = w.CreateKey(t.Context(), ledgertest.Request("gone"), alice, "")
	wantRule(t, err, "user.not_found")
}

// A removal that was taken back after the keyring was closed can be asked for
// again under the same request ID.
func TestRemovalTakenBack(t *testing.T) {
	w, log := newWorld(t)
	a := w.Open(t, "aws").Account
	alice := w.User(t, a, "alice")
	log.FailNext(append([]logtest.Fault{logtest.None}, faults(logtest.LostGoing, 3)...)...)
	_, err := w.RemoveUser(t.Context(), ledgertest.Request("remove"), a, alice.User)
	wantError(t, err, ledger.ErrUnknown)

	closed, err := w.Log.LastOf(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	reopen := logtest.Decision(alice, closed.Position)
	reopen.Events = []events.Recorded{{ID: "01a20000-0000-7000-8000-000000000001", Event: events.KeyringReopened{User: alice.User}}}
	if _, err := w.Log.Append(t.Context(), reopen); err != nil {
		t.Fatal(err)
	}
	settle(t, w)
	if _, err := w.RemoveUser(t.Context(), ledgertest.Request("remove"), a, alice.User); err != nil {
		t.Fatalf("sent again: %v", err)
	}
}
