package durable

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// lockFile holds the process ID of its holder, for the one who is refused.
const lockFile = "lock"

// A LockedError says that another process holds a directory.
type LockedError struct {
	Dir    string
	Holder string // "the process with ID 4711", or "another process"
}

func (e *LockedError) Error() string { return fmt.Sprintf("%s uses %s already", e.Holder, e.Dir) }

// A Lock keeps every other process that asks for it out of a directory. The
// operating system lets go of it when the process ends, however it ends.
type Lock struct{ file *os.File }

// LockDir makes dir if it is missing and locks it. It returns a *LockedError
// at once if another process, or another Lock of this one, holds it.
func LockDir(dir string) (*Lock, error) {
	if err := MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("durable: lock %s: %w", dir, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, &LockedError{Dir: dir, Holder: holder(f)}
		}
		return nil, fmt.Errorf("durable: lock %s: %w", path, err)
	}
	l := &Lock{file: f}
	if err := l.sign(); err != nil {
		return nil, errors.Join(fmt.Errorf("durable: lock %s: %w", path, err), l.Release())
	}
	return l, nil
}

// sign leaves the process ID. The file is never removed: a removed lock file
// can be locked by two.
func (l *Lock) sign() error {
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err := l.file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

func holder(f *os.File) string {
	text, _ := io.ReadAll(io.LimitReader(f, 32))
	if pid := strings.TrimSpace(string(text)); pid != "" {
		return "the process with ID " + pid
	}
	return "another process"
}

// Release lets go of the directory.
func (l *Lock) Release() error { return l.file.Close() }
