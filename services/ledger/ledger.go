// Package ledger is the one way to change anything.
//
// Every command takes the same path: it is named by a request ID; what is
// known is read in one view; the aggregate decides; the decision is appended to the
// log under the expectation that its subject has not moved; and the answer waits until
// this node's own projections have applied it. A subject that moved is read
// and decided again. A request that wrote something is remembered for ever:
// asked again it gets the same answer, and its ID with another body is refused.
//
// The way in is [New] and the methods of [Ledger]. Their errors are of three
// kinds: *aggregate.Refusal (a rule said no, nothing was written),
// *events.UnavailableError (nothing was written, try later) and [ErrUnknown] (it may have
// been written: ask again with the same request ID). Anything else is a fault.
//
// The limits: it knows no caller and no permission; doors ask those first.
package ledger

import (
	"context"
	"errors"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/identity"
	"github.com/keyledger/keyledger/services/vault"
)

// ErrUnknown says that the outcome of a command is not known: it may have been
// recorded, or may yet be. The same request with the same ID settles it.
var ErrUnknown = errors.New("ledger: it is not known whether the command was recorded; send the same request with the same request ID")

// errBusy says that a subject moved each time it was read.
var errBusy = &events.UnavailableError{Reason: "too many commands for the same user or account at once; try again"}

// Config is what a Ledger stands on. All fields but LastUsed and Patience are required.
type Config struct {
	Log   events.Log
	View  func() View                                        // what is known, of one moment
	Wait  func(ctx context.Context, p events.Position) error // until the critical projections have applied p
	Vault *vault.Vault
	Draw  identity.Source  // IDs and secrets
	Now   func() time.Time // wall clock
	// LastUsed is when a key was last used and let through, all uses before the call
	// included; zero if never. If it is nil, no key ever was.
	LastUsed func(ctx context.Context, key events.AccessKeyID) (time.Time, error)
	// Patience bounds one command from its first append to its answer; past it the
	// outcome is ErrUnknown. Ten seconds if zero.
	Patience time.Duration
}

// A Ledger carries out commands. It may be used by many goroutines at once.
type Ledger struct {
	Config
	turns queue
}

// New says what is missing from c, or gives a Ledger.
func New(c Config) (*Ledger, error) {
	if c.Log == nil || c.View == nil || c.Wait == nil || c.Vault == nil || c.Now == nil {
		return nil, errors.New("ledger: Log, View, Wait, Vault and Now are required")
	}
	if c.Patience == 0 {
		c.Patience = 10 * time.Second
	}
	return &Ledger{Config: c}, nil
}

// A Request says who asks, and names the asking so that it is safe to send twice.
type Request struct {
	ID       events.RequestID // empty: drawn; it is in the Outcome
	Actor    events.Actor
	ActorKey events.AccessKeyID
	Scope    events.AccountID // the account in which ID is unique; empty: the one the command is about
	SourceIP string
	Dialect  string
	Digest   string // hex SHA-256 of what was asked
}

// An Outcome is the answer to a command that was not refused.
type Outcome struct {
	Request  events.RequestID
	Position events.Position // at which the answer is true
	Time     time.Time       // when it was decided
	Events   []events.Event  // what was recorded; none if the facts already held
	Repeated bool            // it had been recorded by an earlier sending of the same request
}
