package journal

import (
	"fmt"
	"sync"
	"time"

	"github.com/keyledger/keyledger/events"
)

// Space is when writes are turned off and on again, in bytes that are free on
// the disk of the store directory. JetStream does not say when a disk is full: it
// falls silent and stays so. So writes end before.
type Space struct {
	Off  uint64 // below this only decisions with Reserve are written; 256 MiB if zero
	On   uint64 // from this on everything is written again; Off and half of it if zero
	Hard uint64 // below this nothing is written; 16 MiB if zero
	// Ballast is the size of a file that holds space for the reserve. It is removed
	// when others have filled the disk, and made again when there is room. 32 MiB if zero.
	Ballast uint64
	// Every is how often the disk is looked at; 200 ms if zero.
	Every time.Duration
	// Statfs tells how many bytes are free for us at a path; the system's if nil.
	Statfs func(path string) (free uint64, err error)
}

func (s Space) filled() Space {
	s.Off = or(s.Off, 256<<20)
	s.On = or(s.On, s.Off+s.Off/2)
	s.Hard = or(s.Hard, 16<<20)
	s.Ballast = or(s.Ballast, 32<<20)
	if s.Every == 0 {
		s.Every = 200 * time.Millisecond
	}
	if s.Statfs == nil {
		s.Statfs = freeAt
	}
	return s
}

func or(v, otherwise uint64) uint64 {
	if v == 0 {
		return otherwise
	}
	return v
}

// A level is how much may be written.
type level int

const (
	everything level = iota
	reserved         // only decisions with Reserve
	nothing
)

// next is the level at so many free bytes. The way back needs more room than the
// way down, so that it does not flutter; and the ballast has to fit in again.
func (s Space) next(was level, free uint64, ballast bool) level {
	on, hard := s.On, s.Hard
	if !ballast {
		on += s.Ballast
	}
	if was == nothing {
		hard += hard / 2
	}
	switch {
	case free < hard:
		return nothing
	case was == everything && free >= s.Off, free >= on:
		return everything
	}
	return reserved
}

// settled is how little the free space may have shrunk between two looks for the
// disk to count as filled rather than being filled.
const settled = 64 << 10

// healthEvery is how many looks at the disk go to one at the server, while
// nothing is suspected and there is room.
const healthEvery = 10

// A watch looks at the disk and at the server, and decides what may be written.
type watch struct {
	j        *Journal
	ballast  ballast
	suspects chan struct{} // a publish went unanswered: look now

	// owned by run
	sick  int           // how often in a row the server was found sick
	wait  time.Duration // between restarts that did not help
	retry time.Time     // no restart before

	mu       sync.Mutex
	level    level
	free     uint64
	restart  bool // the server is being restarted
	restarts int  // since Open
}

func newWatch(j *Journal) *watch {
	return &watch{j: j, ballast: ballastIn(j.config.Dir, j.config.Space.Ballast), suspects: make(chan struct{}, 1)}
}

// begin looks once, before the server starts: it has to find the ballast made.
func (w *watch) begin() error {
	free, err := w.j.config.Space.Statfs(w.j.config.Dir)
	if err != nil {
		return fmt.Errorf("journal: free space of the store directory: %w", err)
	}
	w.measure(free)
	return nil
}

// suspect has the server looked at now.
func (w *watch) suspect() {
	select {
	case w.suspects <- struct{}{}:
	default:
	}
}

// run looks at the disk and the server until the journal is closed.
func (w *watch) run() {
	tick := time.NewTicker(w.j.config.Space.Every)
	defer tick.Stop()
	for n := 0; ; n++ {
		ask := n%healthEvery == 0 || w.sick > 0 || w.scarce()
		select {
		case <-w.j.closed():
			return
		case <-w.suspects:
			ask = true
		case <-tick.C:
		}
		w.look()
		if ask {
			w.nurse(time.Now())
		}
	}
}

// nurse restarts a server that has been sick twice in a row, if there is room
// for it to live in; less and less often if that does not help.
func (w *watch) nurse(now time.Time) {
	if w.ailment() == "" {
		w.sick = 0
		return
	}
	w.sick++
	if w.sick < 2 || !w.room() || now.Before(w.retry) {
		return
	}
	if w.revive() {
		w.sick, w.wait = 0, 0
		return
	}
	w.wait = min(max(2*w.wait, time.Second), time.Minute)
	w.retry = now.Add(w.wait)
}

// ailment is what is wrong with the server; empty if nothing is.
func (w *watch) ailment() string {
	if a := w.j.config.ailment; a != nil && a() != "" {
		return a()
	}
	return w.j.host.sick()
}

// look measures the free space.
func (w *watch) look() {
	free, err := w.j.config.Space.Statfs(w.j.config.Dir)
	if err != nil {
		w.j.log.Error("journal: the free space cannot be measured; writes go on as they were", "error", err)
		return
	}
	w.measure(free)
}

// measure takes a new number of free bytes to heart.
func (w *watch) measure(free uint64) {
	s := w.j.config.Space
	w.mu.Lock()
	defer w.mu.Unlock()
	still := free+settled >= w.free // whoever fills the disk has come to an end: it would take the ballast too
	if free < s.Hard+s.Hard/2 && still && w.ballast.held() {
		w.j.log.Warn("journal: the disk is full; the ballast is released for what makes the ledger safer", "free", free)
		w.ballast.release()
		free += s.Ballast
	}
	was := w.level
	w.level, w.free = s.next(was, free, w.ballast.held()), free
	if w.level == everything && !w.ballast.held() && free >= s.On+s.Ballast {
		if err := w.ballast.take(); err != nil {
			w.j.log.Warn("journal: the ballast cannot be made", "error", err)
		}
	}
	if w.level != was {
		w.j.log.Warn("journal: what may be written has changed", "now", w.level.String(), "free", free)
	}
}

// room reports whether the server could write if it were alive.
func (w *watch) room() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.level != nothing
}

// scarce reports whether a write of the server's may fail soon.
func (w *watch) scarce() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.level != everything
}

// admit says why an append may not be written now, or nil.
func (w *watch) admit(reserve bool) *events.UnavailableError {
	w.mu.Lock()
	defer w.mu.Unlock()
	reason := ""
	switch {
	case w.restart:
		reason = "the log is being restarted after its disk failed it"
	case w.level == nothing:
		reason = "the disk is full"
	case w.level == reserved && !reserve:
		reason = "the disk is nearly full; what makes the ledger safer, such as disabling a key, is still written"
	default:
		return nil
	}
	return &events.UnavailableError{Reason: reason}
}

func (l level) String() string { return [...]string{"everything", "the reserve only", "nothing"}[l] }
