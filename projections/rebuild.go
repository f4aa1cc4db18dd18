package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/keyledger/keyledger/events"
)

// Passes over the log that a lane makes before it holds the main lane up for
// the rest of the way.
const passes = 3

// launch runs a lane until it has joined the main one.
func (r *Runner) launch(l *lane) {
	for _, m := range l.members {
		r.setBuilding(m, true)
	}
	r.lanes.Add(1)
	go func() {
		defer r.lanes.Done()
		err := r.chase(r.running, l)
		var degraded *DegradedError
		if err != nil && !errors.As(err, &degraded) && r.running.Err() == nil {
			r.abort(err)
		}
	}()
}

func (r *Runner) setBuilding(m *member, yes bool) {
	if m.of == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	m.of.building = nil
	if yes {
		m.of.building = m
	}
}

// chase brings a lane to where the main one is and joins it. A *DegradedError
// says that a rebuild met a record it cannot apply.
func (r *Runner) chase(ctx context.Context, l *lane) error {
	for range passes {
		if err := l.readTo(ctx, r.mainReached()); err != nil {
			return err
		}
	}
	r.applying.Lock()
	defer r.applying.Unlock()
	if err := errors.Join(ctx.Err(), r.main.settle()); err != nil {
		return err
	}
	if err := l.readTo(ctx, r.main.position); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	err := r.join(l)
	r.release()
	return err
}

func (r *Runner) mainReached() events.Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reached
}

// join moves a lane's members to the main lane. Rebuilds take the place of
// what they rebuilt, all in one batch.
func (r *Runner) join(l *lane) error {
	var failed error
	var swaps []*member
	out := r.store.db.NewBatch()
	defer out.Close()
	for _, m := range l.members {
		switch {
		case m.of == nil:
			r.main.members = append(r.main.members, m)
			continue
		case m.degraded != nil:
			failed = r.abandon(m)
			m = m.of
		default:
			swaps = append(swaps, m)
		}
		if err := out.Set(projectionKey(m.name), appendStanding(nil, m.standing), nil); err != nil {
			return err
		}
	}
	if err := r.store.commit(out); err != nil {
		return err
	}
	for _, m := range swaps {
		if err := r.swap(m); err != nil {
			return err
		}
	}
	r.onApply(nil)
	r.publish(r.main)
	return failed
}

// swap lets a rebuild answer from now on and removes the old rows. Its meta row
// is written.
func (r *Runner) swap(m *member) error {
	old := m.of
	m.of = nil
	r.store.turn(m.tables, m.generation)
	r.main.members = slices.DeleteFunc(r.main.members, func(x *member) bool { return x == old })
	r.main.members = append(r.main.members, m)
	r.mu.Lock()
	r.members[slices.Index(r.members, old)] = m
	r.mu.Unlock()
	return r.sweep(m)
}

// abandon gives up a rebuild that met a record it cannot apply. If the old rows
// are of an older version, the projection is degraded: nothing is added to them.
func (r *Runner) abandon(m *member) error {
	old := m.of
	r.setBuilding(m, false)
	if old.stale() {
		old.degraded = m.degraded
		r.main.members = append(r.main.members, old)
	}
	if err := r.sweep(old); err != nil {
		return err
	}
	return &DegradedError{Projection: m.name, Degradation: *m.degraded}
}

// ErrRebuilding says that a projection is being built already.
var ErrRebuilding = errors.New("projections: it is being built; try again when that is done")

// Rebuild builds the named projection from the first record beside the rows
// that answer now, and then lets the new rows answer instead. Everything goes on
// meanwhile. If ctx ends, the old rows stay. Errors are a *DegradedError if it meets a
// record it cannot apply, ErrRebuilding, ErrStopped, or a fault.
func (r *Runner) Rebuild(ctx context.Context, name string) error {
	finish, err := r.StartRebuild(name)
	if err != nil {
		return err
	}
	return finish(ctx)
}

// StartRebuild is Rebuild in two: what it returns does the work, and must be called.
func (r *Runner) StartRebuild(name string) (finish func(context.Context) error, err error) {
	m, err := r.beginRebuild(name)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error { return r.finishRebuild(ctx, m) }, nil
}

func (r *Runner) finishRebuild(ctx context.Context, m *member) error {
	defer r.lanes.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.running, cancel)()
	l := newLane(r, 0)
	l.members = []*member{m}
	err := r.chase(ctx, l)
	if m.of == nil || err == nil {
		return err
	}
	r.setBuilding(m, false)
	return errors.Join(err, r.sweep(m.of))
}

func (r *Runner) beginRebuild(name string) (*member, error) {
	r.applying.Lock()
	defer r.applying.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running == nil || r.running.Err() != nil || r.main == nil || r.stopped != nil {
		return nil, ErrStopped
	}
	i := slices.IndexFunc(r.members, func(m *member) bool { return m.name == name })
	if i < 0 {
		return nil, fmt.Errorf("projections: there is no projection %q", name)
	}
	m := r.members[i]
	if m.building != nil || !slices.Contains(r.main.members, m) {
		return nil, fmt.Errorf("%w: %s", ErrRebuilding, name)
	}
	m.building = m.shadow()
	r.lanes.Add(1)
	return m.building, nil
}
