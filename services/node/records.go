package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyledger/keyledger/events"
	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/access"
	"github.com/keyledger/keyledger/services/api"
	"github.com/keyledger/keyledger/services/journal"
	"github.com/keyledger/keyledger/services/view"
)

// recordsFolder is where access records are known, in the data directory.
const recordsFolder = "records"

// recordsAhead bounds, in bytes, what is read ahead of being applied, and what is applied at once, where there is memory: so many that a
// store that is behind writes whole tables.
const recordsAhead = 32 << 20

// records keeps what is known of access records up with the log.
type records struct {
	store *access.Store
	ahead int64 // bytes, as of recordsAhead

	passed     func(uses.Position) bool // whether an operator let a message pass; set before it follows
	incomplete func() bool              // whether the log has lost any
	begun      atomic.Uint64            // the end of the log when the node started

	reading  sync.RWMutex // held by whoever asks the store, and alone by what resets it
	trimming sync.Mutex   // held by what trims the log by what the store knows, and by what resets it

	mu      sync.Mutex
	stopped error         // why it does not follow now
	moved   chan struct{} // closed when more was applied, or it stopped; nil if nobody waits
	broken  string        // what is damaged of the store itself
	rebuild bool          // somebody wants it built anew
	reset   bool          // it is, or was
	leave   func()        // ends the following
}

// sound is why nothing can be told, if it does not follow any more.
func (r *records) sound() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken != "" {
		return &api.RecordsDamagedError{UnavailableError: &events.UnavailableError{Reason: r.breakage()}}
	}
	if r.stopped == nil {
		return nil
	}
	known := fmt.Sprintf("access records are known up to message %d only", r.store.Position())
	if lost(r.stopped) {
		return &api.RecordsDamagedError{UnavailableError: &events.UnavailableError{Reason: known + ": " + reason(r.stopped) + ", until it is restored from a backup or an operator lets it pass (keyledger status says under which name, and keyledger projection acknowledge does it)"}}
	}
	return &events.UnavailableError{Reason: known + "; the operator's status says why"}
}

// The names under which an operator lets pass what is lost of USED and SUMMARY.
const (
	recordsName = "records"
	summaryName = "summary"
)

func nameOf(stream string) string {
	if stream == journal.Summary {
		return summaryName
	}
	return recordsName
}

// excused says whether an operator has let a message pass.
func (n *Node) excused(stream string, p events.Position) bool {
	if stream == journal.Ledger {
		return n.runner.Excused(p)
	}
	return n.runner.Acknowledged(nameOf(stream), p)
}

// passed is the same for one of USED.
func (n *Node) passed(p uses.Position) bool {
	return n.journal.Passed(journal.Used, events.Position(p))
}

// A summaryError says that what was kept of trimmed messages cannot be read.
type summaryError struct {
	first uses.Position
	err   error
}

func (e *summaryError) Error() string {
	return fmt.Sprintf("read what was kept of the messages before %d: %v", e.first, e.err)
}
func (e *summaryError) Unwrap() error { return e.err }

// lostUse reports whether it is the next message of USED that is lost or cannot be read.
func lostUse(err error) bool { return lost(err) && !errors.As(err, new(*summaryError)) }

// lost reports whether access records stopped at something that will never come: a message
// that is lost or cannot be read.
func lost(err error) bool {
	return errors.Is(err, events.ErrLost) || errors.As(err, new(*access.PoisonedError))
}

// reason is why they stopped, for people.
func reason(err error) string {
	if refused, ok := errors.AsType[*journal.RefusedError](err); ok {
		return refused.Detail
	}
	return err.Error()
}

// catchUpPatience is how long a question waits for what was in the log before the start: after a stop, that is soon applied.
const catchUpPatience = 500 * time.Millisecond

