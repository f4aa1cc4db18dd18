// Package access is the vocabulary of the USED log: one record for each request
// that named an access key and what was decided about it, many records in one
// message.
//
// The way in: [Append] makes a message of records and [Parse] reads one;
// access.proto says the same to other languages. [Log] is what keeps the messages.
//
// The limits: it knows no clock, no disk and no network. A record holds no
// secret and no signature.
package access

import (
	"context"
	"iter"
	"net/netip"
	"time"

	"github.com/keyledger/keyledger/events"
)

// A Record is one request that named an access key.
type Record struct {
	ID       [16]byte  // a UUID, version 7
	Time     time.Time // when it was decided; UTC, in microseconds
	Key      events.AccessKeyID
	Account  events.AccountID // of the key
	User     events.UserID    // of the key
	Outcome  Outcome
	Reason   string // stable; empty if it was allowed
	Scheme   string // of the signature
	Service  string // what the request was for, as far as it says
	Action   string
	Region   string
	SourceIP netip.Addr // of the client; invalid if it is not known
	// UserAgent is cut to MaxUserAgent bytes.
	UserAgent string
	RequestID string
	Position  events.Position // at which it was decided
	// Replay is a hash of the key and what must not come twice, where the scheme
	// has such a thing; zero where it has not.
	Replay [16]byte
	// Count is how many attempts a summary stands for; 0 means one: the record's own.
	Count uint32
}

// An Outcome is what became of a request.
type Outcome uint8

// The outcomes. The numbers are on disk.
const (
	Attempt Outcome = 0 // the signature did not verify in its time window, or it came twice
	Denied  Outcome = 1 // a use: genuine, and refused
	Allowed Outcome = 2 // a use: genuine, and allowed
)

// Use reports whether the request was genuine.
func (o Outcome) Use() bool { return o == Denied || o == Allowed }

func (o Outcome) String() string {
	switch o {
	case Attempt:
		return "attempt"
	case Denied:
		return "denied"
	case Allowed:
		return "allowed"
	}
	return "unknown"
}

// ContentType of a message's data, where it is told to those outside.
const ContentType = "application/protobuf"

// Bounds of a message. What comes from outside is cut to MaxText and
// MaxUserAgent bytes by whoever makes the record.
const (
	MaxRecords   = 500
	MaxUserAgent = 256
	MaxText      = 128 // bytes of Reason, Scheme, Service, Action, Region and RequestID
)

// Kept is how long access records are kept and told: three months, whichever they are.
const Kept = 92 * 24 * time.Hour

// A Position is the sequence of a message in USED. Positions are compared, never
// added to LEDGER's; the first ones are missing once they were trimmed.
type Position uint64

// A Message is a batch of records as it lies in the log.
type Message struct {
	Position Position
	Data     []byte // as Parse reads it
}

// A Log keeps access records for three months, and summaries of them for ever. It may be used by many goroutines at once.
type Log interface {
	// AppendUses records a batch under an ID of its own and returns its position; it is
	// as durable as the log by then. Errors are a *events.UnavailableError (nothing was
	// written) and events.ErrUncertain, after which the same batch with the same ID may be
	// sent again for two minutes: it is never written twice.
	AppendUses(ctx context.Context, id string, data []byte) (Position, error)
	// SettleUses says where a batch lies that was sent under an ID, behind a position that was before it was
	// sent first; zero if it is nowhere, and never will be by what was sent. It asks the log itself and
	// may be slow: it is for those who cannot send the batch again within two minutes. Errors are as of AppendUses.
	SettleUses(ctx context.Context, id string, after Position) (Position, error)
	// LastUse is the position of the last message; zero if there never was one.
	LastUse(ctx context.Context) (Position, error)
	// FollowUses yields the messages after p that are still there and those to come, until
	// ctx ends (which yields no error) or the log fails (which yields one). What was trimmed
	// from the front is passed over; another gap is an error.
	FollowUses(ctx context.Context, after Position) iter.Seq2[Message, error]
	// FirstUse is the position of the first message that was not trimmed, be it lost; where all
	// were, the one that the next will have.
	FirstUse(ctx context.Context) (Position, error)
	// TrimUses removes the messages up to and including last, for good. It may be repeated.
	TrimUses(ctx context.Context, last Position) error
	// AppendSummary keeps a page of what was known of a day, in UTC, for ever. After an error
	// it may have been kept all the same; a page that is kept twice says nothing new.
	AppendSummary(ctx context.Context, day time.Time, page []byte) error
	// Summaries yields every page that is kept, in the order in which they came.
	Summaries(ctx context.Context) iter.Seq2[[]byte, error]
}
