package ledger

import (
	"context"
	"sync"

	"github.com/keyledger/keyledger/events"
)

// A queue lets the commands of this node about one subject take turns. The log's
// expectation alone would keep them right; but of many that decide at once all but
// one would decide in vain, and some would never come through.
type queue struct {
	mu    sync.Mutex
	lines map[events.Subject]*line
}

// A line is those who want the same subject.
type line struct {
	turn   chan struct{} // holds one token while nobody has the turn
	wanted int           // by how many, the one who has it included
}

// enter waits for the turn. The error is that of ctx; without one, leave must be
// called.
func (q *queue) enter(ctx context.Context, s events.Subject) (leave func(), err error) {
	l := q.join(s)
	select {
	case <-l.turn:
		return func() {
			l.turn <- struct{}{}
			q.part(s, l)
		}, nil
	case <-ctx.Done():
		q.part(s, l)
		return nil, ctx.Err()
	}
}

func (q *queue) join(s events.Subject) *line {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lines[s]
	if l == nil {
		if q.lines == nil {
			q.lines = map[events.Subject]*line{}
		}
		l = &line{turn: make(chan struct{}, 1)}
		l.turn <- struct{}{}
		q.lines[s] = l
	}
	l.wanted++
	return l
}

func (q *queue) part(s events.Subject, l *line) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if l.wanted--; l.wanted == 0 {
		delete(q.lines, s)
	}
}
