package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// keptDir holds a second name for every file of every stream while a server
// starts.
const keptDir = "kept"

// A keep guards the files of the streams while a server recovers them. A server
// that cannot recover a stream, be it for one flipped bit in a compressed block or
// for a disk that is full, removes the stream's directory with everything in it.
// Hard links cost nothing, and what is removed under one name is there under the other.
type keep struct {
	streams string // where the server has them
	kept    string
	aside   aside
}

func keepOf(dir string) keep {
	return keep{streams: filepath.Join(dir, "jetstream", "$G", "streams"), kept: filepath.Join(dir, keptDir), aside: asideOf(dir)}
}

// msgs is where the blocks of a stream are.
func (k keep) msgs(stream string) string { return filepath.Join(k.streams, stream, "msgs") }

// begin links everything. What an interrupted start has left is put back before.
func (k keep) begin() error {
	if _, err := k.putBack(); err != nil {
		return err
	}
	for _, name := range dirsIn(k.streams) {
		if err := linkTree(filepath.Join(k.streams, name), filepath.Join(k.kept, name)); err != nil {
			return fmt.Errorf("journal: keep the files of stream %s while the log starts: %w", name, err)
		}
	}
	return nil
}

// putBack renames what is lost to where it was, forgets the other second names
// and returns what it put back. No server may run that has lost something.
func (k keep) putBack() (lost []string, err error) {
	for _, name := range k.lost() {
		if err := k.rename(name); err != nil {
			return lost, fmt.Errorf("journal: put stream %s back: %w", name, err)
		}
		lost = append(lost, name)
	}
	return lost, os.RemoveAll(k.kept)
}

// rename tries more than once: a server that has removed its last stream
// removes the empty directory over it a little later.
func (k keep) rename(name string) (err error) {
	for range 3 {
		if err = os.MkdirAll(k.streams, 0o700); err != nil {
			return err
		}
		if err = os.Rename(filepath.Join(k.kept, name), filepath.Join(k.streams, name)); err == nil {
			return nil
		}
	}
	return err
}

// lost are the streams that are kept but are not where the server had them.
func (k keep) lost() []string {
	var lost []string
	for _, name := range dirsIn(k.kept) {
		if _, err := os.Stat(filepath.Join(k.streams, name, "meta.inf")); errors.Is(err, fs.ErrNotExist) {
			lost = append(lost, name)
		}
	}
	return lost
}

// lostStreams says that streams were put back.
func lostStreams(names []string) error {
	err := refused(GuardContent, "the server could not recover stream %s and was about to remove it; its files are back in place, and the server's own words are in the log", strings.Join(names, ", "))
	return &damageError{streams: names, err: err}
}

func dirsIn(path string) []string {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

// linkTree gives every file of a tree a second name under another root, with
// meta.inf last: where that is the copy is whole.
func linkTree(from, to string) error {
	var last [][2]string
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch target := filepath.Join(to, rel); {
		case d.IsDir():
			return os.MkdirAll(target, 0o700)
		case d.Name() == "meta.inf":
			last = append(last, [2]string{path, target})
			return nil
		default:
			return os.Link(path, target)
		}
	})
	for _, l := range last {
		err = errors.Join(err, os.Link(l[0], l[1]))
	}
	return err
}