// caughtUp is why nothing can be told yet, or any more. As long as what was in the log before the start is
// not applied, a key that is in use could seem never to have been used.
func (r *records) caughtUp() error {
	begun := uses.Position(r.begun.Load())
	if r.store.Position() >= begun {
		return r.sound()
	}
	ctx, cancel := context.WithTimeout(context.Background(), catchUpPatience)
	defer cancel()
	err := r.wait(ctx, begun)
	if err != nil && ctx.Err() != nil {
		return &events.UnavailableError{Reason: fmt.Sprintf("access records are still being read from the log, up to message %d of %d; ask again", r.store.Position(), begun)}
	}
	return err
}

// told is what the store answers, but not before it has caught up, nor once it does not follow.
func told[A any](r *records, ask func() (A, error)) (a A, err error) {
	r.reading.RLock()
	defer r.reading.RUnlock()
	if err := r.caughtUp(); err != nil {
		return a, err
	}
	if a, err = ask(); err != nil {
		return a, cmp.Or(r.sound(), err) // it may be by this that it is found to be damaged
	}
	return a, nil
}

// List, LastOf and Counts answer as the store does.
func (r *records) List(q access.Query, cursor string, limit int) (projections.Page[access.Entry], error) {
	return told(r, func() (projections.Page[access.Entry], error) { return r.store.List(q, cursor, limit) })
}

func (r *records) LastOf(keys []events.AccessKeyID) ([]access.Last, error) {
	return told(r, func() ([]access.Last, error) { return r.store.LastOf(keys) })
}

func (r *records) Counts(key events.AccessKeyID, p access.Period) ([]access.DayCounts, error) {
	return told(r, func() ([]access.DayCounts, error) { return r.store.Counts(key, p) })
}

// Incomplete reports whether the log has lost any of them.
func (r *records) Incomplete() bool { return r.incomplete() }

// lastUsedPatience is how long a command waits for records that are in the log to be applied.
const lastUsedPatience = 2 * time.Second

// lastUsed is when a key was last used and let through, by all records that are in the log or on
// their way. What cannot be recorded now is not waited for: the log says what it has.
func (n *Node) lastUsed(ctx context.Context, key events.AccessKeyID) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, lastUsedPatience)
	defer cancel()
	_ = n.uses.Flush(ctx)
	last, err := n.journal.LastUse(ctx)
	if err != nil {
		return time.Time{}, err
	}
	if err := n.records.wait(ctx, last); err != nil {
		return time.Time{}, err
	}
	of, err := told(&n.records, func() (access.Last, error) { return n.records.store.Last(key) })
	if err != nil || of.Used == nil {
		return time.Time{}, err
	}
	return of.Used.Time, nil
}

// wait returns when a message has been applied.
func (r *records) wait(ctx context.Context, p uses.Position) error {
	for {
		moved, err := r.watch()
		if err != nil || r.store.Position() >= p {
			return err
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("access records are applied up to message %d of %d", r.store.Position(), p)
		}
	}
}

func (r *records) watch() (<-chan struct{}, error) {
	if err := r.sound(); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.moved == nil {
		r.moved = make(chan struct{})
	}
	return r.moved, nil
}

// tell wakes those who wait; err is why it does not follow any more, if it does not.
func (r *records) tell(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = err
	if r.moved != nil {
		close(r.moved)
		r.moved = nil
	}
}

// openRecords opens the store of access records and holds it to the log.
func (n *Node) openRecords(ctx context.Context) error {
	dir := filepath.Join(n.config.Data, recordsFolder)
	n.logRecords = view.LogHealth(n.config.Logger)
	o := n.memory.records
	o.Files, o.Full, o.Health = n.files.store, func() { n.awaitSpace(ctx) }, n.recordsHealth
	store, err := access.Open(dir, n.identity(), o)
	var other *projections.IdentityError
	switch {
	case errors.As(err, &other):
		return refuse(GuardProjections, err, "the access records in %s are of another log", dir)
	case err != nil:
		return refuse(GuardStore, err, "the access records cannot be read: remove %s, and they are read from the log again", dir)
	}
	n.records.store, n.records.ahead = store, n.memory.ahead
	n.records.incomplete = func() bool { return len(n.journal.Damages()) > 0 }
	last, err := n.journal.LastUse(ctx)
	n.records.begun.Store(uint64(last))
	if err == nil && last < store.Position() {
		return refuse(GuardProjections, nil, "the access records in %s reach message %d, but the log ends at %d: it was cut or replaced", dir, store.Position(), last)
	}
	return err
}

