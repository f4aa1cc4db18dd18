package durable

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func mustRead(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestWriteFileReplacesAndSetsPermissions(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077)) // the permissions are those asked for all the same
	path := filepath.Join(t.TempDir(), "f")
	for i, perm := range []fs.FileMode{0o600, 0o644} {
		want := fmt.Sprintf("content %d", i)
		if err := WriteFile(path, []byte(want), perm); err != nil {
			t.Fatal(err)
		}
		if got := mustRead(t, path); got != want {
			t.Errorf("content: got %q, want %q", got, want)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != perm {
			t.Errorf("permissions: got %v, want %v", info.Mode(), perm)
		}
	}
	if got := names(t, filepath.Dir(path)); !slices.Equal(got, []string{"f"}) {
		t.Errorf("left in the folder: %v", got)
	}
}

func TestCreateFileNeverOverwrites(t *testing.T) {
	for name, occupy := range map[string]func(path string) error{
		"file":          func(p string) error { return os.WriteFile(p, []byte("old"), 0o600) },
		"folder":        func(p string) error { return os.Mkdir(p, 0o700) },
		"dangling link": func(p string) error { return os.Symlink("nowhere", p) },
	} {
		for way, create := range map[string]steps{"rename": creating, "link": {sync: creating.sync, publish: linkNew, syncDir: syncDir}} {
			t.Run(name+"/"+way, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "f")
				if err := occupy(path); err != nil {
					t.Fatal(err)
				}
				before, _ := os.Lstat(path)
				if err := create.write(path, []byte("new"), 0o600); !errors.Is(err, fs.ErrExist) {
					t.Errorf("got %v, want fs.ErrExist", err)
				}
				after, err := os.Lstat(path)
				if err != nil || !os.SameFile(before, after) || after.Size() != before.Size() {
					t.Errorf("what was there was touched: %v, %v", after, err)
				}
				if got := names(t, filepath.Dir(path)); !slices.Equal(got, []string{"f"}) {
					t.Errorf("left in the folder: %v", got)
				}
			})
		}
	}
}

