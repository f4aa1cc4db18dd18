package logtest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/keyledger/keyledger/events"
)

// A Fault is what befalls an append.
type Fault int

const (
	// None is that the append goes well.
	None Fault = iota
	// LostGoing is that the decision never arrives. The caller is told ErrUncertain.
	LostGoing
	// LostReturning is that the decision is written, but the answer never arrives. The
	// caller is told ErrUncertain.
	LostReturning
	// Late is that the decision arrives when the test says so, with [Memory.Deliver], and is
	// written if its expectation still holds then. The caller is told ErrUncertain.
	Late
	// Off is that writes are off. The caller is told a *events.UnavailableError, unless the
	// decision was written before.
	Off
)

// Memory is an [events.Log] without a disk, for tests that need one that fails
// on demand or that runs inside testing/synctest. It may be used by many goroutines.
type Memory struct {
	mu       sync.Mutex
	messages []stored
	lasts    map[string]events.Position
	late     []events.Decision
	faults   func(events.Decision) Fault
	changed  chan struct{} // closed and replaced when anything changes
	failed   error         // what every Read and Follow ends with
}

// stored is a message, and what became of it since.
type stored struct {
	message events.Message
	after   events.Position
	first   events.EventID
	removed bool // reading it fails
	hidden  bool // reading passes it over
}

var _ events.Log = (*Memory)(nil)

// NewMemory is an empty log.
func NewMemory() *Memory {
	return &Memory{lasts: map[string]events.Position{}, changed: make(chan struct{})}
}

// Fail has choose decide what befalls every append from now on; nil: nothing does.
// choose is called under the log's lock and must not use the log.
func (m *Memory) Fail(choose func(events.Decision) Fault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = choose
}

// FailNext has the next appends meet these faults, one each, in order; what
// comes after them goes well.
func (m *Memory) FailNext(faults ...Fault) {
	m.Fail(func(events.Decision) Fault {
		if len(faults) == 0 {
			return None
		}
		f := faults[0]
		faults = faults[1:]
		return f
	})
}

// Deliver lets everything that is late arrive, in order, and returns how many
// of them were written: one whose subject has moved on is not.
func (m *Memory) Deliver() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := len(m.messages)
	for _, d := range m.late {
		_, _ = m.write(d) // a refusal reaches nobody any more
	}
	m.late = nil
	return len(m.messages) - before
}

// Poison replaces the data of the message at p with what cannot be decoded.
func (m *Memory) Poison(p events.Position) {
	m.change(p, func(s *stored) { s.message.Data = []byte(`[{"specversion":"1.0"`) })
}

// Remove makes a gap at p: At finds nothing there, Read and Follow fail there.
func (m *Memory) Remove(p events.Position) { m.change(p, func(s *stored) { s.removed = true }) }

// Hide makes a gap at p that the log does not notice: Read and Follow pass it
// over. No log should do this; a reader who counts finds it.
func (m *Memory) Hide(p events.Position) { m.change(p, func(s *stored) { s.hidden = true }) }

// Break has every Read and Follow end with err, those under way too; nil mends it.
func (m *Memory) Break(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failed = err
	m.announce()
}

func (m *Memory) change(p events.Position, f func(*stored)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(&m.messages[p-1])
	m.announce()
}

