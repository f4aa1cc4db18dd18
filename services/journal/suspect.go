package journal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/keyledger/keyledger/services/durable"
)

// suspectFile names the streams beside LEDGER of which something was found damaged while a server ran, a line each: the next
// start decodes their compressed blocks too. There is none while nothing is suspected.
const suspectFile = "suspect"

// suspects are these streams. A block cannot be mended under a running server, and a start that nobody has warned looks at
// the structure of compressed blocks only.
type suspects struct {
	path string

	mu    sync.Mutex
	since []string // that were found damaged since take
}

func suspectsOf(store string) *suspects { return &suspects{path: filepath.Join(store, suspectFile)} }

// names are the streams that are suspected; all that can be, if it cannot be read which.
func (s *suspects) names() []string {
	text, err := os.ReadFile(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return slices.Clone(mendable)
	}
	names := strings.Fields(string(text))
	if len(names) == 0 || !areMendable(names) {
		return slices.Clone(mendable)
	}
	return names
}

// take is the streams that a start is to read wholly.
func (s *suspects) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since = nil
	return s.names()
}

// met are the streams that were found damaged since the server began.
func (s *suspects) met() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.since)
}

// clear is for a start that has read every block of what it took. What was found meanwhile, while a server was
// restarted, stays.
func (s *suspects) clear() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.since) > 0 {
		return s.write(s.since)
	}
	if err := os.Remove(s.path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// add writes a stream down, and reports whether it was not there.
func (s *suspects) add(stream string) (added bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.since, stream) {
		s.since = append(s.since, stream)
	}
	names := s.names()
	if slices.Contains(names, stream) {
		return false, nil
	}
	return true, s.write(append(names, stream))
}

func (s *suspects) write(names []string) error {
	return durable.WriteFile(s.path, []byte(strings.Join(names, "\n")+"\n"), 0o600)
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
