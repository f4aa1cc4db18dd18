package vault_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/services/vault"
)

func (p place) epoch(n int) string { return filepath.Join(p.data, "keys", fmt.Sprintf("epoch-%d", n)) }

func (p place) create(t testing.TB, k *vault.UnlockKey) *vault.Vault {
	t.Helper()
	v, err := vault.Create(p.data, k, day)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVaultOutlivesTheProcess(t *testing.T) {
	p := newPlace(t)
	v := p.create(t, p.createKey(t))
	s := seal(t, v, account, key, 1, plain)
	k, err := vault.OpenUnlockKey(p.unlock, p.data)
	if err != nil {
		t.Fatal(err)
	}
	again, err := vault.Open(p.data, k)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Open(account, key, s); err != nil || string(got.Reveal()) != plain {
		t.Errorf("after opening again the secret is another: %v", err)
	}
	if again.Installation() != installation || again.Epoch() != 1 {
		t.Errorf("got %v, epoch %d", again, again.Epoch())
	}
	for path, want := range map[string]fs.FileMode{p.epoch(1): 0o600, filepath.Dir(p.epoch(1)): fs.ModeDir | 0o700} {
		if info, err := os.Lstat(path); err != nil || info.Mode() != want {
			t.Errorf("%s: got %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
	if got := fmt.Sprintf("%v %+v %#v %s %d", v, v, v, v, v); strings.Count(got, "[vault of "+string(installation)+"]") != 5 || len(got) != 5*(len(v.String())+1)-1 {
		t.Errorf("it prints %q", got)
	}
}

func TestCreateNeverReplacesAnEpoch(t *testing.T) {
	p := newPlace(t)
	k := p.createKey(t)
	p.create(t, k)
	before, err := os.ReadFile(p.epoch(1))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := vault.Create(p.data, k, day); !errors.Is(err, fs.ErrExist) {
			t.Errorf("got %v, want fs.ErrExist", err)
		}
		if after, err := os.ReadFile(p.epoch(1)); err == nil && !bytes.Equal(before, after) {
			t.Error("the epoch key changed")
		}
		// The first epoch may have been destroyed: that makes no new installation.
		if _, err := os.Stat(p.epoch(1)); err == nil {
			if err := os.Rename(p.epoch(1), p.epoch(2)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestOpenWithoutEpochs(t *testing.T) {
	p := newPlace(t)
	k := p.createKey(t)
	for range 2 {
		if _, err := vault.Open(p.data, k); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v, want fs.ErrNotExist", err)
		}
		if err := os.MkdirAll(filepath.Dir(p.epoch(1)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWrongUnlockKey(t *testing.T) {
	p, q := newPlace(t), newPlace(t)
	right := p.createKey(t)
	p.create(t, right)
	wrong := q.createKey(t) // of the same installation
	content, err := os.ReadFile(q.unlock)
	if err != nil {
		t.Fatal(err)
	}
	_, err = vault.Open(p.data, wrong)
	e, ok := errors.AsType[*vault.WrongUnlockKeyError](err)
	if !ok {
		t.Fatalf("got %v, want a *WrongUnlockKeyError", err)
	}
	if e.Unlock != wrong.URI() || e.WantUnlock != right.URI() {
		t.Errorf("got %s, wants %s; want %s, wants %s", e.Unlock, e.WantUnlock, wrong.URI(), right.URI())
	}
	for _, part := range []string{q.unlock, p.epoch(1), wrong.ID(), right.ID()} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not name %s", err, part)
		}
	}
	if showsKey(content, fmt.Sprintf("%v %+v %#v", err, err, e)) {
		t.Error("the error shows key material")
	}
}

func TestUnlockKeyOfAnotherInstallation(t *testing.T) {
	p := newPlace(t)
	p.create(t, p.createKey(t))
	other := "00000000-0000-4000-8000-000000000000"
	if err := editJSON(p.unlock, "installation_id", other); err != nil {
		t.Fatal(err)
	}
	k, err := vault.OpenUnlockKey(p.unlock, p.data)
	if err != nil {
		t.Fatal(err)
	}
	_, err = vault.Open(p.data, k)
	e, ok := errors.AsType[*vault.WrongUnlockKeyError](err)
	if !ok || string(e.Installation) != other || e.WantInstallation != installation || !strings.Contains(err.Error(), other) {
		t.Fatalf("got %v, want a *WrongUnlockKeyError", err)
	}
	// Also if the epoch file is made to say the same: the keyset itself is bound.
	if err := editJSON(p.epoch(1), "installation_id", other); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.Open(p.data, k); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("got %v, want a damaged epoch key", err)
	}
}

func TestEpochKeyFileThatIsRefused(t *testing.T) {
	tests := map[string]struct {
		spoil  func(p place) error
		reason string
	}{
		"others may read":   {func(p place) error { return os.Chmod(p.epoch(1), 0o644) }, "chmod 600"},
		"link":              {func(p place) error { return os.Symlink(p.epoch(1), p.epoch(2)) }, "symbolic link"},
		"copy by its name":  {func(p place) error { return os.Link(p.epoch(1), p.epoch(1)+"~") }, "move it away"},
		"number not plain":  {func(p place) error { return os.Rename(p.epoch(1), filepath.Join(p.data, "keys", "epoch-01")) }, "move it away"},
		"epoch 0":           {func(p place) error { return os.Rename(p.epoch(1), p.epoch(0)) }, "move it away"},
		"another's name":    {func(p place) error { return os.Rename(p.epoch(1), p.epoch(2)) }, "that of epoch 1"},
		"another's content": {func(p place) error { return renumbered(p, 2) }, "damaged"},
		"empty":             {func(p place) error { return os.Truncate(p.epoch(1), 0) }, "not a key file"},
		"newer format":      {func(p place) error { return editJSON(p.epoch(1), "format", 2) }, "newer than this build"},
		"unknown field":     {func(p place) error { return editJSON(p.epoch(1), "salt", "x") }, "does not hold"},
		"no keyset":         {func(p place) error { return editJSON(p.epoch(1), "keyset", "") }, "damaged"},
		"flipped bit":       {flipped, "damaged"},
		"folder":            {func(p place) error { return os.Mkdir(p.epoch(2), 0o700) }, "not a regular file"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			k := p.createKey(t)
			p.create(t, k)
			if err := test.spoil(p); err != nil {
				t.Fatal(err)
			}
			_, err := vault.Open(p.data, k)
			e, ok := errors.AsType[*vault.EpochKeyError](err)
			if !ok || !strings.Contains(e.Error(), test.reason) || !strings.Contains(e.Error(), "epoch-") {
				t.Errorf("got %v, want an *EpochKeyError with %q", err, test.reason)
			}
		})
	}
}

// renumbered gives the key of epoch 1 out as that of another.
func renumbered(p place, epoch int) error {
	return errors.Join(os.Rename(p.epoch(1), p.epoch(epoch)), editJSON(p.epoch(epoch), "epoch", epoch))
}

// flipped changes one bit in the middle of the keyset.
func flipped(p place) error {
	data, err := os.ReadFile(p.epoch(1))
	if err != nil {
		return err
	}
	var f struct{ Keyset []byte }
	if err := json.Unmarshal(data, &f); err != nil {
		return err
	}
	f.Keyset[40] ^= 1
	return editJSON(p.epoch(1), "keyset", f.Keyset)
}

func TestOpenCleansUp(t *testing.T) {
	p := newPlace(t)
	k := p.createKey(t)
	p.create(t, k)
	stray := filepath.Join(p.data, "keys", ".epoch-2.123.tmp")
	if err := os.WriteFile(stray, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.data, "keys", "README"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.Open(p.data, k); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stray); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the leftover is still there: %v", err)
	}
}
