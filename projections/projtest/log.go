package projtest

import (
	"context"
	"iter"
	"slices"
	"sync"

	"github.com/keyledger/keyledger/events"
)

// A Log is messages in memory, as projections read them. It may be used by
// many goroutines at once.
type Log struct {
	mu       sync.Mutex
	messages []events.Message
	grown    chan struct{} // closed when messages grow
	deliver  func(events.Position)
}

// NewLog is a log that holds messages, whose positions are 1, 2, ...
func NewLog(messages ...events.Message) *Log {
	return &Log{messages: slices.Clip(messages), grown: make(chan struct{})}
}

// Append adds messages at the end. Their positions are kept, so that a log
// with a gap can be made.
func (l *Log) Append(messages ...events.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.messages = append(l.messages, messages...) // what was handed out stays as it is
	close(l.grown)
	l.grown = make(chan struct{})
}

// OnDeliver calls f before each message is delivered by Follow.
func (l *Log) OnDeliver(f func(events.Position)) { l.deliver = f }

func (l *Log) all() ([]events.Message, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.messages, l.grown
}

// Last is the position of the last message, zero if there is none.
func (l *Log) Last(context.Context) (events.Position, error) {
	all, _ := l.all()
	if len(all) == 0 {
		return 0, nil
	}
	return all[len(all)-1].Position, nil
}

// Read yields the messages after a position.
func (l *Log) Read(ctx context.Context, after events.Position) iter.Seq2[events.Message, error] {
	all, _ := l.all()
	return func(yield func(events.Message, error) bool) {
		for _, m := range all {
			if m.Position > after && (ctx.Err() != nil || !yield(m, nil)) {
				return
			}
		}
	}
}

// Follow yields the messages after a position, those there are and those to
// come.
func (l *Log) Follow(ctx context.Context, after events.Position) iter.Seq2[events.Message, error] {
	return func(yield func(events.Message, error) bool) {
		for at := 0; ; {
			all, grown := l.all()
			for ; at < len(all); at++ {
				if all[at].Position <= after {
					continue
				}
				if l.deliver != nil {
					l.deliver(all[at].Position)
				}
				if ctx.Err() != nil || !yield(all[at], nil) {
					return
				}
			}
			select {
			case <-grown:
			case <-ctx.Done():
				return
			}
		}
	}
}