func TestCreateFileByManyAtOnce(t *testing.T) {
	for way, publish := range map[string]func(string, string) error{"rename": renameNew, "link": linkNew} {
		t.Run(way, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			create := steps{sync: creating.sync, publish: publish, syncDir: syncDir}
			var wg sync.WaitGroup
			var won atomic.Int32
			var winner atomic.Value
			for i := range 16 {
				wg.Go(func() {
					mine := fmt.Sprintf("written by %d", i)
					err := create.write(path, []byte(mine), 0o600)
					if err == nil {
						won.Add(1)
						winner.Store(mine)
					} else if !errors.Is(err, fs.ErrExist) {
						t.Errorf("got %v, want fs.ErrExist", err)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 {
				t.Fatalf("%d created the file, want one", won.Load())
			}
			if got := mustRead(t, path); got != winner.Load() {
				t.Errorf("content: got %q, want %q", got, winner.Load())
			}
		})
	}
}

// TestOrder holds what makes the promise true: content is synced before it has
// the name, and the folder after.
func TestOrder(t *testing.T) {
	for name, real := range map[string]steps{"replacing": replacing, "creating": creating} {
		path := filepath.Join(t.TempDir(), "f")
		var got []string
		recorded := steps{
			sync: func(f *os.File) error {
				data, err := os.ReadFile(f.Name())
				if err != nil || string(data) != "whole" {
					t.Errorf("synced with content %q: %v", data, err)
				}
				got = append(got, "sync")
				return real.sync(f)
			},
			publish: func(temporary, path string) error {
				got = append(got, "publish")
				return real.publish(temporary, path)
			},
			syncDir: func(dir string) error {
				got = append(got, "sync folder")
				return real.syncDir(dir)
			},
		}
		if err := recorded.write(path, []byte("whole"), 0o600); err != nil {
			t.Fatal(err)
		}
		if want := []string{"sync", "publish", "sync folder"}; !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func TestFaults(t *testing.T) {
	broken := errors.New("no space left")
	good := func() steps { return replacing }
	tests := map[string]struct {
		steps     func() steps
		unsettled bool
		content   string
	}{
		"sync": {steps: func() steps { s := good(); s.sync = func(*os.File) error { return broken }; return s }, content: "old"},
		"publish": {steps: func() steps { s := good(); s.publish = func(string, string) error { return broken }; return s },
			content: "old"},
		"sync folder": {steps: func() steps { s := good(); s.syncDir = func(string) error { return broken }; return s },
			content: "new", unsettled: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			if err := WriteFile(path, []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
			err := test.steps().write(path, []byte("new"), 0o600)
			if !errors.Is(err, broken) {
				t.Errorf("got %v, want %v", err, broken)
			}
			if _, unsettled := errors.AsType[*UnsettledError](err); unsettled != test.unsettled {
				t.Errorf("unsettled: got %v, want %v", unsettled, test.unsettled)
			}
			if got := mustRead(t, path); got != test.content {
				t.Errorf("content: got %q, want %q", got, test.content)
			}
			if got := names(t, filepath.Dir(path)); !slices.Equal(got, []string{"f"}) {
				t.Errorf("left in the folder: %v", got)
			}
		})
	}
}

func TestReadersNeverSeeAPart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	contents := [][]byte{bytes.Repeat([]byte("a"), 1<<16), bytes.Repeat([]byte("b"), 1<<17)}
	if err := WriteFile(path, contents[0], 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(done)
		for i := range 50 {
			if err := WriteFile(path, contents[i%2], 0o600); err != nil {
				t.Error(err)
			}
		}
	})
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		got := []byte(mustRead(t, path))
		if !bytes.Equal(got, contents[0]) && !bytes.Equal(got, contents[1]) {
			t.Errorf("read %d bytes that nobody wrote", len(got))
		}
	}
	wg.Wait()
}

func TestMissingFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "f")
	if err := WriteFile(path, nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
	if err := MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, nil, 0o600); err != nil {
		t.Error(err)
	}
}

func TestMkdirAll(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b", "c")
	for range 2 {
		if err := MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for d := dir; filepath.Base(d) != "a"; d = filepath.Dir(d) {
		info, err := os.Stat(d)
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: got %v, %v", d, info, err)
		}
	}
	file := filepath.Join(dir, "f")
	if err := WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := MkdirAll(file, 0o700); err == nil {
		t.Error("a file passed for a folder")
	}
	if err := MkdirAll(filepath.Join(file, "d"), 0o700); err == nil {
		t.Error("a folder was made inside a file")
	}
}

func TestRemoveLeftovers(t *testing.T) {
	dir := t.TempDir()
	died := steps{sync: creating.sync, syncDir: syncDir, publish: func(string, string) error { return nil }}
	for _, name := range []string{"epoch-1", "epoch-2", "other"} {
		if err := died.write(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(names(t, dir)); got != 6 {
		t.Fatalf("the death left %v", names(t, dir))
	}
	if err := RemoveLeftovers(dir, "epoch-*"); err != nil {
		t.Fatal(err)
	}
	var kept []string
	for _, n := range names(t, dir) {
		kept = append(kept, strings.TrimRight(n, "0123456789.tmp"))
	}
	if len(kept) != 4 || !strings.HasPrefix(kept[0], ".other") {
		t.Errorf("kept %v", names(t, dir))
	}
	if err := RemoveLeftovers(filepath.Join(dir, "missing"), "f"); err != nil {
		t.Errorf("a missing folder: %v", err)
	}
	if err := RemoveLeftovers(dir, "[a"); err == nil {
		t.Error("a bad pattern passed")
	}
}

func TestSettle(t *testing.T) {
	dir := t.TempDir()
	if err := Settle(filepath.Join(dir, "f")); err != nil {
		t.Error(err)
	}
	var unsettled *UnsettledError
	if err := Settle(filepath.Join(dir, "missing", "f")); !errors.As(err, &unsettled) {
		t.Errorf("got %v, want an *UnsettledError", err)
	}
}
