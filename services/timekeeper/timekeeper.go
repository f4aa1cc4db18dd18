// Package timekeeper does what falls due: it purges keys whose time in the
// recycle bin is over, trims access records that have been kept long enough, and
// finishes removals of users that a crash left half done. It may do so twice, late, or from
// two machines at once: the rules make that harmless, so it needs no leader and keeps no
// list of its own.
//
// The way in is [New] and [Keeper.Run]; [Keeper.Tick] is one round.
//
// The limits: it trusts no clock blindly. When the clock may be wrong, purging
// and trimming stop until an operator confirms it (see [Guard]); everything else goes on.
package timekeeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/events"
)

// A Purge is a key whose time in the recycle bin is over.
type Purge struct {
	Key events.AccessKeyID
	Due time.Time
}

// A Removal is a user whose keyring is closed and who is still there.
type Removal struct {
	Account events.AccountID
	User    events.UserID
	Closed  time.Time
}

// Config is what a Keeper stands on. All fields but Logger are required.
type Config struct {
	Guard    *Guard
	Due      func(now time.Time, limit int) ([]Purge, error) // the soonest due first
	Closed   func(limit int) ([]Removal, error)
	Purge    func(ctx context.Context, key events.AccessKeyID) error
	Remove   func(ctx context.Context, a events.AccountID, u events.UserID) error
	Trim     func(ctx context.Context) error // access records that have been kept long enough
	Now      func() time.Time
	Interval time.Duration // between rounds
	Logger   *slog.Logger
}

// A Keeper does what falls due.
type Keeper struct {
	Config
}

// New makes a Keeper.
func New(c Config) *Keeper {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Keeper{Config: c}
}

// Run does a round every interval until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	t := time.NewTicker(k.Interval)
	defer t.Stop()
	for {
		if err := k.Tick(ctx); err != nil && ctx.Err() == nil {
			k.Logger.Warn("timekeeper: a round was not finished and will be done again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

const (
	// batch is how much one round does of each kind before it looks at the clock again.
	batch = 500
	// maxFaults is after how many faults of a kind a round gives up.
	maxFaults = 10
	// grace is how long a removal may be under way before it counts as left half done.
	grace = 30 * time.Second
)

// Tick does one round: what is due now, up to a bound.
func (k *Keeper) Tick(ctx context.Context) error {
	trusted, err := k.Guard.Check(ctx)
	if err != nil {
		return fmt.Errorf("timekeeper: look at the clock: %w", err)
	}
	err = k.finishRemovals(ctx)
	if trusted {
		err = errors.Join(err, k.purgeDue(ctx), k.Trim(ctx))
	}
	return err
}

// purgeDue purges what is due. A rule that says no (somebody restored the key a
// moment ago) is an answer, not a fault.
func (k *Keeper) purgeDue(ctx context.Context) error {
	due, err := k.Due(k.Now(), batch)
	if err != nil {
		return err
	}
	return each(ctx, due, func(p Purge) error {
		if err := k.Purge(ctx, p.Key); err != nil {
			return fmt.Errorf("purge %s: %w", p.Key, err)
		}
		return nil
	})
}

// finishRemovals finishes removals whose client has certainly gone.
func (k *Keeper) finishRemovals(ctx context.Context) error {
	closed, err := k.Closed(batch)
	if err != nil {
		return err
	}
	return each(ctx, closed, func(r Removal) error {
		if k.Now().Sub(r.Closed).Abs() < grace {
			return nil
		}
		if err := k.Remove(ctx, r.Account, r.User); err != nil {
			return fmt.Errorf("remove user %s of account %s: %w", r.User, r.Account, err)
		}
		return nil
	})
}

// each does what is due to each, so that one at which it fails does not hold back those behind it for ever. After
// some faults it is not those that are the reason, and the next round goes on.
func each[T any](ctx context.Context, all []T, do func(T) error) error {
	var faults []error
	for _, one := range all {
		if err := do(one); err != nil && !refused(err) {
			faults = append(faults, err)
		}
		if len(faults) == maxFaults || ctx.Err() != nil {
			break
		}
	}
	return errors.Join(faults...)
}

func refused(err error) bool {
	var r *aggregate.Refusal
	return errors.As(err, &r)
}
