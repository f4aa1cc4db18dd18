// Package events is the vocabulary of the ledger: every fact it can ever
// record, the name that fact has on disk, how old spellings are read, and the
// contract of the log that keeps them.
//
// The way in: [Encode] turns a [Decision] into the bytes of one log message,
// [Decode] turns a [Message] back into a [Record]; [Log] is what keeps them, and
// package logtest holds every implementation to it.
//
// The limits: facts only. Nothing here knows a rule, a clock, a disk or a
// network, and the package imports the standard library alone.
package events

import "time"

// An Event is something that has happened. The set is closed: only this
// package can add to it, and every kind has one line in the catalog.
//
//sumtype:decl
type Event interface {
	// Kind is the event's name without its version, e.g. "key.created".
	Kind() string
	// About is what the event is about: an access key ID, a user ID, an account ID
	// or a projection's name. It becomes the CloudEvents subject.
	About() string
	event() // seals the set
}

// A Position is a place in the LEDGER log: the stream sequence of a message.
// Positions are compared, never added to; zero is before the first message.
type Position uint64

// Meta is what is recorded about every event of a decision besides the fact.
type Meta struct {
	Time     time.Time   // when it was decided; UTC
	Actor    Actor       // who asked
	ActorKey AccessKeyID // the key that signed the request; empty if none did
	Request  RequestID   // names the request; every retry carries the same one
	Digest   string      // hex SHA-256 of what was asked: another body under the same Request is refused
	Scope    AccountID   // the account in which Request is unique; empty means the subject's account
	SourceIP string      // the client's address; empty for the system's own decisions
	Dialect  string      // the manner in which it was asked: "native", "aws", ...; empty for the system's own
	Policy   Position    // the account's policy under which it was decided; zero if no policy had a say
}

// A Recorded is one event as the log holds it.
type Recorded struct {
	ID    EventID
	Event Event
}

// A Record is one message of the log, decoded: the events of one decision.
type Record struct {
	Position Position
	Subject  Subject
	Meta     Meta
	Events   []Recorded // one to n, in the order they were decided
}

// Owner is the boundary of those whom the record concerns: its subject, but for the
// reservation of an access key ID the keyring that the key is to go to.
func (r *Record) Owner() Subject {
	if r.Subject.Key == "" {
		return r.Subject
	}
	for i := range r.Events {
		if e, ok := r.Events[i].Event.(KeyReserved); ok {
			return KeyringSubject(e.Account, e.User)
		}
	}
	return r.Subject
}

// A Decision is what is to be appended: events that are recorded together or
// not at all.
type Decision struct {
	Subject Subject
	// After is the position of the subject's last message when the decision was
	// made; zero if it had none. The log refuses the decision if that has moved.
	After  Position
	Meta   Meta
	Events []Recorded
	// Reserve lets the decision use the disk space that is kept back when
	// writes are off because the disk is nearly full. Only what makes the system
	// safer (disabling a key) may set it.
	Reserve bool
}
