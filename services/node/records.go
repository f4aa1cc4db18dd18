package node

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/access"
	"github.com/keyledger/keyledger/services/view"
)

// recordsFolder is where access records are known, in the data directory.
const recordsFolder = "records"

// recordsAhead is how many messages are read ahead of being applied.
const recordsAhead = 64

// records keeps what is known of access records up with the log.
type records struct {
	store *access.Store

	mu      sync.Mutex
	stopped error // why it does not follow any more
}

// openRecords opens the store of access records and holds it to the log.
func (n *Node) openRecords(ctx context.Context) error {
	dir := filepath.Join(n.config.Data, recordsFolder)
	store, err := access.Open(dir, n.identity(), projections.Options{
		CacheBytes: 96 << 20, MemTableBytes: 16 << 20, Full: func() { n.awaitSpace(ctx) },
		Health: view.LogHealth(n.config.Logger),
	})
	var other *projections.IdentityError
	switch {
	case errors.As(err, &other):
		return refuse(GuardProjections, err, "the access records in %s are of another log", dir)
	case err != nil:
		return refuse(GuardStore, err, "the access records cannot be read: remove %s, and they are read from the log again", dir)
	}
	n.records.store = store
	last, err := n.journal.LastUse(ctx)
	if err == nil && last < store.Position() {
		return refuse(GuardProjections, nil, "the access records in %s reach message %d, but the log ends at %d: it was cut or replaced", dir, store.Position(), last)
	}
	return err
}

// followRecords applies what comes until ctx ends. Where it cannot go on it says so
// in the status; commands and verification do not rest on it.
func (n *Node) followRecords(ctx context.Context) {
	err := n.records.follow(ctx, n.journal)
	if ctx.Err() != nil {
		return
	}
	n.config.Logger.Error("access records are not followed any more", "error", err)
	n.records.mu.Lock()
	n.records.stopped = err
	n.records.mu.Unlock()
}

// follow reads ahead on a goroutine of its own and applies all there is at once.
func (r *records) follow(ctx context.Context, log uses.Log) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := r.passTrimmed(ctx, log); err != nil {
		return err
	}
	ahead, failed := make(chan uses.Message, recordsAhead), make(chan error, 1)
	go func() {
		defer close(ahead)
		for m, err := range log.FollowUses(ctx, r.store.Position()) {
			if err != nil {
				failed <- err
				return
			}
			select {
			case ahead <- m:
			case <-ctx.Done():
				return
			}
		}
	}()
	var batch []uses.Message
	for m := range ahead {
		batch = append(batch[:0], m)
		for len(ahead) > 0 {
			batch = append(batch, <-ahead)
		}
		if err := r.apply(ctx, log, batch); err != nil {
			return err
		}
	}
	select {
	case err := <-failed:
		return err
	default:
		return errors.New("the log stopped being followed")
	}
}

// apply folds messages in. The log passes over nothing but a front that was trimmed.
func (r *records) apply(ctx context.Context, log uses.Log, batch []uses.Message) error {
	var gap *access.GapError
	err := r.store.Apply(batch)
	if !errors.As(err, &gap) {
		return err
	}
	if err := r.passTrimmed(ctx, log); err != nil {
		return err
	}
	return r.store.Apply(batch)
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
			return fmt.Errorf("read what was kept of the messages before %d: %w", first, err)
		}
	}
	return r.store.SkipTo(first)
}

// state is how far it has come, and why it stopped if it has.
func (r *records) state() (uses.Position, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped != nil {
		return r.store.Position(), r.stopped.Error()
	}
	return r.store.Position(), ""
}
