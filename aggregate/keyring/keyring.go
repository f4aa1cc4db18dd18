// Package keyring rules the access keys of one user: how many there may be, and
// how each lives and dies.
//
//	         Create                 Delete                    Purge
//	(none) ─────────▶ active ─────────────────────▶ deleted ─────────▶ purged
//	                  │    ▲   (where the policy     │   ▲
//	          Disable │    │    asks no Disable      │   │ Delete
//	                  ▼    │ Enable  first)          │   │
//	                 disabled ◀──────────────────────┘   │
//	                  │           Restore                │
//	                  └──────────────────────────────────┘
//
// Restrict and Unrestrict lay leak protection over a key and take it off; the key's status is
// another matter, and no change of it touches the restriction: only a purge ends both.
//
// Where the account keeps no recycle bin, or none for its root user, Delete
// purges in the same decision. A keyring is closed before its user is removed: from
// then on it takes no key.
//
// The way in: [Decide] turns a [State] and a [Command] into events or a refusal,
// [Evolve] turns the events into the next state. Both are pure: the time, the policy,
// the new key's ID and its sealed secret come in with the call.
//
// The rule over the set: no command raises the number of keys that count above
// the policy's quota, or the number of keys in the recycle bin above its bound. A
// policy that lowers a bound below what is there takes nothing away.
//
// The limits: a purged key leaves the state, so this package cannot tell it from one
// that never was, and no command on a key that is not in the state brings one
// back. That an ID is never used again is seen to by the ledger, which draws fresh
// ones, and reserves those that come from elsewhere and checks them against the table of all keys. When a key was created and
// last used is not here either: the log knows the one, the access records the other.
package keyring

import (
	"time"

	"github.com/keyledger/keyledger/events"
)

// A Status is where a key stands. Only keys that are not purged are in a State.
type Status string

// The statuses of the keys in a State.
const (
	Active   Status = events.StatusActive
	Disabled Status = events.StatusDisabled
	Deleted  Status = events.StatusDeleted // in the recycle bin
)

// A State is one user's keys. Its zero value is a user without any.
type State struct {
	Closed bool  // no key can be created or restored: the user is about to be removed
	Keys   []Key // in the order in which they were created
}

// A Key is one key that is not purged.
type Key struct {
	ID          events.AccessKeyID
	Status      Status
	Description string
	Network     events.NetworkPolicy // of its own; zero if it was never set
	Restricted  bool                 // it is under leak protection, whatever its status
	PurgeAt     time.Time            // when it falls due for purge; UTC; zero unless deleted
	Binned      uint64               // its place in the order in which the keys in the bin were deleted; zero unless deleted
}

// Key is the key with the ID, if it is in the state.
func (s State) Key(id events.AccessKeyID) (Key, bool) {
	if i := s.index(id); i >= 0 {
		return s.Keys[i], true
	}
	return Key{}, false
}

// Count is the number of keys with one of the statuses.
func (s State) Count(statuses ...Status) int {
	n := 0
	for _, k := range s.Keys {
		for _, status := range statuses {
			if k.Status == status {
				n++
			}
		}
	}
	return n
}

func (s State) index(id events.AccessKeyID) int {
	for i := range s.Keys {
		if s.Keys[i].ID == id {
			return i
		}
	}
	return -1
}
