package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/logtest"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/services/ledger"
	"github.com/keyledger/keyledger/services/ledger/ledgertest"
	"github.com/keyledger/keyledger/services/vault"
)

const (
	foreignID     = events.AccessKeyID("LTAI5tForeign-Key_01")
	foreignSecret = "n0t/ours+and=of any shape"
)

// foreign is a key from elsewhere.
func foreign(id events.AccessKeyID, secret string) ledger.Import {
	return ledger.Import{NewKey: ledger.NewKey{ID: id, Secret: vault.NewSecret([]byte(secret))}, Description: "from elsewhere"}
}

func importOne(t *testing.T, w *ledgertest.World, request string, owner events.Subject) ledger.ImportedKey {
	t.Helper()
	k, err := w.ImportKey(t.Context(), ledgertest.Request(request), owner, foreign(foreignID, foreignSecret))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestImportFailures is the failure table of an import: what befalls the append of
// the reservation, and of the creation after it; what the caller is told; whether the ID is
// the user's by then; and that the same request, sent again, ends with one reservation, one
// key and one answer.
func TestImportFailures(t *testing.T) {
	lost := func(f logtest.Fault) []logtest.Fault { return faults(f, 3) }
	ways := []struct {
		name   string
		faults []logtest.Fault
		late   bool // the lost decision arrives after the first answer
		told   error
		stands bool // the decision is in the log after the first sending
	}{
		{"lost on the way there, once", faults(logtest.LostGoing, 1), false, nil, true},
		{"lost on the way back, once", faults(logtest.LostReturning, 1), false, nil, true},
		{"lost on the way there, each time", lost(logtest.LostGoing), false, ledger.ErrUnknown, false},
		{"lost on the way back, each time", lost(logtest.LostReturning), false, ledger.ErrUnknown, true},
		{"late, after the answer", lost(logtest.Late), true, ledger.ErrUnknown, true},
		{"late, never", lost(logtest.Late), false, ledger.ErrUnknown, false},
		{"writes are off", faults(logtest.Off, 1), false, &events.UnavailableError{}, false},
	}
	for _, step := range []string{"reservation", "creation"} {
		for _, way := range ways {
			t.Run(step+" "+way.name, func(t *testing.T) {
				w, log := newWorld(t)
				a := w.Open(t, "strict").Account
				owner, rival := w.User(t, a, "alice"), w.User(t, a, "mallory")
				before := len(w.Messages(t))
				befall := way.faults
				if step == "creation" {
					befall = append([]logtest.Fault{logtest.None}, befall...)
				}
				log.FailNext(befall...)
				_, err := w.ImportKey(t.Context(), ledgertest.Request("r"), owner, foreign(foreignID, foreignSecret))
				wantError(t, err, way.told)
				if way.late {
					log.Deliver()
				}
				settle(t, w)
				if reserved := step == "creation" || way.stands; reserved {
					_, err := w.ImportKey(t.Context(), ledgertest.Request("rival"), rival, foreign(foreignID, foreignSecret))
					wantRule(t, err, "key.exists")
				}
				importOne(t, w, "r", owner)
				if again := importOne(t, w, "r", owner); !again.Repeated || again.Key != foreignID || again.Status != events.StatusActive || again.Description != "from elsewhere" {
					t.Errorf("once more: got %+v", again)
				}
				if got := len(w.Messages(t)) - before; got != 2 {
					t.Errorf("the log took %d decisions, want 2", got)
				}
				if keys := w.Keys(t, owner); len(keys) != 1 || keys[foreignID] != "active" {
					t.Errorf("the keyring holds %v", keys)
				}
				wantNoSecret(t, w)
			})
		}
	}
}

// wantNoSecret holds that the log has no way to the imported secret: neither itself nor a
// hash by which a guess could be told to be right.
func wantNoSecret(t *testing.T, w *ledgertest.World) {
	t.Helper()
	for m, err := range w.Log.Read(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(m.Data, []byte(foreignSecret)) {
			t.Fatalf("the message at %d holds the secret", m.Position)
		}
	}
}

// A reservation that nobody finished stays the user's: another request of the same
// user finishes it, and nobody else's does.
func TestReservationLeftBehind(t *testing.T) {
	w, log := newWorld(t)
	a := w.Open(t, "strict").Account
	alice, bob := w.User(t, a, "alice"), w.User(t, a, "bob")
	elsewhere := w.User(t, w.Open(t, "strict").Account, "carol")
	log.FailNext(append([]logtest.Fault{logtest.None}, faults(logtest.LostGoing, 3)...)...)
	_, err := w.ImportKey(t.Context(), ledgertest.Request("left"), alice, foreign(foreignID, foreignSecret))
	wantError(t, err, ledger.ErrUnknown)
	for i, other := range []events.Subject{bob, elsewhere} {
		_, err := w.ImportKey(t.Context(), ledgertest.Request(fmt.Sprint("other", i)), other, foreign(foreignID, foreignSecret))
		wantRule(t, err, "key.exists")
		var refusal *aggregate.Refusal
		if errors.As(err, &refusal); bytes.Contains([]byte(refusal.Detail), []byte(alice.User)) || bytes.Contains([]byte(refusal.Detail), []byte(a)) {
			t.Errorf("the refusal tells whose it is: %s", refusal.Detail)
		}
	}
	if k := importOne(t, w, "anew", alice); k.Repeated {
		t.Error("another request finished it and was told that it had before")
	}
}

// The whole life of an imported key; after its purge its ID is refused for ever, to its
// own user and to others, by the projections as they are and as they are built anew.
func TestImportedIDIsNeverUsedAgain(t *testing.T) {
	w, log := newWorld(t)
	a := w.Open(t, "strict").Account
	alice, bob := w.User(t, a, "alice"), w.User(t, a, "bob")
	importOne(t, w, "r", alice)
	for i, step := range []func(context.Context, ledger.Request, events.AccessKeyID) (ledger.Outcome, error){
		disable(w), w.EnableKey, disable(w), w.DeleteKey, w.RestoreKey, w.DeleteKey,
	} {
		if _, err := step(t.Context(), ledgertest.Request(fmt.Sprint("step", i)), foreignID); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	_, err := w.ImportKey(t.Context(), ledgertest.Request("in the bin"), alice, foreign(foreignID, foreignSecret))
	wantRule(t, err, "key.exists")
	if _, err := w.PurgeKey(t.Context(), ledgertest.Request("7"), foreignID, events.CauseRequested); err != nil {
		t.Fatal(err)
	}
	store, err := projections.Open("anew", projections.Options{FS: vfs.NewMem(), CacheBytes: 8 << 20, MemTableBytes: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	anew := ledgertest.Over(t, log, store, patience)
	for name, w := range map[string]*ledgertest.World{"as they are": w, "built anew": anew} {
		settle(t, w)
		before := len(w.Messages(t))
		for who, owner := range map[string]events.Subject{"alice": alice, "bob": bob} {
			_, err := w.ImportKey(t.Context(), ledgertest.Request(name+who), owner, foreign(foreignID, foreignSecret))
			wantRule(t, err, "key.exists")
		}
		if got := len(w.Messages(t)); got != before {
			t.Errorf("%s: refusals wrote %d decisions", name, got-before)
		}
	}
	if again := importOne(t, w, "r", alice); !again.Repeated || again.Key != foreignID {
		t.Errorf("the request that imported it, sent again: got %+v", again)
	}
}

func disable(w *ledgertest.World) func(context.Context, ledger.Request, events.AccessKeyID) (ledger.Outcome, error) {
	return func(ctx context.Context, r ledger.Request, k events.AccessKeyID) (ledger.Outcome, error) {
		return w.DisableKey(ctx, r, k, "")
	}
}

// What the rules refuse reserves nothing: the ID stays free for whoever may have it.
func TestRefusedImportReservesNothing(t *testing.T) {
	w, _ := newWorld(t)
	a := w.Open(t, "strict").Account
	full, bob := w.User(t, a, "full"), w.User(t, a, "bob")
	for i := range 2 {
		if _, err := w.CreateKey(t.Context(), ledgertest.Request(fmt.Sprint("k", i)), full, ""); err != nil {
			t.Fatal(err)
		}
	}
	before := len(w.Messages(t))
	for _, test := range []struct {
		rule  string
		owner events.Subject
		in    ledger.Import
	}{
		{"key.quota", full, foreign(foreignID, foreignSecret)},
		{"user.not_found", events.KeyringSubject(a, "299999999999999999"), foreign(foreignID, foreignSecret)},
		{"key.description", bob, ledger.Import{NewKey: foreign(foreignID, foreignSecret).NewKey, Description: "two\nlines"}},
		{"import.access_key_id", bob, foreign("KLAK0000000000000000", foreignSecret)},
		{"import.access_key_id", bob, foreign("klakMine", foreignSecret)},
		{"import.access_key_id", bob, foreign("ab", foreignSecret)},
		{"import.access_key_id", bob, foreign("a.b.c", foreignSecret)},
		{"import.secret_access_key", bob, foreign(foreignID, "")},
		{"import.secret_access_key", bob, foreign(foreignID, "with a\ttab")},
	} {
		_, err := w.ImportKey(t.Context(), ledgertest.Request("refused"), test.owner, test.in)
		wantRule(t, err, test.rule)
	}
	if got := len(w.Messages(t)); got != before {
		t.Errorf("refusals wrote %d decisions", got-before)
	}
	importOne(t, w, "bob's", bob)
}

// A request ID stands for one secret too, although the log holds no digest of it.
func TestImportWithAnotherSecret(t *testing.T) {
	w, _ := newWorld(t)
	owner := w.User(t, w.Open(t, "strict").Account, "alice")
	importOne(t, w, "r", owner)
	_, err := w.ImportKey(t.Context(), ledgertest.Request("r"), owner, foreign(foreignID, foreignSecret+"!"))
	wantRule(t, err, "request.reused")
	_, err = w.ImportKey(t.Context(), ledgertest.Request("anew"), owner, foreign(foreignID, foreignSecret))
	wantRule(t, err, "key.exists")
}

// A key that comes disabled is disabled by the decision that creates it.
func TestImportDisabled(t *testing.T) {
	w, _ := newWorld(t)
	owner := w.User(t, w.Open(t, "strict").Account, "alice")
	in := foreign(foreignID, foreignSecret)
	in.Disabled = true
	k, err := w.ImportKey(t.Context(), ledgertest.Request("r"), owner, in)
	if err != nil || k.Status != events.StatusDisabled || len(k.Events) != 2 {
		t.Fatalf("got %+v, %v", k, err)
	}
	if got := w.Keys(t, owner)[foreignID]; got != "disabled" {
		t.Errorf("the key is %q", got)
	}
}

// Of many users who import the same ID at once, on two nodes, one gets it.
func TestOneIDForMany(t *testing.T) {
	w, log := newWorld(t)
	a := w.Open(t, "strict").Account
	other, err := ledger.New(w.Config) // another node: only the log is between the two
	if err != nil {
		t.Fatal(err)
	}
	var won, taken int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 24 {
		owner := w.User(t, a, fmt.Sprint("user", i))
		l := []*ledger.Ledger{w.Ledger, other}[i%2]
		wg.Go(func() {
			_, err := l.ImportKey(t.Context(), ledgertest.Request(fmt.Sprint("r", i)), owner, foreign(foreignID, foreignSecret))
			mu.Lock()
			defer mu.Unlock()
			var refusal *aggregate.Refusal
			switch {
			case err == nil:
				won++
			case errors.As(err, &refusal) && refusal.Rule == "key.exists":
				taken++
			default:
				t.Errorf("got %v, want the key or key.exists", err)
			}
		})
	}
	wg.Wait()
	if won != 1 || taken != 23 {
		t.Errorf("%d got the ID and %d were refused, want 1 and 23", won, taken)
	}
	if _, err := log.LastOf(t.Context(), events.ReservationSubject(foreignID)); err != nil {
		t.Error(err)
	}
}

// A laggard is a log whose answers about a subject's last message come from a replica
// that has not seen it yet.
type laggard struct {
	events.Log
	behind int // so many answers more
}

func (l *laggard) LastOf(ctx context.Context, s events.Subject) (events.Message, error) {
	if l.behind > 0 {
		l.behind--
		return events.Message{}, events.ErrNone
	}
	return l.Log.LastOf(ctx, s)
}

// A reservation is the first message of its subject or none: an answer that lags behind
// does not get a second one written.
func TestReservationIsTheFirst(t *testing.T) {
	log := &laggard{Log: logtest.NewMemory()}
	w := ledgertest.New(t, log, patience)
	a := w.Open(t, "strict").Account
	alice, bob := w.User(t, a, "alice"), w.User(t, a, "bob")
	memory := log.Log
	reserved := logtest.Decision(events.ReservationSubject(foreignID), 0)
	reserved.Events[0].Event = events.KeyReserved{Key: foreignID, Account: a, User: alice.User}
	if _, err := memory.Append(t.Context(), reserved); err != nil {
		t.Fatal(err)
	}
	log.behind = 3
	_, err := w.ImportKey(t.Context(), ledgertest.Request("r"), bob, foreign(foreignID, foreignSecret))
	wantRule(t, err, "key.exists")
	importOne(t, w, "a", alice)
}
