package vault_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/vault"
)

const (
	installation = vault.InstallationID("3f0c9a52-6f5e-4b52-9a39-1d3f6f0f4a77")
	account      = events.AccountID("104857600123")
	otherAccount = events.AccountID("104857600124")
	key          = events.AccessKeyID("KLAK0123456789ABCDEF")
	otherKey     = events.AccessKeyID("KLAK0123456789ABCDEG")
)

var day = time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)

// newVault is a vault of an installation in folders of its own.
func newVault(t testing.TB, id vault.InstallationID) *vault.Vault {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	unlock, err := vault.CreateUnlockKey(filepath.Join(t.TempDir(), "unlock.key"), data, id, day, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	v, err := vault.Create(data, unlock, day)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func seal(t testing.TB, v *vault.Vault, a events.AccountID, k events.AccessKeyID, version int, secret string) events.Sealed {
	t.Helper()
	s, err := v.Seal(a, k, version, vault.NewSecret([]byte(secret)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealOpen(t *testing.T) {
	v := newVault(t, installation)
	for _, secret := range []string{"x", plain, strings.Repeat("\x00\xff", 512)} {
		s := seal(t, v, account, key, 1, secret)
		got, err := v.Open(account, key, s)
		if err != nil {
			t.Fatal(err)
		}
		if string(got.Reveal()) != secret {
			t.Errorf("a secret of %d bytes opened as something else", len(secret))
		}
		if s.Layout != 1 || s.Version != 1 || s.Epoch != v.Epoch() {
			t.Errorf("sealed as layout %d, version %d, epoch %d", s.Layout, s.Version, s.Epoch)
		}
		if len(s.Ciphertext) != 12+len(secret)+16 || len(s.WrappedKey) != 5+24+32+16 {
			t.Errorf("lengths: ciphertext %d, wrapped key %d", len(s.Ciphertext), len(s.WrappedKey))
		}
		if len(secret) > 1 && bytes.Contains(append(s.Ciphertext, s.WrappedKey...), []byte(secret)) {
			t.Error("the secret lies in what was sealed")
		}
	}
}

func TestSealDoesNotTouchTheSecret(t *testing.T) {
	v := newVault(t, installation)
	secret := vault.NewSecret([]byte(plain))
	a, err1 := v.Seal(account, key, 1, secret)
	b, err2 := v.Seal(account, key, 1, secret)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if string(secret.Reveal()) != plain {
		t.Error("sealing changed the secret")
	}
	if bytes.Equal(a.Ciphertext, b.Ciphertext) || bytes.Equal(a.WrappedKey, b.WrappedKey) {
		t.Error("the same secret sealed twice looks the same")
	}
}

// TestSwap takes every set of parts of two sealed secrets, and every place they
// could be moved to: only what is whole and in its place opens.
func TestSwap(t *testing.T) {
	v := newVault(t, installation)
	type place struct {
		account events.AccountID
		key     events.AccessKeyID
	}
	type stored struct {
		place
		sealed events.Sealed
		secret string
	}
	var all []stored
	for i, p := range []place{{account, key}, {account, otherKey}, {otherAccount, key}} {
		for _, version := range []int{1, 2} {
			secret := fmt.Sprintf("secret %d %d", i, version)
			all = append(all, stored{p, seal(t, v, p.account, p.key, version, secret), secret})
		}
	}
	fields := reflect.TypeFor[events.Sealed]().NumField()
	opened := 0
	for _, a := range all {
		for _, b := range all {
			for parts := range 1 << fields { // bit i: field i comes from b
				mixed := a.sealed
				for i := range fields {
					if parts>>i&1 == 1 {
						reflect.ValueOf(&mixed).Elem().Field(i).Set(reflect.ValueOf(b.sealed).Field(i))
					}
				}
				for _, at := range all {
					got, err := v.Open(at.account, at.key, mixed)
					whole := at.place == a.place && reflect.DeepEqual(mixed, a.sealed) || at.place == b.place && reflect.DeepEqual(mixed, b.sealed)
					if whole != (err == nil) {
						t.Fatalf("fields %05b of %v/%d in %v/%d at %v: whole %v, got %v", parts, b.place, b.sealed.Version, a.place, a.sealed.Version, at.place, whole, err)
					}
					if err == nil {
						opened++
						continue
					}
					if !errors.Is(err, vault.ErrSealed) || !got.IsZero() {
						t.Fatalf("got %v, want ErrSealed and no secret", err)
					}
				}
			}
		}
	}
	if opened == 0 {
		t.Error("nothing opened at all")
	}
}

func TestMovedBetweenInstallations(t *testing.T) {
	v, w := newVault(t, installation), newVault(t, "00000000-0000-4000-8000-000000000000")
	if _, err := w.Open(account, key, seal(t, v, account, key, 1, plain)); !errors.Is(err, vault.ErrSealed) {
		t.Errorf("got %v, want ErrSealed", err)
	}
}

func TestEveryBitCounts(t *testing.T) {
	v := newVault(t, installation)
	s := seal(t, v, account, key, 1, plain)
	for _, part := range [][]byte{s.Ciphertext, s.WrappedKey} {
		for i := range part {
			for bit := range 8 {
				part[i] ^= 1 << bit
				if _, err := v.Open(account, key, s); !errors.Is(err, vault.ErrSealed) {
					t.Fatalf("bit %d of byte %d flipped: got %v", bit, i, err)
				}
				part[i] ^= 1 << bit
			}
		}
	}
	if _, err := v.Open(account, key, s); err != nil {
		t.Fatal(err)
	}
}

func TestWhatDoesNotOpen(t *testing.T) {
	v := newVault(t, installation)
	good := seal(t, v, account, key, 1, plain)
	tests := map[string]func(s *events.Sealed){
		"nothing":         func(s *events.Sealed) { *s = events.Sealed{} },
		"another layout":  func(s *events.Sealed) { s.Layout = 2 },
		"no ciphertext":   func(s *events.Sealed) { s.Ciphertext = nil },
		"no wrapped key":  func(s *events.Sealed) { s.WrappedKey = nil },
		"a cut end":       func(s *events.Sealed) { s.Ciphertext = s.Ciphertext[:len(s.Ciphertext)-1] },
		"a longer end":    func(s *events.Sealed) { s.WrappedKey = append(bytes.Clone(s.WrappedKey), 0) },
		"another version": func(s *events.Sealed) { s.Version = 2 },
	}
	for name, change := range tests {
		s := good
		change(&s)
		if got, err := v.Open(account, key, s); !errors.Is(err, vault.ErrSealed) || !got.IsZero() {
			t.Errorf("%s: got %v, want ErrSealed", name, err)
		}
	}
	s := good
	s.Epoch = 7
	_, err := v.Open(account, key, s)
	if unknown, ok := errors.AsType[*vault.UnknownEpochError](err); !ok || unknown.Epoch != 7 || unknown.Key != key {
		t.Errorf("another epoch: got %v, want an *UnknownEpochError", err)
	}
	if _, err := v.Open("", "", good); !errors.Is(err, vault.ErrSealed) {
		t.Errorf("no key: got %v, want ErrSealed", err)
	}
}

func TestWhatIsNotSealed(t *testing.T) {
	v := newVault(t, installation)
	tests := map[string]struct {
		account events.AccountID
		key     events.AccessKeyID
		version int
		secret  vault.Secret
	}{
		"account":       {"1|2", key, 1, vault.NewSecret([]byte(plain))},
		"key":           {account, "a|b", 1, vault.NewSecret([]byte(plain))},
		"version":       {account, key, 0, vault.NewSecret([]byte(plain))},
		"no secret":     {account, key, 1, vault.Secret{}},
		"a long secret": {account, key, 1, vault.NewSecret(make([]byte, 1025))},
	}
	for name, test := range tests {
		s, err := v.Seal(test.account, test.key, test.version, test.secret)
		if err == nil || s.Layout != 0 {
			t.Errorf("%s: sealed, error %v", name, err)
		}
		if err != nil && leaks(err.Error()) {
			t.Errorf("%s: the error leaks", name)
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	v := newVault(t, installation)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 100 {
				secret := fmt.Sprintf("secret %d %d", i, j)
				s, err := v.Seal(account, key, 1, vault.NewSecret([]byte(secret)))
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := v.Open(account, key, s); err != nil || string(got.Reveal()) != secret {
					t.Errorf("opened as something else: %v", err)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkSeal(b *testing.B) {
	v, secret := newVault(b, installation), vault.NewSecret([]byte(plain))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Seal(account, key, 1, secret); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	v := newVault(b, installation)
	s := seal(b, v, account, key, 1, plain)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Open(account, key, s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenParallel(b *testing.B) {
	v := newVault(b, installation)
	s := seal(b, v, account, key, 1, plain)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := v.Open(account, key, s); err != nil {
				b.Fatal(err)
			}
		}
	})
}
