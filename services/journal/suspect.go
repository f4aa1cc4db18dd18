package journal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// suspectFile names the streams beside LEDGER of which something was found damaged while a server ran, a line each: the next
// start decodes their compressed blocks too. There is none while nothing is suspected.
const suspectFile = "suspect"

// suspects are these streams. A block cannot be mended under a running server, and a start that nobody has warned looks at
// the structure of compressed blocks only.
type suspects struct {
	mu   sync.Mutex
	path string
}

func suspectsOf(store string) *suspects { return &suspects{path: filepath.Join(store, suspectFile)} }

// names are the streams that are suspected; all that can be, if it cannot be read which.
func (s *suspects) names() []string {
	text, err := os.ReadFile(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return mendable
	}
	return slices.DeleteFunc(strings.Fields(string(text)), func(name string) bool { return !areMendable([]string{name}) })
}

// add writes a stream down, and reports whether it was not there.
func (s *suspects) add(stream string) (added bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := s.names()
	if slices.Contains(names, stream) {
		return false, nil
	}
	return true, writeSynced(s.path, []byte(strings.Join(append(slices.Clone(names), stream), "\n")+"\n"))
}

// clear is for a start that has held every block of every suspected stream to its checksums.
func (s *suspects) clear() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := os.Remove(s.path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// suspect has the next start read the whole of a stream and set aside what is damaged of it.
func (j *Journal) suspect(stream string) {
	if !areMendable([]string{stream}) {
		return
	}
	switch added, err := j.suspects.add(stream); {
	case err != nil:
		j.log.Error("journal: the next start will not know that a stream is to be read whole", "stream", stream, "error", err)
	case added:
		j.log.Error("journal: a stream is damaged: restart the server, and the start reads every block of it and sets aside what is damaged", "stream", stream)
	}
}
