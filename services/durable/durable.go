// Package durable writes files that are whole or not there, whatever stops the
// machine.
//
// The way in: [WriteFile] replaces a file, [CreateFile] makes one that must not
// exist yet, [MkdirAll] makes the folders they lie in; [RemoveLeftovers] and
// [Settle] clean up after a process that died in the middle. [LockDir] keeps
// other processes out of a folder.
//
// The promise: when one of them returns nil, its result survives a power cut.
// When the process or the machine stops before that, the name shows what it
// showed before or the new content, never a part of it. A reader never sees a
// part either.
//
// The limits: whole files that fit in memory, on a file system that keeps its
// word about fsync. A file's permissions are set as asked, whatever the
// process's umask. Errors name paths and never content.
package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// An UnsettledError says that a file or folder has its new content and name, but
// that the folder around it could not be synced: a power cut may still undo it.
type UnsettledError struct {
	Path string // what was written
	Err  error
}

func (e *UnsettledError) Error() string {
	return fmt.Sprintf("durable: %s was written, but may not survive a power cut: %v", e.Path, e.Err)
}

func (e *UnsettledError) Unwrap() error { return e.Err }

// steps are what can go wrong on the way to a durable file; tests put faults
// in their place.
type steps struct {
	sync    func(*os.File) error
	publish func(temporary, path string) error
	syncDir func(dir string) error
}

var replacing = steps{sync: (*os.File).Sync, publish: os.Rename, syncDir: syncDir}

var creating = steps{sync: (*os.File).Sync, publish: renameNew, syncDir: syncDir}

// WriteFile gives path the content data and the permissions perm, replacing
// what was there. The folder must exist. After an error the old content stands,
// unless the error is an *UnsettledError.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	return replacing.write(path, data, perm)
}

// CreateFile is WriteFile for a path that must not exist: if it does, be it as
// a link that leads nowhere, it stays as it is and the error is fs.ErrExist. Of several
// that create the same path at once, one succeeds.
func CreateFile(path string, data []byte, perm fs.FileMode) error {
	return creating.write(path, data, perm)
}

func (s steps) write(path string, data []byte, perm fs.FileMode) error {
	temporary, err := s.writeTemporary(path, data, perm)
	if err != nil {
		return fmt.Errorf("durable: write %s: %w", path, err)
	}
	if err := s.publish(temporary, path); err != nil {
		_ = os.Remove(temporary)
		return fmt.Errorf("durable: write %s: %w", path, err)
	}
	if err := s.syncDir(filepath.Dir(path)); err != nil {
		return &UnsettledError{Path: path, Err: err}
	}
	return nil
}

// writeTemporary leaves data, synced, in a file beside path and says its name.
// The file is private until it has all of its content.
func (s steps) writeTemporary(path string, data []byte, perm fs.FileMode) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), temporaryName(filepath.Base(path)))
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(perm)
	}
	if err == nil {
		err = s.sync(f)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// temporaryName is the pattern of the temporaries of a file: hidden, so that
// no listing of the folder takes one for the file.
func temporaryName(name string) string { return "." + name + ".*.tmp" }

// RemoveLeftovers removes from dir the temporaries of files called name, which
// may be a pattern as path.Match reads it. Nothing else may be writing those
// files: call it at start, behind the lock. A folder that is not there has none.
func RemoveLeftovers(dir, name string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("durable: look for leftovers: %w", err)
	}
	removed := false
	for _, e := range entries {
		leftover, err := path.Match(temporaryName(name), e.Name())
		if err != nil {
			return fmt.Errorf("durable: look for leftovers of %q: %w", name, err)
		}
		if !leftover || !e.Type().IsRegular() {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("durable: remove a leftover: %w", err)
		}
		removed = true
	}
	if !removed {
		return nil
	}
	return syncDir(dir)
}

// MkdirAll makes dir and the folders above it that are missing, all with the
// permissions perm, which the process's umask narrows. Folders that exist stay
// as they are.
func MkdirAll(dir string, perm fs.FileMode) error {
	dir = filepath.Clean(dir)
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return mkdir(dir, perm)
	}
	if err != nil {
		return fmt.Errorf("durable: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("durable: %s is not a folder", dir)
	}
	return Settle(dir)
}

func mkdir(dir string, perm fs.FileMode) error {
	if err := MkdirAll(filepath.Dir(dir), perm); err != nil {
		return err
	}
	if err := os.Mkdir(dir, perm); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("durable: %w", err)
	}
	return Settle(dir)
}

// Settle makes the name path durable: an earlier process may have died after
// giving it and before syncing the folder. Whoever builds on a file that it finds and
// did not write settles it first. A folder that this process may not read was
// not written by it, and is left alone.
func Settle(path string) error {
	err := syncDir(filepath.Dir(path))
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return &UnsettledError{Path: path, Err: err}
	}
	return nil
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
