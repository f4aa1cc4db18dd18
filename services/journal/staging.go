package journal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/keyledger/keyledger/services/durable"
)

const (
	// stagingRoot is where Linux has a file system in memory.
	stagingRoot   = "/dev/shm"
	stagingPrefix = "keyledger-staging-"
	// stagingRoom is what has to be free there: several times the largest batch.
	stagingRoom = 32 << 20
)

// A staging is the directory in which the server gathers a batch before it
// commits it. It makes a store of its own for each batch, with five syncs, of which none
// is needed here: nobody is answered before the one of LEDGER itself, and of a batch
// that a power cut has cut short each message stands for itself. So the directory lies
// in memory, behind a symbolic link; where there is no such place, or no room, the
// server keeps to the disk.
type staging struct {
	root string // the file system in memory
	link string // where the server looks
	dir  string // empty while there is none
	lock *durable.Lock
}

func newStaging(store string) *staging {
	return &staging{root: stagingRoot, link: filepath.Join(keepOf(store).streams, streamLedger, "batches")}
}

// clear removes the link, before a server starts: behind one that came with a copy of the
// directory may be another process's batches. Directories that are nobody's any more go too.
func (s *staging) clear() error {
	if err := s.unlink(); err != nil {
		return err
	}
	left, err := filepath.Glob(filepath.Join(s.root, stagingPrefix+"*"))
	if err != nil {
		return err
	}
	for _, dir := range left {
		if !ours(dir) {
			continue
		}
		if lock, err := durable.LockDir(dir); err == nil {
			_ = os.RemoveAll(dir)
			_ = lock.Release()
		}
	}
	return nil
}

func (s *staging) unlink() error {
	info, err := os.Lstat(s.link)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || info.Mode().Type() != fs.ModeSymlink {
		return err
	}
	return os.Remove(s.link)
}

// lay puts the link in place, if it is not and can be. It must not be called while
// the server has a batch; that the server finds none of its own then is
// all the same to it.
func (s *staging) lay() error {
	if s.laid() || !inMemory(s.root, stagingRoom) {
		return nil
	}
	if err := s.unlink(); err != nil {
		return err
	}
	if err := s.make(); err != nil {
		return err
	}
	// The server has made a directory if it had batches before; it is empty then, or else it stays.
	if err := os.Remove(s.link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, s.remove())
	}
	if err := os.Symlink(s.dir, s.link); err != nil {
		return errors.Join(err, s.remove())
	}
	return nil
}

func (s *staging) laid() bool {
	target, err := os.Readlink(s.link)
	if err != nil || s.dir == "" || target != s.dir {
		return false
	}
	_, err = os.Stat(filepath.Join(s.dir, "lock")) // somebody may tidy up the directory of all
	return err == nil
}

// make makes a directory that is ours alone, as its lock says.
func (s *staging) make() (err error) {
	if err := s.remove(); err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp(s.root, stagingPrefix); err != nil {
		s.dir = ""
		return err
	}
	s.lock, err = durable.LockDir(s.dir)
	return err
}

// end removes what is in memory. No server may run.
func (s *staging) end() error { return errors.Join(s.unlink(), s.remove()) }

func (s *staging) remove() error {
	if !strings.HasPrefix(s.dir, filepath.Join(s.root, stagingPrefix)) {
		return nil
	}
	err := os.RemoveAll(s.dir)
	if s.lock != nil {
		err = errors.Join(err, s.lock.Release())
	}
	s.dir, s.lock = "", nil
	return err
}
