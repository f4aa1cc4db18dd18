package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/services/verify"
)

const (
	// noncesAtOnce is how many messages are read at a time, from the end of the log backwards.
	noncesAtOnce = 512
	// nonceSlack is by how much records may lie out of order.
	nonceSlack = time.Minute
	// nonceRounds is how often nonces that count no more are forgotten.
	nonceRounds = time.Minute
)

// keepNonces has the verifier remember the nonces that came before this start, and forget
// those that count no more. Until it has read them, requests that carry one are refused; so a log that
// cannot be read keeps them out for good.
func (n *Node) keepNonces(ctx context.Context) {
	v := n.verifier.Load()
	for warned := ""; ; {
		err := recentNonces(ctx, n.journal, n.config.Now().Add(-verify.MaxReplayWindow), func(r *uses.Record) error {
			return v.Remember(r.Key, r.Replay, r.Time)
		})
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return
		}
		if warned != err.Error() {
			warned = err.Error()
			n.config.Logger.Warn("the nonces of the last requests cannot be read yet: requests that carry one are refused", "error", err)
		}
		if !sleep(ctx, time.Second) {
			return
		}
	}
	v.Remembered()
	for sleep(ctx, nonceRounds) {
		v.ForgetNonces()
	}
}

// sleep waits, and is false if ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// recentNonces tells of the records with a nonce that are as old as since or younger. It reads
// the log backwards and stops where everything is older.
func recentNonces(ctx context.Context, log uses.Log, since time.Time, tell func(*uses.Record) error) error {
	first, err := log.FirstUse(ctx)
	if err != nil {
		return err
	}
	last, err := log.LastUse(ctx)
	if err != nil {
		return err
	}
	for last >= first {
		low := max(first, last-min(last, noncesAtOnce)+1)
		young, err := noncesFrom(ctx, log, low, last, since, tell)
		if err != nil || !young {
			return err
		}
		last = low - 1
	}
	return nil
}

// noncesFrom tells of those of some messages, and whether any record there was young.
func noncesFrom(ctx context.Context, log uses.Log, low, high uses.Position, since time.Time, tell func(*uses.Record) error) (young bool, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var batch []uses.Record
	for m, err := range log.FollowUses(ctx, low-1) {
		if err != nil {
			return false, err
		}
		if m.Position > high { // the front was trimmed up to there meanwhile
			return young, nil
		}
		if batch, err = uses.Parse(batch[:0], m.Data); err != nil {
			return false, fmt.Errorf("message %d: %w", m.Position, err)
		}
		for i := range batch {
			r := &batch[i]
			young = young || r.Time.After(since.Add(-nonceSlack))
			if r.Replay == [16]byte{} || r.Time.Before(since) {
				continue
			}
			if err := tell(r); err != nil {
				return false, err
			}
		}
		if m.Position == high {
			return young, nil
		}
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	return false, errors.New("the log stopped being followed")
}
