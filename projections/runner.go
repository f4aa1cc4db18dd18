package projections

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/keyledger/keyledger/events"
)

// Config is what a runner needs.
type Config struct {
	Store  *Store // required
	Source Source // required
	// Identity names the log, e.g. installation and creation time. A store that
	// was filled from another log is refused. Required.
	Identity string
	Parts    []Part // required; names and tables are unique
	// Applied is told of records whose rows answer now, before Wait returns for
	// them; of a record more than once where projections went apart. Nil records say that
	// rows were built anew. It must not block, or use the runner.
	Applied func(records iter.Seq[*events.Record])
}

// A Runner follows the log and lets the projections fold its records in.
//
// One lane, the main one, follows the log with all projections that are up to
// date. A projection that is behind (it is new, it is being rebuilt, it was let past a
// record) is brought up by a lane of its own, which reads the log again beside the main one and joins
// it between two of its batches.
type Runner struct {
	store   *Store
	source  Source
	onApply func(iter.Seq[*events.Record])

	// applying is held by the main lane while it applies, and by another lane
	// while it joins. It guards main.
	applying sync.Mutex
	main     *lane

	mu           sync.Mutex // guards what follows, and the shown part of members
	members      []*member  // in the order of Config.Parts
	reached      events.Position
	acknowledged map[acknowledgement]bool
	waiters      []waiter
	running      context.Context // nil before Run
	cancel       context.CancelFunc
	failed       error // of a lane, which ends Run
	stopped      error // why Run ended; nil until then
	lanes        sync.WaitGroup
}

// An IdentityError says that the store was filled from another log.
type IdentityError struct{ Stored, Given string }

func (e *IdentityError) Error() string {
	return fmt.Sprintf("projections: the store belongs to the log %q, not to %q", e.Stored, e.Given)
}

// An AheadError says that the store has seen more than the log holds: the log
// was cut or replaced.
type AheadError struct{ Stored, Last events.Position }

func (e *AheadError) Error() string {
	return fmt.Sprintf("projections: the store is at position %d, but the log ends at %d: the log was cut or replaced", e.Stored, e.Last)
}

// A GapError says that a record is missing from the log.
type GapError struct{ After, Got events.Position }

func (e *GapError) Error() string {
	return fmt.Sprintf("projections: a gap in the log: after position %d comes %d", e.After, e.Got)
}

// ErrStopped says that the runner does not run.
var ErrStopped = errors.New("projections: the runner does not run")

