package journal

import (
	"sync"

	"github.com/keyledger/keyledger/events"
)

// A handover keeps the latest messages that this journal has appended and that
// were acknowledged, so that its own followers need not wait for the server to
// deliver them. What is in it is on disk as far as the profile promises.
type handover struct {
	size int // of the largest message that is kept

	mu       sync.Mutex
	slots    []events.Message // by position modulo their number
	last     events.Position  // the highest that was put, kept or not
	watchers map[chan struct{}]bool
	readers  map[chan struct{}]bool // they read here what watchers would bring them
}

// put keeps messages and tells those who read here, or else those who watch.
func (h *handover) put(messages ...events.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range messages {
		h.last = max(h.last, m.Position)
		if len(m.Data) <= h.size && len(h.watchers)+len(h.readers) > 0 {
			*h.slot(m.Position) = m
		}
	}
	told := h.readers
	if len(told) == 0 {
		told = h.watchers
	}
	for w := range told {
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
	m := *h.slot(p)
	return m, m.Position == p
}

func (h *handover) slot(p events.Position) *events.Message {
	return &h.slots[p%events.Position(len(h.slots))]
}

// latest is the highest position that was put, whether it is kept or not.
func (h *handover) latest() events.Position {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last
}

// holds reports whether every message from first to last is kept.
func (h *handover) holds(first, last events.Position) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for p := first; p <= last; p++ {
		if h.slot(p).Position != p {
			return false
		}
	}
	return true
}

// watch gives a channel that holds a token when something was put, until done
// is called. While somebody is subscribed, it stays silent: a watcher looks from time to
// time.
func (h *handover) watch() (news <-chan struct{}, done func()) { return h.enter(h.watchers) }

// subscribe is watch for somebody who reads here before anybody else.
func (h *handover) subscribe() (news <-chan struct{}, done func()) { return h.enter(h.readers) }

func (h *handover) enter(who map[chan struct{}]bool) (news <-chan struct{}, done func()) {
	w := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	who[w] = true
	return w, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(who, w)
	}
}

// newHandover keeps so many messages of at most so many bytes; what is larger, or
// lies further back, followers get from the server.
func newHandover(messages, size int) *handover {
	return &handover{size: size, slots: make([]events.Message, messages), watchers: map[chan struct{}]bool{}, readers: map[chan struct{}]bool{}}
}
