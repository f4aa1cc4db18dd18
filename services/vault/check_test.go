package vault_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/vault"
)

func stream(all []vault.Stored, end error) iter.Seq2[vault.Stored, error] {
	return func(yield func(vault.Stored, error) bool) {
		for _, s := range all {
			if !yield(s, nil) {
				return
			}
		}
		if end != nil {
			yield(vault.Stored{}, end)
		}
	}
}

func numbered(t testing.TB, v *vault.Vault, n int) []vault.Stored {
	var out []vault.Stored
	for i := range n {
		k := events.AccessKeyID(fmt.Sprintf("KLAK%016d", i))
		out = append(out, vault.Stored{Account: account, Key: k, Sealed: seal(t, v, account, k, 1, plain)})
	}
	return out
}

func TestCheck(t *testing.T) {
	v := newVault(t, installation)
	good := numbered(t, v, 6)
	r, err := v.Check(t.Context(), stream(good, nil))
	if err != nil || r.Keys != 6 || r.Failed != 0 || r.Failures != nil {
		t.Fatalf("all are good: got %+v, %v", r, err)
	}
	bad := slices.Clone(good)
	bad[0].Sealed = events.Sealed{}
	bad[1].Sealed = good[2].Sealed
	bad[3].Sealed.Epoch = 9
	bad = slices.Insert(bad, 5, good[4])
	r, err = v.Check(t.Context(), stream(bad, nil))
	if err != nil || r.Keys != 6 || r.Failed != 4 || len(r.Failures) != 4 {
		t.Fatalf("got %+v, %v", r, err)
	}
	if f := r.Failures[0]; f.Key != good[0].Key || !errors.Is(f.Err, vault.ErrNoSecret) {
		t.Errorf("got %+v, want ErrNoSecret", f)
	}
	if f := r.Failures[1]; f.Key != good[1].Key || f.Account != account || !errors.Is(f.Err, vault.ErrSealed) {
		t.Errorf("got %+v, want ErrSealed", f)
	}
	if _, ok := errors.AsType[*vault.UnknownEpochError](r.Failures[2].Err); !ok || r.Failures[2].Key != good[3].Key {
		t.Errorf("got %+v, want an *UnknownEpochError", r.Failures[2])
	}
	if f := r.Failures[3]; f.Key != good[4].Key || !errors.Is(f.Err, vault.ErrTwoSecrets) {
		t.Errorf("got %+v, want ErrTwoSecrets", f)
	}
}

func TestCheckBoundsWhatItLists(t *testing.T) {
	v, w := newVault(t, installation), newVault(t, installation)
	r, err := v.Check(t.Context(), stream(numbered(t, w, 150), nil))
	if err != nil || r.Keys != 150 || r.Failed != 150 || len(r.Failures) != 100 {
		t.Errorf("got %d keys, %d failed, %d listed, %v", r.Keys, r.Failed, len(r.Failures), err)
	}
}

func TestCheckThatIsNotFinished(t *testing.T) {
	v := newVault(t, installation)
	all := numbered(t, v, 3)
	broken := errors.New("broken")
	if r, err := v.Check(t.Context(), stream(all, broken)); !errors.Is(err, broken) || r.Keys != 3 {
		t.Errorf("a broken iterator: got %+v, %v", r, err)
	}
	slices.Reverse(all)
	if _, err := v.Check(t.Context(), stream(all, nil)); err == nil {
		t.Error("a descending order passed")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := v.Check(ctx, stream(all, nil)); !errors.Is(err, context.Canceled) || r.Keys != 0 {
		t.Errorf("cancelled: got %+v, %v", r, err)
	}
	if r, err := v.Check(t.Context(), stream([]vault.Stored{{}}, nil)); err != nil || r.Failed != 1 || !errors.Is(r.Failures[0].Err, vault.ErrNoSecret) {
		t.Errorf("a key without anything: got %+v, %v", r, err)
	}
}

// BenchmarkCheck shows what a start pays for each key.
func BenchmarkCheck(b *testing.B) {
	v := newVault(b, installation)
	all := numbered(b, v, 1000)
	for b.Loop() {
		if r, err := v.Check(b.Context(), stream(all, nil)); err != nil || r.Failed != 0 {
			b.Fatal(r, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/key")
}
