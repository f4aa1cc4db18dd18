package journal

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
)

// subjectUses is the one subject of access records today. More partitions would be
// further subjects under used.>.
const subjectUses = "used.0"

const headerMsgID = "Nats-Msg-Id"

var _ access.Log = (*Journal)(nil)

// AppendUses implements [access.Log]. A publish that is in doubt is repeated under
// the same ID, by which the server knows what it has.
func (j *Journal) AppendUses(ctx context.Context, id string, data []byte) (access.Position, error) {
	if off := j.admit(false); off != nil {
		return 0, off
	}
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	for doubt := false; ; {
		p, err := j.send(ctx, &nats.Msg{Subject: subjectUses, Data: data, Header: nats.Header{headerMsgID: {id}}})
		switch {
		case err == nil:
			j.uses.put(events.Message{Position: p, Subject: subjectUses, Data: data})
			return access.Position(p), nil
		case errors.Is(err, errFull) && !doubt:
			return 0, &events.UnavailableError{Reason: "the log's store takes no writes now"}
		case !errors.Is(err, errUnknown) && !errors.Is(err, errUnsent) && !errors.Is(err, errFull):
			return 0, fmt.Errorf("journal: append access records: %w", err)
		}
		doubt = doubt || errors.Is(err, errUnknown)
		if !pause(ctx, 5*time.Millisecond) {
			return 0, fmt.Errorf("%w: %w", events.ErrUncertain, err)
		}
	}
}

// LastUse implements [access.Log].
func (j *Journal) LastUse(ctx context.Context) (access.Position, error) {
	s, err := j.state(ctx, streamUsed)
	return access.Position(s.State.Last), err
}

// UsesKept are the positions of the first and the last message of USED that are
// there; first is last+1 if there is none.
func (j *Journal) UsesKept(ctx context.Context) (first, last access.Position, err error) {
	s, err := j.state(ctx, streamUsed)
	first, last = access.Position(s.State.First), access.Position(s.State.Last)
	if s.State.Messages == 0 {
		first = last + 1
	}
	return first, last, err
}

// UsesAt is the message of USED at p, events.ErrNone or events.ErrUnread.
func (j *Journal) UsesAt(ctx context.Context, p access.Position) (access.Message, error) {
	if p == 0 {
		return access.Message{}, events.ErrNone
	}
	m, err := j.ask(ctx, "$JS.API.DIRECT.GET."+streamUsed, question{Seq: events.Position(p)})
	return access.Message{Position: access.Position(m.Position), Data: m.Data}, err
}

// A Tail is a journal as many may follow it at once: each keeps less on its way to
// it than a projection does, and so goes more slowly through what is past.
type Tail struct{ *Journal }

// Follow is [Journal.Follow].
func (t Tail) Follow(ctx context.Context, after events.Position) iter.Seq2[events.Message, error] {
	return t.followLedger(ctx, after, true)
}

// FollowUses is [Journal.FollowUses].
func (t Tail) FollowUses(ctx context.Context, after access.Position) iter.Seq2[access.Message, error] {
	return t.followUses(ctx, after, true)
}

// FollowUses implements [access.Log]. It goes on through restarts of the log.
func (j *Journal) FollowUses(ctx context.Context, after access.Position) iter.Seq2[access.Message, error] {
	return j.followUses(ctx, after, false)
}

func (j *Journal) followUses(ctx context.Context, after access.Position, narrow bool) iter.Seq2[access.Message, error] {
	return func(yield func(access.Message, error) bool) {
		at := events.Position(after)
		f := &follower{j: j, stream: streamUsed, fresh: j.uses, trimmed: true, narrow: narrow, at: at, mark: at}
		err := f.follow(ctx, func(m events.Message, err error) bool {
			return yield(access.Message{Position: access.Position(m.Position), Data: m.Data}, err)
		})
		if err != nil {
			yield(access.Message{}, err)
		}
	}
}
