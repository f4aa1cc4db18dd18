package events

import (
	"context"
	"errors"
	"fmt"
	"iter"
)

// A Message is one decision as it lies in the log.
type Message struct {
	Position Position
	Subject  string // as ParseSubject reads it
	Data     []byte // as Decode reads it
}

// Log keeps decisions in one order, for ever. Positions are dense: the first is
// 1, and none is missing. It may be used by many goroutines at once.
// Package logtest holds every implementation to this contract.
type Log interface {
	// Append records d and returns its position; the decision is durable by
	// then. It returns a *ConflictError if the subject's last message is not at d.After, an
	// *UnavailableError if nothing was written because writes are off, and ErrUncertain
	// if it cannot be known whether d was written. Appending the same d again (same event
	// IDs, same After) is safe after any of them: if it was written, its position is
	// returned, and it is never written twice.
	Append(ctx context.Context, d Decision) (Position, error)

	// Last is the position of the last message; zero if the log is empty.
	Last(ctx context.Context) (Position, error)

	// LastOf is the last message of a subject, or ErrNone.
	LastOf(ctx context.Context, s Subject) (Message, error)

	// At is the message at p, ErrNone, or ErrUnread.
	At(ctx context.Context, p Position) (Message, error)

	// Read yields the messages after p up to the last one there is when it is
	// called. An error ends it.
	Read(ctx context.Context, after Position) iter.Seq2[Message, error]

	// Follow yields the messages after p, those there are and then those to
	// come, until ctx ends (which yields no error) or the log fails (which yields one).
	Follow(ctx context.Context, after Position) iter.Seq2[Message, error]
}

// ErrNone says that there is no such message.
var ErrNone = errors.New("events: no such message")

// ErrLost says that a message that has to be there is missing or damaged: waiting does not help.
var ErrLost = errors.New("events: a message of the log is missing or damaged")

// ErrUnread says that the log cannot be read now; later it can.
var ErrUnread = errors.New("events: the log cannot be read now")

// ErrUncertain says that a decision may or may not have been written, now or
// later. Appending it again settles it.
var ErrUncertain = errors.New("events: it is not known whether the decision was written")

// A ConflictError says that the subject moved since it was read: nothing was
// written. Read again as far as Last and decide again.
type ConflictError struct {
	Subject Subject
	Last    Position // of the subject; at least this far must be read
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("events: %s has moved on to position %d", e.Subject, e.Last)
}

// An UnavailableError says that the log takes no writes now, and why. Nothing
// was written.
type UnavailableError struct {
	Reason string // a sentence for operators and clients alike; holds no path and no secret
}

func (e *UnavailableError) Error() string { return "events: writes are off: " + e.Reason }
