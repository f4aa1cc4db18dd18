package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/keyledger/keyledger/events"
	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/services/journal"
	"github.com/keyledger/keyledger/services/ledger"
	"github.com/keyledger/keyledger/services/timekeeper"
	"github.com/keyledger/keyledger/services/usage"
)

// clockCell holds what the clock guard remembers: docs/format/data-directory.md.
const clockCell = "clock"

// timekeeper puts the keeper of deadlines together.
func (n *Node) timekeeper() *timekeeper.Keeper {
	trimmer := &usage.Trimmer{Log: n.journal, Store: n.records.store, Keep: uses.Kept, Passed: n.passed, Logger: n.config.Logger}
	return timekeeper.New(timekeeper.Config{
		Guard: n.guard, Due: n.views.Due, Closed: n.halfRemoved, Now: n.config.Now,
		Interval: n.config.Schedule, Logger: n.config.Logger,
		Trim: func(ctx context.Context) error {
			n.records.trimming.Lock()
			defer n.records.trimming.Unlock()
			return trimmer.Trim(ctx, n.config.Now())
		},
		Purge: func(ctx context.Context, k events.AccessKeyID) error {
			// A key is purged once in its life, so that its ID names the request.
			req := ledger.Request{ID: events.RequestID("purge:" + k), Actor: events.ActorTimekeeper}
			_, err := n.ledger.PurgeKey(ctx, req, k, events.CauseRetention)
			return err
		},
		Remove: func(ctx context.Context, a events.AccountID, u events.UserID) error {
			_, err := n.ledger.RemoveUser(ctx, ledger.Request{Actor: events.ActorTimekeeper}, a, u)
			return err
		},
	})
}

// halfRemoved is the removals that began long enough ago to be left half done.
func (n *Node) halfRemoved(limit int) ([]timekeeper.Removal, error) {
	return n.views.Closed(n.config.Now(), limit)
}

func (n *Node) newGuard() *timekeeper.Guard {
	start := time.Now()
	return timekeeper.NewGuard(timekeeper.GuardConfig{
		Now:       n.config.Now,
		Monotonic: func() time.Duration { return time.Since(start) },
		LastEvent: n.lastEvent,
		Recall:    n.recall,
		Remember:  n.remember,
	})
}

// lastEvent is the latest time of any decision; zero if there is none.
func (n *Node) lastEvent(context.Context) (time.Time, error) { return n.views.LastTime() }

func (n *Node) recall(ctx context.Context) (m timekeeper.Memory, err error) {
	text, _, err := n.journal.Cells().Get(ctx, clockCell)
	if errors.Is(err, events.ErrNone) {
		return m, nil
	}
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("the cell %s: %w", clockCell, err)
	}
	return m, nil
}

func (n *Node) remember(ctx context.Context, m timekeeper.Memory) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	cells := n.journal.Cells()
	_, revision, err := cells.Get(ctx, clockCell)
	if err != nil && !errors.Is(err, events.ErrNone) {
		return err
	}
	_, err = cells.Put(ctx, clockCell, text, revision)
	if errors.Is(err, journal.ErrCellMoved) {
		return nil // another node has just written it
	}
	return err
}
