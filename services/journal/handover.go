package journal

import (
	"sync"

	"github.com/keyledger/keyledger/events"
)

const (
	// handoverSlots and handoverBytes bound what is kept for followers: a message
	// that is larger, or that lies further back, they get from the server.
	handoverSlots = 2048
	handoverBytes = 16 << 10
)

// A handover keeps the latest messages that this journal has appended and that
// were acknowledged, so that its own followers need not wait for the server to
// deliver them. What is in it is on disk as far as the profile promises.
type handover struct {
	mu       sync.Mutex
	slots    []events.Message // by position modulo their number
	watchers map[chan struct{}]bool
}

// put keeps a message and tells those who watch.
func (h *handover) put(messages ...events.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.watchers) == 0 {
		return
	}
	for _, m := range messages {
		if len(m.Data) <= handoverBytes {
			h.slots[m.Position%handoverSlots] = m
		}
	}
	for w := range h.watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

// at is the message at p, if it is kept.
func (h *handover) at(p events.Position) (events.Message, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.slots[p%handoverSlots]
	return m, m.Position == p
}

// holds reports whether every message from first to last is kept.
func (h *handover) holds(first, last events.Position) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for p := first; p <= last; p++ {
		if h.slots[p%handoverSlots].Position != p {
			return false
		}
	}
	return true
}

// watch gives a channel that holds a token when something was put, until done
// is called.
func (h *handover) watch() (news <-chan struct{}, done func()) {
	w := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchers[w] = true
	return w, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.watchers, w)
	}
}

func newHandover() *handover {
	return &handover{slots: make([]events.Message, handoverSlots), watchers: map[chan struct{}]bool{}}
}
