package events

import "time"

// Causes of KeyCreated.
const (
	CauseRequested = "requested" // somebody asked for it
	CauseOpening   = "opening"   // the root user's first key, made when its account opened
	CauseRecovery  = "recovery"  // made with the unlock key at hand, because every other was lost
	CauseImported  = "imported"  // it was moved in with the ID and the secret it has elsewhere
)

// Causes of KeyPurged, besides CauseRequested.
const (
	CauseRetention = "retention" // its time in the recycle bin was over
	CauseOverflow  = "overflow"  // it was the oldest when the recycle bin was full
	CauseNoBin     = "no-bin"    // the account keeps no recycle bin for it
)

// Statuses of a key. A purged key has no other state than this one, for ever.
const (
	StatusActive   = "active"   // it verifies
	StatusDisabled = "disabled" // it does not verify, reversibly
	StatusDeleted  = "deleted"  // it is in the recycle bin
	StatusPurged   = "purged"   // it is gone; its ID is never used again
)

// KeyReserved records that an access key ID is one user's for ever: a key with
// this ID is about to be imported for the user. It lies on a subject of its own, the first
// and last message there, so that no ID is used twice, not even after its purge.
type KeyReserved struct {
	Key     AccessKeyID `json:"access_key_id"`
	Account AccountID   `json:"account_id"`
	User    UserID      `json:"user_id"`
}

// KeyCreated records that a key came to be, active.
type KeyCreated struct {
	Key         AccessKeyID `json:"access_key_id"`
	Description string      `json:"description,omitempty"`
	Cause       string      `json:"cause"`
	Warnings    []string    `json:"warnings,omitempty"` // stable rule names that warned, e.g. "root.create"
	Sealed      Sealed      `json:"sealed,omitzero"`
}

// KeyDisabled records that a key stopped verifying, reversibly.
type KeyDisabled struct {
	Key    AccessKeyID `json:"access_key_id"`
	Reason string      `json:"reason,omitempty"`
}

// KeyEnabled records that a disabled key verifies again.
type KeyEnabled struct {
	Key AccessKeyID `json:"access_key_id"`
}

// KeyDeleted records that a key went to the recycle bin.
type KeyDeleted struct {
	Key      AccessKeyID `json:"access_key_id"`
	PurgeAt  time.Time   `json:"purge_at"` // when it falls due for purge; the time of deletion if there is no bin
	Warnings []string    `json:"warnings,omitempty"`
	// LastUsed is its last allowed use, where a rule had to know; zero if there was none.
	LastUsed time.Time `json:"last_used_at,omitzero"`
}

// KeyRestored records that a key came back from the recycle bin, disabled.
type KeyRestored struct {
	Key AccessKeyID `json:"access_key_id"`
}

// KeyPurged records that a key is gone for ever. Its ID is never used again.
type KeyPurged struct {
	Key   AccessKeyID `json:"access_key_id"`
	Cause string      `json:"cause"`
}

// KeyDescribed records a new description of a key; empty removes it.
type KeyDescribed struct {
	Key         AccessKeyID `json:"access_key_id"`
	Description string      `json:"description"`
}

// KeyRestricted records that a key is under leak protection: there is reason to think that
// somebody else knows its secret. Its status stays. What it may still be used for is said by
// the account's policy.
type KeyRestricted struct {
	Key     AccessKeyID `json:"access_key_id"`
	Reason  string      `json:"reason,omitempty"`   // at most 256 characters
	FoundIn string      `json:"found_in,omitempty"` // where the secret was seen, such as a URL; at most 1024 characters
}

// KeyUnrestricted records that a key is under leak protection no more.
type KeyUnrestricted struct {
	Key    AccessKeyID `json:"access_key_id"`
	Reason string      `json:"reason,omitempty"`
}

// KeyringClosed records that no key can be created for a user any more,
// because the user is about to be removed.
type KeyringClosed struct {
	User UserID `json:"user_id"`
}

// KeyringReopened records that a removal did not go through: keys can be
// created again.
type KeyringReopened struct {
	User UserID `json:"user_id"`
}

func (KeyReserved) Kind() string     { return "key.reserved" }
func (KeyCreated) Kind() string      { return "key.created" }
func (KeyDisabled) Kind() string     { return "key.disabled" }
func (KeyEnabled) Kind() string      { return "key.enabled" }
func (KeyDeleted) Kind() string      { return "key.deleted" }
func (KeyRestored) Kind() string     { return "key.restored" }
func (KeyPurged) Kind() string       { return "key.purged" }
func (KeyDescribed) Kind() string    { return "key.described" }
func (KeyRestricted) Kind() string   { return "key.restricted" }
func (KeyUnrestricted) Kind() string { return "key.unrestricted" }
func (KeyringClosed) Kind() string   { return "keyring.closed" }
func (KeyringReopened) Kind() string { return "keyring.reopened" }

func (e KeyReserved) About() string     { return string(e.Key) }
func (e KeyCreated) About() string      { return string(e.Key) }
func (e KeyDisabled) About() string     { return string(e.Key) }
func (e KeyEnabled) About() string      { return string(e.Key) }
func (e KeyDeleted) About() string      { return string(e.Key) }
func (e KeyRestored) About() string     { return string(e.Key) }
func (e KeyPurged) About() string       { return string(e.Key) }
func (e KeyDescribed) About() string    { return string(e.Key) }
func (e KeyRestricted) About() string   { return string(e.Key) }
func (e KeyUnrestricted) About() string { return string(e.Key) }
func (e KeyringClosed) About() string   { return string(e.User) }
func (e KeyringReopened) About() string { return string(e.User) }

func (KeyReserved) event()     {}
func (KeyCreated) event()      {}
func (KeyDisabled) event()     {}
func (KeyEnabled) event()      {}
func (KeyDeleted) event()      {}
func (KeyRestored) event()     {}
func (KeyPurged) event()       {}
func (KeyDescribed) event()    {}
func (KeyRestricted) event()   {}
func (KeyUnrestricted) event() {}
func (KeyringClosed) event()   {}
func (KeyringReopened) event() {}
