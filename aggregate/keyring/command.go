package keyring

import (
	"time"

	"github.com/keyledger/keyledger/events"
)

// A Command asks for a change of one keyring. The set is closed. A command whose
// rules depend on the account carries the policy in force and, where the root user is
// treated apart, the kind of the user whose keyring it is.
//
//sumtype:decl
type Command interface{ command() }

// Create makes a key, active, and disables it in the same decision if it is to come
// disabled: it needs the room of an active key all the same. Its ID has never been used
// before.
type Create struct {
	Key         events.AccessKeyID
	Description string // as Describe has it
	Cause       string // events.CauseRequested, CauseOpening, CauseRecovery or CauseImported
	Disabled    bool
	Sealed      events.Sealed
	Policy      events.Policy
	OwnerKind   string // events.KindRoot, KindUser or KindCollaborator
}

// Disable stops a key from verifying. A disabled key may stay as it is.
type Disable struct {
	Key    events.AccessKeyID
	Reason string // at most 256 characters; may be empty
}

// Enable lets a disabled key verify again.
type Enable struct {
	Key    events.AccessKeyID
	Policy events.Policy
}

// Delete puts a key into the recycle bin, or purges it if there is none for it.
type Delete struct {
	Key       events.AccessKeyID
	Policy    events.Policy
	OwnerKind string
	LastUsed  time.Time // its last allowed use; zero if it was never used
}

// Restore brings a key back from the recycle bin, disabled.
type Restore struct {
	Key    events.AccessKeyID
	Policy events.Policy
}

// Purge makes an end of a key in the recycle bin.
type Purge struct {
	Key   events.AccessKeyID
	Cause string // events.CauseRequested: now; events.CauseRetention: only if it is due
}

// Describe gives a key a description: at most 256 characters on one line; empty
// removes it.
type Describe struct {
	Key         events.AccessKeyID
	Description string
}

// SetNetworkPolicy says from where a key may be used, as a rule of its own.
type SetNetworkPolicy struct {
	Key     events.AccessKeyID
	Network events.NetworkPolicy
}

// Restrict puts a key under leak protection, wherever it stands: one in the recycle bin
// may come back. A restricted key stays as it is, so that the first report of a leak counts.
type Restrict struct {
	Key     events.AccessKeyID
	Reason  string // at most 256 characters; may be empty
	FoundIn string // where its secret was seen; at most 1024 characters; may be empty
}

// Unrestrict ends the leak protection of a key, where the policy lets anybody do that.
type Unrestrict struct {
	Key    events.AccessKeyID
	Reason string // at most 256 characters; may be empty
	Policy events.Policy
}

// Update gives a key a description, and enables or disables it, at once: both or
// neither. What is nil stays as it is.
type Update struct {
	Key         events.AccessKeyID
	Active      *bool
	Description *string // as Describe has it
	Policy      events.Policy
}

// Close makes the keyring take no key any more, because its user, who has none
// left, is about to be removed.
type Close struct{ User events.UserID }

// Reopen takes Close back.
type Reopen struct{ User events.UserID }

// Recover makes a key for the operator's root user, whose others are lost, even
// though the quota may be full. It makes room first: keys that count against the
// quota go to the recycle bin, disabled ones before active ones and older ones
// before newer ones, until there is room for one. Neither the minimum idle time nor
// a full recycle bin stands in its way: the bin's oldest key is purged if need be.
type Recover struct {
	Key    events.AccessKeyID
	Sealed events.Sealed
	Policy events.Policy
}

func (Create) command()           {}
func (Disable) command()          {}
func (Enable) command()           {}
func (Delete) command()           {}
func (Restore) command()          {}
func (Purge) command()            {}
func (Describe) command()         {}
func (SetNetworkPolicy) command() {}
func (Restrict) command()         {}
func (Unrestrict) command()       {}
func (Update) command()           {}
func (Close) command()            {}
func (Reopen) command()           {}
func (Recover) command()          {}
