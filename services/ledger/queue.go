package ledger

import (
	"context"
	"sync"

	"github.com/keyledger/keyledger/events"
)

// A queue lets the commands of this node take turns: those about one subject,
// and the sendings of one request. The log's expectation alone would keep a subject right;
// but of many that decide at once all but one would decide in vain, and some would
// never come through. Two sendings of one request about different subjects (each
// opens an account it has drawn) would not even be in each other's way.
type queue struct {
	mu    sync.Mutex
	lines map[any]*line // by events.Subject or requestName
}

// A requestName is what a request is unique by.
type requestName struct {
	scope events.AccountID
	actor events.Actor
	id    events.RequestID
}

// A line is those who want the same turn.
type line struct {
	turn   chan struct{} // holds one token while nobody has the turn
	wanted int           // by how many, the one who has it included
}

// enter waits for the turn. The error is that of ctx; without one, leave must be
// called.
func (q *queue) enter(ctx context.Context, what any) (leave func(), err error) {
	l := q.join(what)
	select {
	case <-l.turn:
		return func() {
			l.turn <- struct{}{}
			q.part(what, l)
		}, nil
	case <-ctx.Done():
		q.part(what, l)
		return nil, ctx.Err()
	}
}

func (q *queue) join(what any) *line {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lines[what]
	if l == nil {
		if q.lines == nil {
			q.lines = map[any]*line{}
		}
		l = &line{turn: make(chan struct{}, 1)}
		l.turn <- struct{}{}
		q.lines[what] = l
	}
	l.wanted++
	return l
}

func (q *queue) part(what any, l *line) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if l.wanted--; l.wanted == 0 {
		delete(q.lines, what)
	}
}
