package ledger_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/logtest"
	"github.com/keyledger/keyledger/services/ledger"
	"github.com/keyledger/keyledger/services/ledger/ledgertest"
)

// A hundred creates at once on one keyring make exactly as many keys as the
// quota allows; every other is refused by it.
func TestQuotaUnderARace(t *testing.T) {
	w, _ := newWorld(t)
	owner := w.User(t, w.Open(t, "strict").Account, "alice")
	var made, refused int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			_, err := w.CreateKey(t.Context(), ledgertest.Request(fmt.Sprintf("r%d", i)), owner, "")
			mu.Lock()
			defer mu.Unlock()
			var refusal *aggregate.Refusal
			switch {
			case err == nil:
				made++
			case errors.As(err, &refusal) && refusal.Kind == aggregate.Limit:
				refused++
			default:
				t.Errorf("got %v, want a key or the quota", err)
			}
		})
	}
	wg.Wait()
	if made != 2 || refused != 98 {
		t.Errorf("%d keys were made and %d refused, want 2 and 98", made, refused)
	}
}

// The same request from fifty senders at once is recorded once.
func TestOneRequestFromMany(t *testing.T) {
	w, _ := newWorld(t)
	owner := w.User(t, w.Open(t, "strict").Account, "alice")
	keys, secrets := map[events.AccessKeyID]int{}, 0
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			k, err := w.CreateKey(t.Context(), ledgertest.Request("one"), owner, "")
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			keys[k.Key]++
			if k.Secret != nil {
				secrets++
			}
		})
	}
	wg.Wait()
	if len(keys) != 1 || secrets != 1 {
		t.Errorf("one request made %d keys and gave out %d secrets, want 1 and 1", len(keys), secrets)
	}
}

// The same opening from many senders at once, each with IDs of its own, opens
// one account.
func TestOneOpeningFromMany(t *testing.T) {
	w, _ := newWorld(t)
	operator := w.Open(t, "strict").Account
	accounts := map[events.AccountID]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			o, err := w.DrawOpening()
			if err != nil {
				t.Error(err)
				return
			}
			req := ledgertest.Request("one")
			req.Scope = operator
			opened, err := w.OpenAccount(t.Context(), req, ledger.NewAccount{Name: "acme", Preset: "aws"}, o)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			accounts[opened.Account]++
		})
	}
	wg.Wait()
	if len(accounts) != 1 {
		t.Errorf("one request opened %d accounts", len(accounts))
	}
}

// Commands about one account from many at once all come through: they take
// turns.
func TestManyAtOneAccount(t *testing.T) {
	w, log := newWorld(t)
	a := w.Open(t, "strict").Account
	before, err := log.Last(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const n = 300
	var wg sync.WaitGroup
	var tries atomic.Int64
	log.Fail(func(events.Decision) logtest.Fault { tries.Add(1); return logtest.None })
	for i := range n {
		wg.Go(func() {
			if _, err := w.AddUser(t.Context(), ledgertest.Request(""), a, fmt.Sprintf("u%d", i), "", ""); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if last, err := log.Last(t.Context()); err != nil || last != before+n {
		t.Errorf("the log is at %d, %v, want %d", last, err, before+n)
	}
	if got := tries.Load(); got != n {
		t.Errorf("%d appends for %d commands: some decided in vain", got, n)
	}
}

// A policy change binds every decision that begins after it returned.
func TestPolicyBindsAtOnce(t *testing.T) {
	w, _ := newWorld(t)
	a := w.Open(t, "strict").Account
	owner := w.User(t, a, "alice")
	for i := range 20 {
		max := 1 + i%2
		_, err := w.SetPolicy(t.Context(), ledgertest.Request(""), a, "strict", fmt.Appendf(nil, `{"quota":{"max":%d},"delete":{"requires_disabled":false},"recycle":{"retention_seconds":0}}`, max))
		if err != nil {
			t.Fatal(err)
		}
		var made []ledger.CreatedKey
		for {
			k, err := w.CreateKey(t.Context(), ledgertest.Request(""), owner, "")
			if err != nil {
				wantRule(t, err, "key.quota")
				break
			}
			made = append(made, k)
		}
		if len(made) != max {
			t.Fatalf("round %d: %d keys were made under a quota of %d", i, len(made), max)
		}
		for _, k := range made {
			if _, err := w.DeleteKey(t.Context(), ledgertest.Request(""), k.Key); err != nil {
				t.Fatal(err)
			}
		}
	}
}