func (m *Memory) announce() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// Append implements [events.Log].
func (m *Memory) Append(ctx context.Context, d events.Decision) (events.Position, error) {
	if _, err := events.Encode(d); err != nil {
		return 0, err
	}
	if ctx.Err() != nil {
		return 0, fmt.Errorf("%w: %w", events.ErrUncertain, ctx.Err())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	fault := None
	if m.faults != nil {
		fault = m.faults(d)
	}
	switch fault {
	case LostGoing:
		return 0, events.ErrUncertain
	case Late:
		m.late = append(m.late, d)
		return 0, events.ErrUncertain
	case LostReturning:
		_, _ = m.write(d)
		return 0, events.ErrUncertain
	case Off:
		if p, err := m.whose(d); p != 0 || err != nil {
			return p, err
		}
		return 0, &events.UnavailableError{Reason: "the test has turned writes off"}
	}
	return m.write(d)
}

// write records d if its expectation holds; m.mu is held.
func (m *Memory) write(d events.Decision) (events.Position, error) {
	if p, err := m.whose(d); p != 0 || err != nil {
		return p, err
	}
	data, err := events.Encode(d)
	if err != nil {
		return 0, err
	}
	p := events.Position(len(m.messages) + 1)
	m.messages = append(m.messages, stored{
		message: events.Message{Position: p, Subject: d.Subject.String(), Data: data},
		after:   d.After, first: d.Events[0].ID,
	})
	m.lasts[d.Subject.String()] = p
	m.announce()
	return p, nil
}

// whose is d's position if it was written, or the conflict that keeps it out,
// or neither.
func (m *Memory) whose(d events.Decision) (events.Position, error) {
	last := m.lasts[d.Subject.String()]
	if last == d.After {
		return 0, nil
	}
	for i := int(d.After); i < len(m.messages); i++ {
		if s := m.messages[i]; s.message.Subject == d.Subject.String() {
			if s.first == d.Events[0].ID && s.after == d.After {
				return s.message.Position, nil
			}
			break
		}
	}
	return 0, &events.ConflictError{Subject: d.Subject, Last: last}
}

// Last implements [events.Log].
func (m *Memory) Last(context.Context) (events.Position, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return events.Position(len(m.messages)), nil
}

// LastOf implements [events.Log].
func (m *Memory) LastOf(ctx context.Context, s events.Subject) (events.Message, error) {
	m.mu.Lock()
	last := m.lasts[s.String()]
	m.mu.Unlock()
	return m.At(ctx, last)
}

// At implements [events.Log].
func (m *Memory) At(_ context.Context, p events.Position) (events.Message, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p == 0 || int(p) > len(m.messages) || m.messages[p-1].removed || m.messages[p-1].hidden {
		return events.Message{}, events.ErrNone
	}
	return clone(m.messages[p-1].message), nil
}

// clone keeps a reader's hands off the log's bytes.
func clone(m events.Message) events.Message {
	m.Data = slices.Clone(m.Data)
	return m
}

// Read implements [events.Log].
func (m *Memory) Read(ctx context.Context, after events.Position) iter.Seq2[events.Message, error] {
	return func(yield func(events.Message, error) bool) {
		last, _ := m.Last(ctx)
		for after < last {
			message, _, err := m.next(after)
			if errors.Is(err, errEnd) || message.Position > last {
				return
			}
			if !yield(message, err) || err != nil {
				return
			}
			after = message.Position
		}
	}
}

// Follow implements [events.Log].
func (m *Memory) Follow(ctx context.Context, after events.Position) iter.Seq2[events.Message, error] {
	return func(yield func(events.Message, error) bool) {
		for ctx.Err() == nil {
			message, changed, err := m.next(after)
			if errors.Is(err, errEnd) {
				select {
				case <-changed:
				case <-ctx.Done():
				}
				continue
			}
			if !yield(message, err) || err != nil {
				return
			}
			after = message.Position
		}
	}
}

// errEnd says that there is no further message yet.
var errEnd = errors.New("logtest: the end of the log")

// next is the first message after a position, or errEnd and what is closed when
// anything has changed.
func (m *Memory) next(after events.Position) (events.Message, <-chan struct{}, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failed != nil {
		return events.Message{}, nil, m.failed
	}
	for i := int(after); i < len(m.messages); i++ {
		s := m.messages[i]
		if s.removed {
			return events.Message{}, nil, fmt.Errorf("logtest: position %d is missing", i+1)
		}
		if !s.hidden {
			return clone(s.message), nil, nil
		}
	}
	return events.Message{}, m.changed, errEnd
}
