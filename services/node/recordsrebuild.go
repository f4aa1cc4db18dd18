package node

import (
	"context"
	"fmt"

	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/projections"
)

// recordsHealth takes what the store of access records notices about itself. What it holds is in the log, too: where it is
// damaged nothing is told any more until an operator has it built anew.
func (n *Node) recordsHealth(h projections.Health) {
	n.logRecords(h)
	if h.Kind == projections.HealthCorrupt {
		n.records.mu.Lock()
		defer n.records.mu.Unlock()
		n.records.broken = h.Detail
	}
}

// breakage is what is wrong with a store that is damaged, for people.
func (r *records) breakage() string {
	return fmt.Sprintf("what is kept of access records is damaged (%s); the log has them all: keyledger projection rebuild %s builds it anew", r.broken, recordsName)
}

// wantRebuild has the store built anew, soon. Whoever asks meanwhile is told that it is being read from the log. One that
// is under way is left to it.
func (r *records) wantRebuild() {
	if r.rebuilding() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rebuild = true
	if r.leave != nil {
		r.leave()
	}
}

// rebuilding says that it is being built anew, or is about to be.
func (r *records) rebuilding() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	underWay := r.reset && r.broken == "" && r.stopped == nil && r.store.Position() < uses.Position(r.begun.Load())
	return r.rebuild || underWay
}

func (r *records) wantsRebuild() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rebuild
}

func (r *records) rebuildDone() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rebuild = false
}

// followUntilRebuilt follows until ctx ends, it cannot go on, or somebody wants it built anew.
func (r *records) followUntilRebuilt(ctx context.Context, log uses.Log) error {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	r.mu.Lock()
	r.leave = leave
	if r.rebuild {
		leave()
	}
	r.mu.Unlock()
	return r.follow(ctx, log)
}

// resetRecords empties the store, so that following goes on from the log's beginning. Nothing is told by it before it has
// come to where the log ends now, and nothing is trimmed.
func (n *Node) resetRecords(ctx context.Context) error {
	r := &n.records
	defer r.rebuildDone()
	last, err := n.journal.LastUse(ctx)
	if err != nil {
		return fmt.Errorf("build access records anew: %w", err)
	}
	r.trimming.Lock()
	defer r.trimming.Unlock()
	r.reading.Lock()
	defer r.reading.Unlock()
	n.config.Logger.Info("access records are built anew", "messages", uint64(last))
	if err := r.store.Reset(n.identity()); err != nil {
		return fmt.Errorf("build access records anew: %w; stop the server and remove %s", err, recordsFolder)
	}
	r.begun.Store(uint64(last))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken, r.stopped, r.reset = "", nil, true
	return nil
}
