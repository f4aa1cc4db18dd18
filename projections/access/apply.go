package access

import (
	"fmt"

	uses "github.com/keyledger/keyledger/events/access"
)

// A GapError says that a message is missing: nothing of it or behind it was applied.
type GapError struct{ Want, Got uses.Position }

func (e *GapError) Error() string {
	return fmt.Sprintf("access: the message at position %d is missing: the next one is at %d", e.Want, e.Got)
}

// A PoisonedError says that a message cannot be read. Everything before it is applied.
type PoisonedError struct {
	Position uses.Position
	Err      error
}

func (e *PoisonedError) Error() string {
	return fmt.Sprintf("access: the message at position %d cannot be applied: %v", e.Position, e.Err)
}

func (e *PoisonedError) Unwrap() error { return e.Err }

// An OrderError says that a message was to be passed that is not the next one.
type OrderError struct{ Next, Got uses.Position }

func (e *OrderError) Error() string {
	return fmt.Sprintf("access: position %d cannot be passed: the next is %d", e.Got, e.Next)
}

// batchBytes is how much is gathered before it is written. Much of it becomes a table without a memtable, so that the fewer
// there are, the fewer have to be merged.
const batchBytes = 40 << 20

// Apply folds consecutive messages in, from the first of the log on or where SkipTo said that it begins; what is in the rows
// already is passed over. An error is
// a *GapError or *PoisonedError, and everything before that message is applied; or a fault,
// after which Position says what is.
func (s *Store) Apply(messages []uses.Message) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	at, stopped, err := s.gather(messages)
	if err == nil {
		err = s.write(at)
	}
	if err != nil {
		s.fold.reset()
		return fmt.Errorf("access: apply: %w", err)
	}
	return stopped
}

// gather folds messages into the folder. It is the position up to which they are, why the
// next one is not, and a fault, after which nothing that was gathered can be used.
func (s *Store) gather(messages []uses.Message) (at uses.Position, stopped, err error) {
	at = s.Position()
	for _, m := range messages {
		if m.Position <= at {
			continue
		}
		if m.Position != at+1 {
			return at, &GapError{Want: at + 1, Got: m.Position}, nil
		}
		if err := s.fold.read(m); err != nil {
			return at, &PoisonedError{m.Position, err}, nil
		}
		if err := s.fold.add(m.Position); err != nil {
			return at, nil, err
		}
		at = m.Position
		if len(s.fold.pending.bytes) < batchBytes {
			continue
		}
		if err := s.write(at); err != nil {
			return at, nil, err
		}
	}
	return at, nil, nil
}

// write commits what was gathered up to a position, if it is not written.
func (s *Store) write(at uses.Position) error {
	if at == s.Position() {
		return nil
	}
	return s.fold.commit(at)
}

// SkipTo says that the log begins at first: what was before it has been trimmed. Apply goes
// on there. It does nothing if the rows have come so far.
func (s *Store) SkipTo(first uses.Position) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	if first == 0 || first-1 <= s.Position() {
		return nil
	}
	return s.pass(first - 1)
}

// Skip passes the message at a position, which must be the next one: an operator has seen
// that it cannot be applied. A position that was passed before is passed again. The error is an *OrderError
// or a fault.
func (s *Store) Skip(p uses.Position) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	at := s.Position()
	if p <= at {
		return nil
	}
	if p != at+1 {
		return &OrderError{Next: at + 1, Got: p}
	}
	return s.pass(p)
}

// pass moves the position. The caller holds applying.
func (s *Store) pass(p uses.Position) error {
	if err := s.fold.commit(p); err != nil {
		s.fold.reset()
		return fmt.Errorf("access: pass to %d: %w", p, err)
	}
	return nil
}
