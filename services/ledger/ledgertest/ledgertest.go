// Package ledgertest gives tests a whole ledger: real rules, real projections
// in memory, a real vault in a temporary folder, over any log. The way in is [New]. The
// limits: it opens no doors and keeps no time; the clock is turned by hand.
package ledgertest

import (
	"context"
	"crypto/rand"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/services/identity"
	"github.com/keyledger/keyledger/services/ledger"
	"github.com/keyledger/keyledger/services/vault"
	"github.com/keyledger/keyledger/services/view"
)

// A World is a ledger and what a test turns and looks at.
type World struct {
	*ledger.Ledger
	Log   events.Log
	Store *projections.Store
	Views *view.Views

	mu  sync.Mutex
	now time.Time
}

// Noon is the time at which every world begins.
var Noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// New is a ledger over log. Patience is how long a command waits before its
// outcome is unknown.
func New(t testing.TB, log events.Log, patience time.Duration) *World {
	t.Helper()
	store, err := projections.Open("store", projections.Options{FS: vfs.NewMem(), CacheBytes: 32 << 20, MemTableBytes: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return Over(t, log, store, patience)
}

// Over is a ledger over log and store, which is closed when the test ends.
func Over(t testing.TB, log events.Log, store *projections.Store, patience time.Duration) *World {
	t.Helper()
	w := &World{Log: log, Store: store, now: Noon}
	w.follow(t)
	draw := identity.Source{Now: w.Now}
	v := newVault(t, draw)
	l, err := ledger.New(ledger.Config{
		Log: log, View: w.Views.Now, Wait: w.Views.Wait, Vault: v, Draw: draw, Now: w.Now, Patience: patience,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Ledger = l
	return w
}

// follow starts the projections and stops them when the test ends.
func (w *World) follow(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	runner, err := projections.NewRunner(ctx, projections.Config{Store: w.Store, Source: w.Log, Identity: "test", Parts: view.Parts()})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := runner.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the projections stopped: %v", err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		if err := w.Store.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	w.Views = view.New(w.Store, runner)
}

func newVault(t testing.TB, draw identity.Source) *vault.Vault {
	t.Helper()
	id, err := draw.InstallationID()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	unlock, err := vault.CreateUnlockKey(filepath.Join(dir, "unlock.key"), data, id, Noon, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	v, err := vault.Create(data, unlock, Noon)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Now is the world's clock.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// Pass turns the clock on.
func (w *World) Pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// Tester is the actor of a test's requests.
const Tester events.Actor = "system:test"

// Request is a request of the tester with an ID; an empty one is drawn.
func Request(id string) ledger.Request {
	return ledger.Request{ID: events.RequestID(id), Actor: Tester, Digest: "digest of " + id}
}

// Open opens an account under a preset and gives its opening.
func (w *World) Open(t testing.TB, preset string) ledger.OpenedAccount {
	t.Helper()
	o, err := w.DrawOpening()
	if err != nil {
		t.Fatal(err)
	}
	opened, err := w.OpenAccount(t.Context(), Request(""), ledger.NewAccount{Name: "acme", Preset: preset}, o)
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

// User adds a user to an account and gives its keyring.
func (w *World) User(t testing.TB, a events.AccountID, name string) events.Subject {
	t.Helper()
	u, err := w.AddUser(t.Context(), Request(""), a, name, "", "")
	if err != nil {
		t.Fatal(err)
	}
	return events.KeyringSubject(a, u.User.ID)
}

// Messages is everything in the log.
func (w *World) Messages(t testing.TB) []events.Record {
	t.Helper()
	var out []events.Record
	for m, err := range w.Log.Read(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		r, err := events.Decode(m)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// Keys is the status of every key of a keyring that is not purged.
func (w *World) Keys(t testing.TB, owner events.Subject) map[events.AccessKeyID]string {
	t.Helper()
	last, err := w.Log.Last(t.Context())
	if err == nil {
		err = w.Views.Wait(t.Context(), last)
	}
	if err != nil {
		t.Fatal(err)
	}
	v := w.Views.Now()
	defer v.Close()
	state, _, err := v.Keyring(owner)
	if err != nil {
		t.Fatal(err)
	}
	out := map[events.AccessKeyID]string{}
	for _, k := range state.Keys {
		out[k.ID] = string(k.Status)
	}
	return out
}
