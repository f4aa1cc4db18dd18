package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/keyledger/keyledger/events"
)

// Scan is how the whole log is read through in the background: JetStream does
// not say when a message has become unreadable.
type Scan struct {
	// Rate is how many messages are read in a second; 2000 if zero, none if negative.
	Rate int
	// Every is the pause between two rounds; an hour if zero.
	Every time.Duration
	// Found is told about everything that is found, once a round, on the scan's own
	// goroutine. Findings stand in [Health] as well.
	Found func(Finding)
}

// A Finding is something wrong with a message of the log.
type Finding struct {
	Position events.Position
	Err      error // a *RefusedError or *events.PoisonedError
}

// Newer reports whether the message is well and only newer than this build.
func (f Finding) Newer() bool {
	var unknown *events.UnknownTypeError
	return errors.As(f.Err, &unknown)
}

func (f Finding) samePlace(other Finding) bool { return f.Position == other.Position }

func (f Finding) String() string {
	if f.Newer() {
		return "the log is newer than this build: " + f.Err.Error()
	}
	return fmt.Sprintf("damaged at position %d: %v", f.Position, f.Err)
}

// ScanHealth is how far the background scan has come.
type ScanHealth struct {
	Position events.Position // of this round
	Rounds   int             // finished since Open
	Finished time.Time       // the last of them
	Found    []Finding       // of this round and the last, at most findingsKept
	// Blocks are the files that the last round of files found damaged, and FileRounds how many were finished.
	Blocks     []BlockFinding
	FileRounds int
}

// findingsKept bounds what is remembered of a log that is badly damaged.
const findingsKept = 100

// scanFile remembers where a round was interrupted. Losing it costs time only.
const scanFile = "scan"

// slice is about how long the scan rests between two stretches. Stretches are short,
// because whoever wants an answer meanwhile waits for one to end.
const slice = 10 * time.Millisecond

func (s Scan) filled() Scan {
	if s.Rate == 0 {
		s.Rate = 2000
	}
	if s.Every == 0 {
		s.Every = time.Hour
	}
	return s
}

// A scan is the background reader.
type scan struct {
	j   *Journal
	end events.Position // of the log, as it was known last; belongs to run

	mu     sync.Mutex
	health ScanHealth
	last   []Finding // of the round before
}

func newScan(j *Journal) *scan {
	s := &scan{j: j}
	if j.config.Scan.Rate >= 0 {
		s.recall()
	}
	return s
}

// run reads round after round until the journal is closed.
func (s *scan) run() {
	if s.j.config.Scan.Rate < 0 {
		return
	}
	s.lookAgain()
	from := s.resume()
	for {
		s.round(from)
		from = 0
		if !pause(s.j.ctx, s.j.config.Scan.Every) {
			return
		}
	}
}

// round reads from a position to the end of the log, slowly.
func (s *scan) round(from events.Position) {
	// The server believes a block that is not compressed: what is damaged is not to be read through it.
	if damaged := s.j.ledgerEnd(); damaged != nil {
		s.found(Finding{Position: s.j.reached(), Err: damaged})
		s.finish()
		return
	}
	a := newAudit(s.j, from)
	per := max(1, s.j.config.Scan.Rate*int(slice/time.Millisecond)/1000)
	rest := time.Duration(per) * time.Second / time.Duration(s.j.config.Scan.Rate)
	s.end = 0
	for {
		reached, whole, err := s.stretch(a, per)
		s.reach(reached)
		switch {
		case s.j.ctx.Err() != nil:
			s.keep(a.at)
			return
		case err != nil:
			s.j.log.Debug("journal: the scan waits", "error", err)
		case whole:
			s.finish()
			return
		}
		if !pause(s.j.ctx, rest) {
			s.keep(a.at)
			return
		}
	}
}

