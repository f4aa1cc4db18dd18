package node

import (
	"context"
	"errors"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/journal"
	"github.com/keyledger/keyledger/services/ledger"
	"github.com/keyledger/keyledger/services/timekeeper"
)

// clockCell holds the last time at which the clock was trusted:
// docs/format/subjects.md.
const clockCell = "clock"

// timekeeper puts the keeper of deadlines together.
func (n *Node) timekeeper() *timekeeper.Keeper {
	return timekeeper.New(timekeeper.Config{
		Guard: n.guard, Due: n.views.Due, Closed: n.closed, Now: n.config.Now,
		Interval: n.config.Schedule, Logger: n.config.Logger,
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

// closed is the removals that began long enough ago to be left half done.
func (n *Node) closed(limit int) ([]timekeeper.Removal, error) {
	return n.views.Closed(n.config.Now(), limit)
}

func (n *Node) newGuard() *timekeeper.Guard {
	start := time.Now()
	return timekeeper.NewGuard(timekeeper.GuardConfig{
		Now:       n.config.Now,
		Monotonic: func() time.Duration { return time.Since(start) },
		LastEvent: n.lastEvent,
		Observed:  n.observed,
		Observe:   n.observe,
	})
}

// lastEvent is when the last decision was made; zero if there is none.
func (n *Node) lastEvent(context.Context) (time.Time, error) { return n.views.LastTime() }

func (n *Node) observed(ctx context.Context) (time.Time, error) {
	text, _, err := n.journal.Cells().Get(ctx, clockCell)
	if errors.Is(err, events.ErrNone) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339, string(text))
}

func (n *Node) observe(ctx context.Context, t time.Time) error {
	cells := n.journal.Cells()
	_, revision, err := cells.Get(ctx, clockCell)
	if err != nil && !errors.Is(err, events.ErrNone) {
		return err
	}
	_, err = cells.Put(ctx, clockCell, []byte(t.UTC().Format(time.RFC3339)), revision)
	if errors.Is(err, journal.ErrCellMoved) {
		return nil // another node has just written it
	}
	return err
}