// followRecords applies what comes until ctx ends. Where it cannot go on it says so
// in the status; commands and verification do not rest on it. Over what is lost it goes on when
// an operator has let it pass, and from the beginning when one wants the store built anew.
func (n *Node) followRecords(ctx context.Context) {
	n.records.passed = n.passed
	for {
		open := len(n.journal.Unacknowledged())
		err := n.records.followUntilRebuilt(ctx, n.journal)
		if ctx.Err() != nil {
			return
		}
		if n.records.wantsRebuild() {
			if err = n.resetRecords(ctx); err == nil {
				continue
			}
		}
		n.config.Logger.Error("access records are not followed any more", "error", err)
		n.records.tell(err)
		if !n.goOn(ctx, err, open) {
			return
		}
	}
}

// goOn returns when there is reason to follow again after err, or false if ctx ends before. What is not lost may be read or
// written another time, but not by a store that has failed.
func (n *Node) goOn(ctx context.Context, err error, open int) bool {
	again, mayPass := time.Now().Add(followAgain), !lost(err) && !errors.As(err, new(*projections.StoreError))
	for !n.records.wantsRebuild() {
		if lost(err) && (n.passed(n.records.store.Position()+1) || len(n.journal.Unacknowledged()) != open) {
			n.config.Logger.Info("access records go on: an operator let pass what is lost")
			return true
		}
		if mayPass && !time.Now().Before(again) {
			return true
		}
		if !sleep(ctx, leaveEvery) {
			return false
		}
	}
	return true
}

// followAgain is how long access records rest after a fault.
var followAgain = 5 * time.Second

// leaveEvery is how often it is looked whether an operator let something pass, or wants it anew.
const leaveEvery = 100 * time.Millisecond

// follow reads ahead on a goroutine of its own and applies all there is at once.
func (r *records) follow(ctx context.Context, log uses.Log) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := r.passTrimmed(ctx, log); err != nil {
		return err
	}
	if r.sound() != nil {
		r.tell(nil)
	}
	ahead := readAhead(ctx, log, r.store.Position(), r.ahead)
	for {
		batch, err := ahead.all()
		if err != nil {
			return err
		}
		if err := r.apply(ctx, log, batch); err != nil {
			return err
		}
		r.tell(nil)
	}
}

// apply folds messages in. The log passes over nothing but a front that was trimmed, and what
// an operator has let pass.
func (r *records) apply(ctx context.Context, log uses.Log, batch []uses.Message) error {
	for {
		err := r.store.Apply(batch)
		gap, isGap := errors.AsType[*access.GapError](err)
		bad, isBad := errors.AsType[*access.PoisonedError](err)
		at := r.store.Position()
		switch {
		case isGap && r.passed != nil && r.passed(gap.Want):
			err = r.store.SkipTo(gap.Got)
		case isGap:
			err = r.passTrimmed(ctx, log)
		case isBad && r.passed != nil && r.passed(bad.Position):
			err = r.store.Skip(bad.Position)
		default:
			return err
		}
		if err == nil && r.store.Position() == at {
			return gap
		}
		if err != nil {
			return err
		}
	}
}

// passTrimmed takes what was trimmed of the log before it was read here from what was kept
// of it, and goes on behind it.
func (r *records) passTrimmed(ctx context.Context, log uses.Log) error {
	first, err := log.FirstUse(ctx)
	if err != nil || first <= r.store.Position()+1 {
		return err
	}
	for page, err := range log.Summaries(ctx) {
		if err == nil {
			err = r.store.ApplySummary(page)
		}
		if err != nil {
			return &summaryError{first, err}
		}
	}
	return r.store.SkipTo(first)
}

// state is how far it has come, and why it stopped if it has.
func (r *records) state() (uses.Position, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken != "" {
		return r.store.Position(), errors.New(r.breakage())
	}
	return r.store.Position(), r.stopped
}
