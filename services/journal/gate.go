package journal

import (
	"context"
	"sync"
)

// A gate counts the publishes that wait for an answer, so that the server is
// never stopped under one: a server that is being stopped acknowledges messages
// that it no longer writes.
type gate struct {
	mu     sync.Mutex
	inside int
	barred chan struct{} // closed when it opens again; nil while it is open
	empty  chan struct{} // closed when the last has left; nil while nobody waits for that
}

// enter waits while the gate is shut, unless the journal is closed. Whoever has
// entered has to leave.
func (g *gate) enter(ctx context.Context, closed <-chan struct{}) error {
	for {
		g.mu.Lock()
		barred := g.barred
		if barred == nil {
			g.inside++
			g.mu.Unlock()
			return nil
		}
		g.mu.Unlock()
		select {
		case <-barred:
		case <-closed:
			return errClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside--; g.inside == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// shut lets nobody in any more and returns when nobody is inside.
func (g *gate) shut() {
	g.mu.Lock()
	g.barred = make(chan struct{})
	if g.inside == 0 {
		g.mu.Unlock()
		return
	}
	empty := make(chan struct{})
	g.empty = empty
	g.mu.Unlock()
	<-empty
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.barred)
	g.barred = nil
}
