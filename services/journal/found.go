package journal

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/durable"
)

// foundFile holds the positions of LEDGER that a scan found damaged, a line each, so that nothing is built on them after
// a restart either. It is on disk before anybody is told of a finding; there is none while nothing is damaged.
const foundFile = "found"

func (s *scan) foundFile() string { return filepath.Join(s.j.config.Dir, foundFile) }

// remember writes down what is found damaged now.
func (s *scan) remember() {
	var text strings.Builder
	for _, f := range s.all() {
		if !f.Newer() {
			fmt.Fprintln(&text, uint64(f.Position))
		}
	}
	err := os.Remove(s.foundFile())
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	if text.Len() > 0 {
		err = durable.WriteFile(s.foundFile(), []byte(text.String()), 0o600)
	}
	if err != nil {
		s.j.log.Error("journal: what the scan found is not remembered over a restart", "error", err)
	}
}

// all is what was found, with what an operator has let pass.
func (s *scan) all() []Finding {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.both()
}

// both are the findings of this round and the last in their order, each place once.
func (s *scan) both() []Finding {
	all := slices.Concat(s.last, s.health.Found)
	slices.SortStableFunc(all, func(a, b Finding) int { return cmp.Compare(a.Position, b.Position) })
	return slices.CompactFunc(all, Finding.samePlace)
}

// recall is what was found before the journal was opened. It counts until it has been read again.
func (s *scan) recall() {
	text, err := os.ReadFile(s.foundFile())
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	for _, line := range strings.Fields(string(text)) {
		p, wrong := strconv.ParseUint(line, 10, 64)
		if err = cmp.Or(err, wrong); wrong == nil && p > 0 {
			s.last = append(s.last, Finding{events.Position(p), refused(GuardWhole, "position %d was found missing or damaged before the last start", p)})
		}
	}
	if err != nil {
		s.j.log.Error("journal: what was found damaged before the last start cannot all be read: it counts again once the scan comes to it", "file", s.foundFile(), "error", err)
	}
}

// lookAgain reads what was found before: what is well by now, because it was restored, is forgotten. What cannot be read
// now is kept.
func (s *scan) lookAgain() {
	s.mu.Lock()
	before := s.last
	s.mu.Unlock()
	var still []Finding
	for _, f := range before {
		for now, err := range newAudit(s.j, f.Position-1).through(s.j.ctx, f.Position) {
			var damage *RefusedError
			switch {
			case err == nil:
				still = append(still, now)
			case errors.As(err, &damage):
				still = append(still, Finding{f.Position, damage})
			default:
				still = append(still, f)
			}
		}
	}
	s.mu.Lock()
	s.last = still
	s.mu.Unlock()
	s.remember()
}

// telling has what a reader of LEDGER finds damaged count as found by the scan, which may come there much later.
func (j *Journal) telling(after events.Position, yield func(events.Message, error) bool) func(events.Message, error) bool {
	return func(m events.Message, err error) bool {
		var damage *RefusedError
		switch {
		case err == nil:
			after = m.Position
		case j.scan != nil && errors.As(err, &damage):
			j.scan.hear(Finding{after + 1, damage})
		}
		return yield(m, err)
	}
}

// hear takes a finding, once.
func (s *scan) hear(f Finding) {
	if !slices.ContainsFunc(s.all(), f.samePlace) {
		s.found(f)
	}
}
