// Package access is what is known of requests that named an access key: who used
// which key when and from where, when a key was last used, and how often on each day.
// It folds the messages of USED into rows of a Pebble store of its own.
//
// The way in: [Open] opens the [Store]; [Store.Apply] folds messages in, and
// [Store.Position] says where to follow the log from. [Store.List] answers by key, account,
// address, time and outcome, [Store.Last] and [Store.LastOf] when keys were last used,
// [Store.Counts] how often. [Store.Drop] forgets whole months; [Store.Summaries] and
// [Store.ApplySummary] carry what must outlive the log.
//
// The limits: one goroutine applies, drops and summarises, any number may ask. Rows and
// the position that they are of are written in one batch and not synced: after a crash the
// store is at an earlier message, never at a wrong one, and what is missing is read from the
// log again. It knows no clock: what is too old to be told is passed in with each question.
// The rows are a function of the messages and summaries alone, not of how they were batched.
// Every byte of them is described in docs/format/access-rows.md.
package access

import (
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	uses "github.com/keyledger/keyledger/events/access"
)

// A Store holds the rows. Everything that asks may be called by many goroutines at once;
// everything that writes is done one at a time.
type Store struct {
	db *pebble.DB

	applying sync.Mutex // held by whatever writes
	fold     *folder    // belongs to the holder of applying
	latest   day        // that has counters; belongs to it too

	position atomic.Uint64           // of the last message in the rows
	low      atomic.Uint32           // the lowest live month
	months   atomic.Pointer[[]month] // those with rows, the latest first; replaced, never changed
}

// Position is that of the last message that is in the rows, where following the log goes
// on; zero if there is none.
func (s *Store) Position() uses.Position { return uses.Position(s.position.Load()) }

// Close closes the store. Nothing may be using it.
func (s *Store) Close() error { return s.db.Close() }

// Flush makes what is written so far durable. It is never needed for correctness; the log
// must keep what is not flushed, and with it the next start reads less.
func (s *Store) Flush() error { return s.db.Flush() }

// DiskBytes is what the store takes on disk, recycled files of its own log included.
func (s *Store) DiskBytes() uint64 { return s.db.Metrics().DiskSpaceUsage() }
