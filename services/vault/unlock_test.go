package vault_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/keyledger/keyledger/services/vault"
)

// place is where an installation lies: a data directory, and an unlock key
// elsewhere.
type place struct{ data, unlock string }

func newPlace(t testing.TB) place {
	t.Helper()
	dir := t.TempDir()
	return place{data: filepath.Join(dir, "data"), unlock: filepath.Join(dir, "secret", "unlock.key")}
}

func (p place) createKey(t testing.TB) *vault.UnlockKey {
	t.Helper()
	k, err := vault.CreateUnlockKey(p.unlock, p.data, installation, day, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// refusal is the *UnlockKeyError that err must be.
func refusal(t *testing.T, err error) *vault.UnlockKeyError {
	t.Helper()
	e, ok := errors.AsType[*vault.UnlockKeyError](err)
	if !ok {
		t.Fatalf("got %v (%T), want an *UnlockKeyError", err, err)
	}
	return e
}

func TestUnlockKeyIsWhatWasCreated(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0)) // nothing but the permissions asked for protects the file
	p := newPlace(t)
	created := p.createKey(t)
	opened, err := vault.OpenUnlockKey(p.unlock, p.data)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []*vault.UnlockKey{created, opened} {
		if k.Installation() != installation || k.ID() != created.ID() || k.URI() != "keyfile:"+k.ID() || len(k.ID()) != 16 || !k.Created().Equal(day) {
			t.Errorf("got %v of %v, %v, created %v", k.URI(), k.Installation(), k, k.Created())
		}
	}
	for path, want := range map[string]fs.FileMode{p.unlock: 0o600, filepath.Dir(p.unlock): fs.ModeDir | 0o700} {
		if info, err := os.Lstat(path); err != nil || info.Mode() != want {
			t.Errorf("%s: got %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
	if other := newPlace(t).createKey(t); other.ID() == created.ID() {
		t.Error("two unlock keys have the same ID")
	}
}

func TestUnlockKeyIsNeverOverwritten(t *testing.T) {
	p := newPlace(t)
	var wg sync.WaitGroup
	var won atomic.Int32
	for range 8 {
		wg.Go(func() {
			_, err := vault.CreateUnlockKey(p.unlock, p.data, installation, day, rand.Reader)
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, fs.ErrExist) {
				t.Errorf("got %v, want fs.ErrExist", err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d created it, want one", won.Load())
	}
}

func TestUnlockKeyThatCannotBeDrawn(t *testing.T) {
	p := newPlace(t)
	broken := errors.New("broken")
	if _, err := vault.CreateUnlockKey(p.unlock, p.data, installation, day, iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	if _, err := vault.CreateUnlockKey(p.unlock, p.data, installation, day, strings.NewReader("short")); err == nil {
		t.Error("a short draw passed")
	}
	if _, err := vault.CreateUnlockKey(p.unlock, p.data, "ours", day, rand.Reader); err == nil {
		t.Error("an installation ID that is none passed")
	}
	if _, err := os.Stat(p.unlock); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file came to be: %v", err)
	}
}

func TestUnlockKeyMustLieOutsideTheData(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	for _, d := range []string{data, filepath.Join(dir, "database"), filepath.Join(data, "deep")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"way-in": filepath.Join(data, "deep"), "data-link": data} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		unlock, data string
		inside       bool
	}{
		{"data/unlock.key", "data", true},
		{"data/a/b/unlock.key", "data", true},
		{"database/../data/unlock.key", "data", true},
		{"way-in/unlock.key", "data", true},
		{"data/unlock.key", "data-link", true},
		{"data-link/missing/unlock.key", "data", true},
		{"missing/keys/unlock.key", "missing", true},
		{"unlock.key", "data", false},
		{"database/unlock.key", "data", false},
		{"data-unlock.key", "data", false},
		{"unlock.key", "missing", false},
	}
	for _, test := range tests {
		unlock := filepath.Join(dir, test.unlock)
		_, errCreate := vault.CreateUnlockKey(unlock, filepath.Join(dir, test.data), installation, day, rand.Reader)
		_, errOpen := vault.OpenUnlockKey(unlock, filepath.Join(dir, test.data))
		for _, err := range []error{errCreate, errOpen} {
			if test.inside && !strings.Contains(refusal(t, err).Reason, "inside the data directory") {
				t.Errorf("%s in %s: got %v", test.unlock, test.data, err)
			}
			if !test.inside && err != nil {
				t.Errorf("%s, data in %s: %v", test.unlock, test.data, err)
			}
		}
		_ = os.Remove(unlock)
	}
	if _, err := os.Stat(filepath.Join(data, "a")); err == nil {
		t.Error("a refused path left folders in the data directory")
	}
	t.Chdir(data)
	if _, err := vault.CreateUnlockKey("unlock.key", ".", installation, day, rand.Reader); err == nil {
		t.Error("a relative path into the data directory passed")
	}
}

// TestUnlockKeyFileThatIsRefused tells each reason for which a file is not
// taken, and that none of them shows the key.
func TestUnlockKeyFileThatIsRefused(t *testing.T) {
	tests := map[string]struct {
		spoil  func(p place) error
		reason string
	}{
		"missing":             {func(p place) error { return os.Remove(p.unlock) }, "cannot be opened"},
		"group may read":      {func(p place) error { return os.Chmod(p.unlock, 0o640) }, "chmod 600"},
		"others may read":     {func(p place) error { return os.Chmod(p.unlock, 0o604) }, "chmod 600"},
		"group may write":     {func(p place) error { return os.Chmod(p.unlock, 0o620) }, "chmod 600"},
		"link":                {linked, "symbolic link"},
		"link to nothing":     {func(p place) error { return replaced(p, func() error { return os.Symlink("nowhere", p.unlock) }) }, "symbolic link"},
		"folder":              {func(p place) error { return replaced(p, func() error { return os.Mkdir(p.unlock, 0o700) }) }, "not a regular file"},
		"pipe":                {func(p place) error { return replaced(p, func() error { return syscall.Mkfifo(p.unlock, 0o600) }) }, "not a regular file"},
		"socket":              {func(p place) error { return replaced(p, func() error { return listened(p.unlock) }) }, "cannot be opened"},
		"empty":               {func(p place) error { return os.Truncate(p.unlock, 0) }, "not a key file"},
		"cut":                 {func(p place) error { return os.Truncate(p.unlock, 100) }, "not a key file"},
		"huge":                {func(p place) error { return os.Truncate(p.unlock, 1<<20) }, "longer than"},
		"newer format":        {edited("format", 2), "newer than this build"},
		"no format":           {edited("format", 0), "not a key file"},
		"unknown field":       {edited("kms", "x"), "does not hold"},
		"short key":           {edited("key", base64.StdEncoding.EncodeToString([]byte(plain[:31]))), "31 bytes"},
		"key that is no text": {edited("key", plain), "does not hold"},
		"no installation":     {edited("installation_id", ""), "installation"},
		"key as installation": {edited("installation_id", plain), "installation"},
		"bad time":            {edited("created", plain), "does not hold"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.createKey(t)
			before, err := os.ReadFile(p.unlock)
			if err != nil {
				t.Fatal(err)
			}
			if err := test.spoil(p); err != nil {
				t.Fatal(err)
			}
			_, err = vault.OpenUnlockKey(p.unlock, p.data)
			e := refusal(t, err)
			if !strings.Contains(e.Error(), test.reason) || !strings.Contains(e.Error(), p.unlock) {
				t.Errorf("got %q, want %q and the path", e, test.reason)
			}
			if leaks(fmt.Sprintf("%v %+v %#v", err, err, err)) || showsKey(before, err.Error()) {
				t.Error("the error shows key material")
			}
		})
	}
}

func TestMissingUnlockKeyIsToldApart(t *testing.T) {
	p := newPlace(t)
	if _, err := vault.OpenUnlockKey(p.unlock, p.data); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
}

func TestUnlockKeyOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	p := newPlace(t)
	p.createKey(t)
	if err := os.Chown(p.unlock, 12345, -1); err != nil {
		t.Fatal(err)
	}
	_, err := vault.OpenUnlockKey(p.unlock, p.data)
	if !strings.Contains(refusal(t, err).Reason, "12345") {
		t.Errorf("got %v", err)
	}
}

func TestUnlockKeyPrintsItsIDOnly(t *testing.T) {
	p := newPlace(t)
	k := p.createKey(t)
	content, err := os.ReadFile(p.unlock)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "k", k)
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "k", k)
	j, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	all, want := log.String()+string(j), "[unlock key "+k.ID()+"]"
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		if got := fmt.Sprintf(format, k); got != want {
			t.Errorf("%s: got %q, want %q", format, got, want)
		}
		all += fmt.Sprintf(format, struct{ k *vault.UnlockKey }{k})
	}
	if showsKey(content, all) || strings.Count(log.String(), want) != 2 {
		t.Error("it prints more than its ID, or less")
	}
}