// NewRunner checks that the store belongs to the log and makes the tables
// answer. Errors are an *IdentityError, an *AheadError, what is wrong with c, or a fault.
func NewRunner(ctx context.Context, c Config) (*Runner, error) {
	if c.Store == nil || c.Source == nil || c.Identity == "" || len(c.Parts) == 0 {
		return nil, errors.New("projections: Config needs Store, Source, Identity and Parts")
	}
	r := &Runner{store: c.Store, source: c.Source, onApply: c.Applied}
	if r.onApply == nil {
		r.onApply = func(iter.Seq[*events.Record]) {}
	}
	var err error
	if r.members, err = newMembers(c.Parts); err != nil {
		return nil, err
	}
	if err := r.load(); err != nil {
		return nil, err
	}
	if err := r.belongs(ctx, c.Identity); err != nil {
		return nil, err
	}
	if err := r.store.pin(r.goesAlong); err != nil {
		return nil, err
	}
	for _, m := range r.members {
		m.along = m.along && !m.stale()
		r.store.turn(m.tables, m.generation)
		if err := r.sweep(m); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// load reads how far everything is.
func (r *Runner) load() (err error) {
	if r.reached, err = reached(r.store.db); err != nil {
		return err
	}
	if r.acknowledged, err = r.store.acknowledgements(); err != nil {
		return err
	}
	for _, m := range r.members {
		st, found, err := standingOf(r.store.db, m.name)
		if err != nil {
			return err
		}
		if found {
			m.standing = st
			m.degraded = nil // it tries its record again: there may be leave, or newer code
		}
		m.show()
	}
	return nil
}

// goesAlong says whether a projection whose row said that it goes along will be
// in the main lane again.
func (r *Runner) goesAlong(name string) bool {
	return slices.ContainsFunc(r.members, func(m *member) bool { return m.name == name && !m.stale() })
}

func (r *Runner) belongs(ctx context.Context, identity string) error {
	stored, found, err := r.store.identity()
	if err != nil {
		return err
	}
	if !found {
		return r.store.setIdentity(identity)
	}
	if stored != identity {
		return &IdentityError{Stored: stored, Given: identity}
	}
	last, err := r.source.Last(ctx)
	if err != nil {
		return fmt.Errorf("projections: the end of the log: %w", err)
	}
	furthest := r.reached
	for _, m := range r.members {
		furthest = max(furthest, m.position)
	}
	if furthest > last {
		return &AheadError{Stored: furthest, Last: last}
	}
	return nil
}

// sweep removes what an interrupted rebuild left.
func (r *Runner) sweep(m *member) error {
	for _, t := range m.tables {
		if err := r.store.sweep(t, m.generation); err != nil {
			return fmt.Errorf("projections: sweep %s: %w", t, err)
		}
	}
	return nil
}

// Run follows the log until ctx ends, which is no error, or until it cannot go
// on: a *GapError, a *StoreError or a fault of the log. It runs once.
func (r *Runner) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.mu.Lock()
	if r.running != nil {
		r.mu.Unlock()
		return errors.New("projections: Run was called before")
	}
	r.running, r.cancel = ctx, cancel
	r.mu.Unlock()
	r.start()
	return r.stop(r.follow(ctx))
}

// abort ends Run because a lane failed.
func (r *Runner) abort(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == nil {
		r.failed = err
	}
	r.cancel()
}

// stop wakes all who wait and waits for the lanes. It returns why Run ends.
func (r *Runner) stop(err error) error {
	r.cancel()
	r.mu.Lock()
	if err == nil {
		err = r.failed
	}
	r.stopped = err
	if err == nil {
		r.stopped = ErrStopped
	}
	r.wake()
	r.mu.Unlock()
	r.lanes.Wait()
	return err
}

// start puts every projection into the lane it belongs to.
func (r *Runner) start() {
	r.applying.Lock()
	defer r.applying.Unlock()
	r.main = newLane(r, r.reached)
	r.main.main = true
	rebuilt, behind := newLane(r, 0), map[events.Position]*lane{}
	for _, m := range r.members {
		switch {
		case m.stale():
			rebuilt.members = append(rebuilt.members, m.shadow())
		case m.position == r.reached:
			r.main.members = append(r.main.members, m)
		default:
			if behind[m.position] == nil {
				behind[m.position] = newLane(r, m.position)
			}
			behind[m.position].members = append(behind[m.position].members, m)
		}
	}
	for _, l := range behind {
		r.launch(l)
	}
	if len(rebuilt.members) > 0 {
		r.launch(rebuilt)
	}
}

// follow is the main lane.
func (r *Runner) follow(ctx context.Context) error {
	last, err := r.source.Last(ctx)
	if err != nil {
		return fmt.Errorf("projections: the end of the log: %w", err)
	}
	r.main.goBulk(last)
	f := newFeed(ctx, r.main.position, r.source.Follow)
	defer f.stop()
	if recent, ok := r.source.(Recent); ok {
		news, done := recent.News()
		defer done()
		f.recent, f.news = recent, news
	}
	var items []item
	for {
		var err error
		if items, err = f.take(items, r.main.position); err != nil || ctx.Err() != nil {
			return err
		}
		if items == nil {
			return errors.New("projections: the log stopped being followed")
		}
		if err := r.step(items); err != nil {
			return err
		}
	}
}

func (r *Runner) step(items []item) error {
	r.applying.Lock()
	defer r.applying.Unlock()
	err := r.main.apply(items)
	if !r.main.gathered {
		r.release()
	}
	return err
}