// stretch reads the next messages. The round is whole when it has come to the
// end of the log, or to a place where it cannot go on.
func (s *scan) stretch(a *audit, most int) (reached events.Position, whole bool, err error) {
	until := a.at + events.Position(most)
	if until > s.end {
		if s.end, err = s.j.Last(s.j.ctx); err != nil {
			return a.at, false, err
		}
		until = min(until, s.end)
	}
	for f, err := range a.through(s.j.ctx, until) {
		var damage *RefusedError
		if err != nil && !errors.As(err, &damage) {
			return a.at, false, err
		}
		if err != nil {
			s.found(Finding{Position: a.at + 1, Err: err})
			return a.at, true, nil
		}
		s.found(f)
	}
	return a.at, a.at >= s.end, nil
}

// found takes a finding, once a round: a reader may have come upon it before the scan did.
func (s *scan) found(f Finding) {
	s.mu.Lock()
	known := slices.ContainsFunc(s.health.Found, f.samePlace)
	if !known && len(s.health.Found) < findingsKept {
		s.health.Found = append(s.health.Found, f)
	}
	s.mu.Unlock()
	if known {
		return
	}
	s.j.log.Error("journal: the scan found something wrong", "position", uint64(f.Position), "finding", f.String())
	s.remember()
	if tell := s.j.config.Scan.Found; tell != nil {
		tell(f)
	}
}

func (s *scan) reach(p events.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.health.Position = p
}

func (s *scan) finish() {
	s.mu.Lock()
	s.last, s.health.Found = s.health.Found, nil
	s.health.Rounds++
	s.health.Finished = time.Now()
	s.mu.Unlock()
	os.Remove(s.file())
	s.remember()
}

const damagedLog = "the log was found damaged and waits for an operator"

// trouble is why nothing may be built on the log now, empty if it may: what was
// found and no operator has let pass. Every append asks.
func (s *scan) trouble() string {
	s.mu.Lock()
	some := len(s.last)+len(s.health.Found) > 0
	block := slices.ContainsFunc(s.health.Blocks, func(f BlockFinding) bool { return f.Stream == streamLedger })
	s.mu.Unlock()
	if block {
		return damagedLog
	}
	if !some {
		return ""
	}
	found := s.state().Found
	switch {
	case len(found) == 0:
		return ""
	case slices.ContainsFunc(found, func(f Finding) bool { return !f.Newer() }):
		return damagedLog
	}
	return "the log holds events that this build does not know and waits for an operator: a newer keyledger probably wrote them"
}

// state leaves out what an operator has let pass since it was found.
func (s *scan) state() ScanHealth {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.health
	h.Blocks = slices.Clone(s.health.Blocks)
	h.Found = slices.DeleteFunc(s.both(), func(f Finding) bool { return s.j.excused(streamLedger, f.Position) })
	return h
}

func (s *scan) file() string { return filepath.Join(s.j.config.Dir, scanFile) }

// keep remembers where a round was interrupted, unless it has found something:
// the next start is to find it again at once.
func (s *scan) keep(p events.Position) {
	if len(s.state().Found) > 0 {
		os.Remove(s.file())
		return
	}
	text := strconv.FormatUint(uint64(p), 10) + "\n"
	if err := os.WriteFile(s.file(), []byte(text), 0o600); err != nil {
		s.j.log.Debug("journal: where the scan stopped is not remembered", "error", err)
	}
}

// resume is where the last round was interrupted; zero if it was not.
func (s *scan) resume() events.Position {
	text, err := os.ReadFile(s.file())
	if err != nil {
		return 0
	}
	p, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0
	}
	return events.Position(p)
}

// Check reads the whole log at full speed and returns everything that is wrong
// with it, joined; nil if it is whole. A *RefusedError or *events.PoisonedError in it
// names a damaged position; at one that is missing the reading ends, and the block's file is named. progress, if
// not nil, is called now and then with the positions read and to be read.
func (j *Journal) Check(ctx context.Context, progress func(done, total events.Position)) error {
	last, err := j.Last(ctx)
	if err != nil {
		return err
	}
	a := newAudit(j, 0)
	a.progress = func() {
		if progress != nil {
			progress(a.at, last)
		}
	}
	var all []error
	for f, err := range a.through(ctx, last) {
		if err != nil {
			return errors.Join(append(all, err, j.ledgerBlock(ctx))...)
		}
		if len(all) < findingsKept {
			all = append(all, f.Err)
		}
	}
	a.progress()
	return errors.Join(all...)
}
