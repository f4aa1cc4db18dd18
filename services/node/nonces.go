package node

import (
	"context"
	"errors"
	"iter"
	"time"

	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/services/journal"
	"github.com/keyledger/keyledger/services/verify"
)

const (
	// noncesAtOnce is how many messages are read at a time, from the end of the log backwards.
	noncesAtOnce = 512
	// nonceSlack is by how much records may lie out of order.
	nonceSlack = time.Minute
	// clockAhead is how far ahead a client's clock may have been when it signed a request that
	// came before a start and of which nothing is known: docs/design/0015.
	clockAhead = time.Minute
	// nonceRounds is how often nonces that count no more are forgotten.
	nonceRounds = time.Minute
)

// keepNonces has the verifier remember the nonces that came before this start, and forget
// those that count no more. Until it has read them, requests that carry one are refused; so a log that
// cannot be read keeps them out for good.
func (n *Node) keepNonces(ctx context.Context) {
	v := n.verifier.Load()
	began := n.config.Now()
	for warned := ""; ; {
		whole, err := recentNonces(ctx, salvaged{n.journal}, began.Add(-verify.MaxReplayWindow), func(r *uses.Record) error {
			return v.Remember(r.Key, r.Replay, r.Time)
		})
		if err == nil && !whole {
			n.config.Logger.Warn("some access records of the last requests are lost: requests with a nonce that may have come before are refused", "until", began.Add(clockAhead))
			v.Forgotten(began.Add(clockAhead))
		}
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
		n.tidyMark()
	}
}

// A salvaged log is read over what is lost of it.
type salvaged struct{ *journal.Journal }

// FollowUses is [journal.Journal.SalvageUses].
func (s salvaged) FollowUses(ctx context.Context, after uses.Position) iter.Seq2[uses.Message, error] {
	return s.SalvageUses(ctx, after)
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
// the log backwards and stops where everything is older. It is not whole if messages that may have held some are lost or
// cannot be read.
func recentNonces(ctx context.Context, log uses.Log, since time.Time, tell func(*uses.Record) error) (whole bool, err error) {
	first, err := log.FirstUse(ctx)
	if err != nil {
		return false, err
	}
	last, err := log.LastUse(ctx)
	if err != nil {
		return false, err
	}
	whole = true
	for last >= first {
		s := stretch{low: max(first, last-min(last, noncesAtOnce)+1), high: last, since: since}
		if err := s.read(ctx, log, tell); err != nil {
			return false, err
		}
		whole = whole && !s.lost
		if !s.young {
			return whole, nil
		}
		last = s.low - 1
	}
	return whole, nil
}

// A stretch is some messages of the log.
type stretch struct {
	low, high uses.Position
	since     time.Time
	young     bool // a record in it is
	gap       bool // a message is missing before the next one whose time is known
	lost      bool // one may be that was young
}

// read tells of the records with a nonce.
func (s *stretch) read(ctx context.Context, log uses.Log, tell func(*uses.Record) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var batch []uses.Record
	next := s.low
	for m, err := range log.FollowUses(ctx, s.low-1) {
		if err != nil {
			return err
		}
		s.gap = s.gap || m.Position > next
		next = m.Position + 1
		if m.Position <= s.high {
			if batch, err = uses.Parse(batch[:0], m.Data); err != nil {
				batch, s.gap = batch[:0], true
			}
			if err := s.take(batch, tell); err != nil {
				return err
			}
		}
		if m.Position >= s.high {
			s.lost = s.lost || s.gap
			s.young = s.young || s.gap
			return nil
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.New("the log stopped being followed")
}

// take tells of those of a message. What is missing before it is no younger than it.
func (s *stretch) take(batch []uses.Record, tell func(*uses.Record) error) error {
	young := false
	for i := range batch {
		r := &batch[i]
		young = young || r.Time.After(s.since.Add(-nonceSlack))
		if r.Replay == [16]byte{} || r.Time.Before(s.since) {
			continue
		}
		if err := tell(r); err != nil {
			return err
		}
	}
	if len(batch) > 0 {
		s.lost = s.lost || s.gap && young
		s.young, s.gap = s.young || young, false
	}
	return nil
}
