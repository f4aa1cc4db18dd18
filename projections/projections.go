// Package projections folds the log into what is known: rows in a Pebble
// store that answer lists, look-ups and audits, and that can be thrown away and
// rebuilt from the log at any time.
//
// The way in: [Open] opens the [Store]; [NewRunner] checks that it belongs to
// this log, and [Runner.Run] follows the log and lets every [Projection] fold each
// record into its tables; [Runner.Wait] gives read-your-writes; [Store.View] is all
// the rows at one moment. The projections themselves are in the folders beside this
// file, with their queries; [Fold] makes one of any pure function of events.
// Package projtest holds each of them to the same promises.
//
// The limits: an Apply depends on nothing but its arguments, so that a rebuild
// gives the same rows. Rows and the position that they are of are written in one batch
// and not synced: after a crash the store is at an earlier moment, never at a wrong one,
// and what is missing is read from the log again. Rows of a long stretch of the log are
// gathered in memory, within Options.BulkBytes, and are there with their position or not at
// all. Nothing here knows a rule, a clock or a
// network; the store's own files are the only I/O.
package projections

import (
	"context"
	"iter"

	"github.com/keyledger/keyledger/events"
)

// A Projection folds records into rows of its own tables.
type Projection interface {
	// Name is stable: positions, acknowledgements and operators know the
	// projection by it.
	Name() string
	// Version is raised to have the rows rebuilt from the first record.
	Version() int
	// Tables are those that Apply writes to. No two projections share one.
	Tables() []TableID
	// Apply folds r in. It depends on nothing but its arguments. An error stops
	// this projection at r and is shown to the operator; what was written to b for r
	// is taken back.
	Apply(b *Batch, r events.Record) error
}

// A Part is a projection and how much hangs on it.
type Part struct {
	Projection Projection
	// Critical projections are what commands and decisions rest on: Wait waits
	// for them.
	Critical bool
}

// Source is the part of a log that projections need. events.Log satisfies it.
type Source interface {
	// Last is the position of the last message; zero if the log is empty.
	Last(ctx context.Context) (events.Position, error)
	// Read yields the messages after p up to the last one there is when it is
	// called.
	Read(ctx context.Context, after events.Position) iter.Seq2[events.Message, error]
	// Follow yields the messages after p, those there are and those to come.
	Follow(ctx context.Context, after events.Position) iter.Seq2[events.Message, error]
}

// Recent is a Source that has the newest messages at hand: the runner takes them
// from there as soon as there are any, and what Follow brings later is passed over.
type Recent interface {
	// Recent is the message at p, if it is at hand. Follow would give the same.
	Recent(p events.Position) (m events.Message, found bool)
	// News gives a channel that holds a token when there may be something new at
	// hand, until done is called.
	News() (news <-chan struct{}, done func())
}
