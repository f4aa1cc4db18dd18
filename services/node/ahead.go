package node

import (
	"context"
	"errors"

	"golang.org/x/sync/semaphore"

	uses "github.com/keyledger/keyledger/events/access"
)

// aheadMessages bounds how many messages are read ahead, however small they are.
const aheadMessages = 1024

// An ahead is messages of the log that were read and not taken yet, of so many bytes or one message.
type ahead struct {
	bytes    int64
	messages chan uses.Message // closed at the end
	room     *semaphore.Weighted
	failed   error // why it ended; to be read when messages is closed
	batch    []uses.Message
}

// readAhead reads the log behind a position, until ctx ends.
func readAhead(ctx context.Context, log uses.Log, behind uses.Position, bytes int64) *ahead {
	a := &ahead{bytes: bytes, messages: make(chan uses.Message, aheadMessages), room: semaphore.NewWeighted(bytes)}
	go func() {
		defer close(a.messages)
		a.failed = a.read(ctx, log, behind)
	}()
	return a
}

func (a *ahead) read(ctx context.Context, log uses.Log, behind uses.Position) error {
	for m, err := range log.FollowUses(ctx, behind) {
		if err != nil {
			return err
		}
		if err := a.room.Acquire(ctx, a.weight(m)); err != nil {
			return err
		}
		select {
		case a.messages <- m:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.New("the log stopped being followed")
}

func (a *ahead) weight(m uses.Message) int64 { return min(int64(len(m.Data)), a.bytes) }

// all waits for a message and takes all there are. They are valid until the next call. The error is why there are no more.
func (a *ahead) all() ([]uses.Message, error) {
	clear(a.batch)
	m, ok := <-a.messages
	if !ok {
		return nil, a.failed
	}
	a.batch = append(a.batch[:0], m)
	taken := a.weight(m)
	for len(a.messages) > 0 {
		m = <-a.messages
		a.batch = append(a.batch, m)
		taken += a.weight(m)
	}
	a.room.Release(taken)
	return a.batch, nil
}