// showsKey says whether text has a part of the key in the file.
func showsKey(file []byte, text string) bool {
	var f struct{ Key []byte }
	if json.Unmarshal(file, &f) != nil || len(f.Key) < 32 {
		panic("the file is no key file")
	}
	for _, way := range []string{
		base64.StdEncoding.EncodeToString(f.Key)[:12], string(f.Key[:8]), fmt.Sprintf("%x", f.Key)[:16], fmt.Sprintf("%X", f.Key)[:16],
		strings.Trim(fmt.Sprint(f.Key), "[]")[:20], fmt.Sprintf("%#v", f.Key)[8:30],
	} {
		if strings.Contains(text, way) {
			return true
		}
	}
	return false
}

func replaced(p place, by func() error) error { return errors.Join(os.Remove(p.unlock), by()) }

func linked(p place) error {
	real := p.unlock + ".real"
	return errors.Join(os.Rename(p.unlock, real), os.Symlink(real, p.unlock))
}

func listened(path string) error {
	l, err := net.Listen("unix", path)
	if err == nil {
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		err = l.Close()
	}
	return err
}

// edited changes one field of the unlock key file.
func edited(field string, value any) func(p place) error {
	return func(p place) error { return editJSON(p.unlock, field, value) }
}

func editJSON(path, field string, value any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var content map[string]any
	if err := json.Unmarshal(data, &content); err != nil {
		return err
	}
	content[field] = value
	if data, err = json.Marshal(content); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}
