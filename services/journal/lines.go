package journal

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// lines are ways to ask the server something and hear the answer. The client's own
// requests share one inbox, behind which a goroutine hands answers out; on a line an
// answer goes straight to who waits for it: an append of a few callers costs a twentieth less
// processor time (BenchmarkLines).
type lines struct {
	nc *nats.Conn

	mu   sync.Mutex
	free []*line
}

// A line is an inbox on which at most one answer is awaited.
type line struct {
	inbox    *nats.Subscription
	answers  chan *nats.Msg
	patience *time.Timer
}

func (s *lines) take() (*line, error) {
	s.mu.Lock()
	if n := len(s.free); n > 0 {
		l := s.free[n-1]
		s.free = s.free[:n-1]
		s.mu.Unlock()
		return l, nil
	}
	s.mu.Unlock()
	l := &line{answers: make(chan *nats.Msg, 1), patience: time.NewTimer(time.Hour)}
	l.patience.Stop()
	var err error
	l.inbox, err = s.nc.ChanSubscribe(s.nc.NewInbox(), l.answers)
	return l, err
}

func (s *lines) put(l *line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, l)
}

// ask publishes m and waits for the answer: for so long, and until ctx or the epoch
// ends. The errors are those of a request of the client's.
func (s *lines) ask(ctx, epoch context.Context, m *nats.Msg, patience time.Duration) (*nats.Msg, error) {
	l, err := s.take()
	if err != nil {
		return nil, err
	}
	m.Reply = l.inbox.Subject
	if err := s.nc.PublishMsg(m); err != nil {
		s.put(l)
		return nil, err
	}
	l.patience.Reset(patience)
	defer l.patience.Stop()
	select {
	case answer := <-l.answers:
		s.put(l)
		if len(answer.Data) == 0 && answer.Header.Get("Status") == "503" {
			return nil, nats.ErrNoResponders
		}
		return answer, nil
	case <-l.patience.C:
		err = context.DeadlineExceeded
	case <-ctx.Done():
		err = ctx.Err()
	case <-epoch.Done():
		err = context.Canceled
	}
	_ = l.inbox.Unsubscribe() // a late answer must not be taken for the next one's
	return nil, err
}
