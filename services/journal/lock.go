package journal

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

// A lock keeps every other process out of a store directory: JetStream itself
// does not, and two servers on one directory lose what each has acknowledged. The
// operating system lets go of it when the process ends, however it ends.
type lock struct{ file *os.File }

// lockDir makes dir if it is missing and locks it, or returns a *RefusedError
// that says who holds it.
func lockDir(dir string) (*lock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("journal: make the store directory: %w", err)
	}
	path := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("journal: lock the store directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, refused(GuardLock, "%s uses %s already: two of them would lose what each has acknowledged", holder(f), dir)
		}
		return nil, fmt.Errorf("journal: lock %s: %w", path, err)
	}
	l := &lock{file: f}
	if err := l.sign(); err != nil {
		return nil, errors.Join(fmt.Errorf("journal: lock %s: %w", path, err), l.release())
	}
	return l, nil
}

// sign leaves the process ID. The file is never removed: a removed lock file
// can be locked by two.
func (l *lock) sign() error {
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

func (l *lock) release() error { return l.file.Close() }
