package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"
)

// A flight is a batch that the server may show to readers before it is on disk.
type flight struct {
	id     string
	landed chan struct{} // closed when its callers have been answered
	synced bool          // all that was written of it is on disk; set before landed is closed
}

// flights are the batches of which it is not known that they are on disk: the one
// under way, and those that were never answered for.
type flights struct {
	mu  sync.Mutex
	all map[string]*flight
}

func (s *flights) start() *flight {
	f := &flight{id: nats.NewInbox(), landed: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[f.id] = f
	return f
}

// land says how a batch ended. An answer to one is an answer for those before it:
// the server takes them one after the other.
func (s *flights) land(f *flight, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.synced = !errors.Is(err, errUnknown); f.synced {
		delete(s.all, f.id)
	}
	if err == nil {
		clear(s.all)
	}
	close(f.landed)
}

func (s *flights) forget(f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, f.id)
}

// of is the flight with an ID; nil if it is known to be on disk, or is another
// node's.
func (s *flights) of(id string) *flight {
	if id == "" {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[id]
}

// onDisk waits until all that was written of a batch is on disk. If nobody knows
// what became of the batch, it asks the server; the error is that it does not answer.
func (j *Journal) onDisk(ctx context.Context, id string) error {
	f := j.group.flights.of(id)
	if f == nil {
		return nil
	}
	select {
	case <-f.landed:
	case <-ctx.Done():
		return ctx.Err()
	}
	if f.synced {
		return nil
	}
	if err := j.passThrough(ctx); err != nil {
		return err
	}
	j.group.flights.forget(f)
	return nil
}

// passThrough returns when the server has done all that it was sent before. It
// works on a stream's messages one after the other, a batch until it is written
// through, so it is enough to send one more and wait for the answer: one that
// follows on a position no subject reaches, and is refused.
func (j *Journal) passThrough(ctx context.Context) error {
	_, err := j.send(ctx, &nats.Msg{Subject: passSubject, Header: nats.Header{headerExpected: {noPosition}}})
	switch {
	case errors.Is(err, errUnknown), errors.Is(err, errUnsent):
		return err
	case err == nil:
		return fmt.Errorf("journal: the server took a message that follows on nothing, on %s", passSubject)
	}
	return nil
}

const (
	passSubject = "ledger.none"         // one of LEDGER's, on which nothing is ever written
	noPosition  = "1000000000000000000" // the server reads an int64
)
