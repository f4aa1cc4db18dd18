package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// A ballast is a file that takes up room, so that there is some to give back
// when the disk is full. It holds nothing and is never read.
type ballast struct {
	path string
	size uint64
}

func ballastIn(dir string, size uint64) ballast { return ballast{filepath.Join(dir, "ballast"), size} }

func (b ballast) held() bool {
	s, err := os.Stat(b.path)
	return err == nil && uint64(s.Size()) == b.size
}

func (b ballast) release() { os.Remove(b.path) }

// take makes the file, with every block of it allocated.
func (b ballast) take() error {
	f, err := os.OpenFile(b.path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(allocate(f, int64(b.size)), f.Close()); err != nil {
		b.release()
		return fmt.Errorf("allocate %d bytes: %w", b.size, err)
	}
	return nil
}

// freeAt is how many bytes an ordinary user may still write at a path.
func freeAt(path string) (uint64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return 0, err
	}
	return uint64(s.Bavail) * uint64(s.Bsize), nil
}
