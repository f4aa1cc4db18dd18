package api

import (
	"context"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/permission"
)

// An Account is what is known of an account.
type Account struct {
	ID        events.AccountID
	Name      string
	Operator  bool
	Preset    string
	Overrides []byte // JSON; empty if there are none
	Policy    events.Policy
	Network   events.NetworkPolicy // from where its keys may be used; zero if it was never set
	Root      events.UserID
	OpenedAt  time.Time
	Position  events.Position
}

// A User is what is known of a user.
type User struct {
	ID      events.UserID
	Account events.AccountID
	Name    string
	Kind    string
	Role    string
	Grants  []string
	AddedAt time.Time
}

// A Key is what is known of a key.
type Key struct {
	ID          events.AccessKeyID
	Owner       events.Subject
	Status      string
	Description string
	Cause       string
	CreatedAt   time.Time
	ChangedAt   time.Time            // of its status
	DeletedAt   time.Time            // zero unless in the recycle bin or purged
	PurgeAt     time.Time            // zero unless in the recycle bin
	PurgedAt    time.Time            // zero unless purged
	Network     events.NetworkPolicy // of its own; zero if it was never set
	Restriction Restriction          // zero unless it is under leak protection
}

// A Restriction says since when a key is under leak protection, why, and where its secret was
// seen.
type Restriction struct {
	Since   time.Time
	Reason  string
	FoundIn string
}

// A GatewayToken is what is known of a gateway token.
type GatewayToken struct {
	ID           events.GatewayTokenID
	Account      events.AccountID
	Name         string
	Installation bool // it serves every account, not only its own
	CreatedAt    time.Time
	RevokedAt    time.Time // zero while it is live
}

// Serves says whether the gateway may ask for verification of an account's keys.
func (g GatewayToken) Serves(a events.AccountID) bool { return g.Installation || g.Account == a }

// A Page is a part of a list. Cursor is empty at the beginning; Limit is 1 to 1000.
type Page struct {
	Cursor string
	Limit  int
}

// A KeyFilter says which keys to list: of an account, or of one user of it,
// with some statuses.
type KeyFilter struct {
	Account  events.AccountID
	User     events.UserID // empty: every user's
	Statuses []string      // empty: any but purged
}

// An EventFilter says which lifecycle events to list. Empty fields ask for nothing.
type EventFilter struct {
	Account events.AccountID
	Actor   events.Actor
	User    events.UserID
	Key     events.AccessKeyID
	Action  string // an event's name: "key.created"
	Since   time.Time
	Until   time.Time
}

// Queries is what is known, as the API asks for it. Lists are newest first; next
// is empty at the end. A cursor that is none of the list's is a *projections.CursorError.
type Queries interface {
	// Caller is the user that owns a key, with role and grants.
	Caller(owner events.Subject) (permission.Caller, error)
	Account(a events.AccountID) (Account, bool, error)
	Accounts(name string, p Page) (list []Account, next string, err error)
	User(a events.AccountID, u events.UserID) (User, bool, error)
	// UserByName finds the user who holds a name, spelt in any case.
	UserByName(a events.AccountID, name string) (User, bool, error)
	Users(a events.AccountID, p Page) (list []User, next string, err error)
	Key(k events.AccessKeyID) (Key, bool, error)
	Keys(f KeyFilter, p Page) (list []Key, next string, err error)
	// Gateway is the live gateway token that a text is. It takes the same work
	// whether there is one or not.
	Gateway(token string) (GatewayToken, bool, error)
	// GatewayToken and GatewayTokens know revoked ones too.
	GatewayToken(a events.AccountID, id events.GatewayTokenID) (GatewayToken, bool, error)
	GatewayTokens(a events.AccountID, p Page) (list []GatewayToken, next string, err error)
	// Events lists lifecycle events as CloudEvents, without what is sealed.
	Events(f EventFilter, p Page) (list []Event, next string, err error)
	// PositionAt is the longest prefix of the log whose times are all at or before t.
	PositionAt(t time.Time) (events.Position, error)
	// KeysAsOf is a user's keys as they were at p, newest first, purged ones too.
	KeysAsOf(owner events.Subject, p events.Position) ([]Key, error)
	// Wait ends when what is known has reached p.
	Wait(ctx context.Context, p events.Position) error
	// Applied is how far what is known has come.
	Applied() events.Position
}

// An Event is one lifecycle event.
type Event struct {
	Position events.Position
	JSON     []byte // a CloudEvents 1.0 event
}

// Status is the state of the installation's parts, for operators.
type Status struct {
	Ready       bool          `json:"ready"`
	Last        uint64        `json:"last_position"`
	Projections []Projection  `json:"projections"`
	Clock       string        `json:"clock" doc:"\"trusted\", or why purging has stopped"`
	Whole       bool          `json:"whole" doc:"whether nothing is known to be wrong with what the log holds"`
	Log         string        `json:"log" doc:"\"whole\", or what is wrong with it"`
	Writes      string        `json:"writes" doc:"\"on\", or why they are off"`
	Records     RecordsStatus `json:"records"`
	Secrets     string        `json:"secrets" doc:"whether every key has a secret that opens"`
	Unknown     []Source      `json:"unknown_key_sources,omitempty" doc:"where most requests came from that named no key of this ledger, since the start; readyz leaves them out"`
}

// A Source is where requests came from that named no key.
type Source struct {
	Prefix string    `json:"source" doc:"an IPv4 address, or the first 64 bits of an IPv6 address"`
	Count  uint64    `json:"count"`
	More   uint64    `json:"at_most_too_high_by" doc:"there were more sources than are told apart"`
	Last   time.Time `json:"last"`
}

// RecordsStatus is how far the access records have come.
type RecordsStatus struct {
	Position uint64 `json:"position" doc:"of the last message of USED that they hold"`
	Last     uint64 `json:"last" doc:"message of USED; zero if the log does not answer"`
	Stopped  string `json:"stopped,omitempty" doc:"why they follow no more"`
	// Rebuilding is not said of what a start reads.
	Rebuilding bool `json:"rebuilding,omitempty" doc:"they are being built anew, and nothing is told of them before the end"`
	// What an operator may let pass.
	StoppedAt uint64   `json:"stopped_at,omitempty" doc:"message of USED at which they stopped: one that is lost or cannot be read"`
	Damage    []Damage `json:"damage,omitempty" doc:"places at which messages of USED or SUMMARY were lost"`
}

// A Damage is a place of a stream at which messages were lost.
type Damage struct {
	Name         string `json:"name" enum:"records,summary" doc:"under which an operator lets it pass"`
	Stream       string `json:"stream"`
	Block        string `json:"block" doc:"file of the stream; as it was found it is kept in log/aside"`
	Offset       int64  `json:"offset" doc:"in what the block holds, decompressed"`
	From         uint64 `json:"from" doc:"first message that is lost"`
	Through      uint64 `json:"through" doc:"last message that is lost; at most so many are"`
	Reason       string `json:"reason"`
	Acknowledged bool   `json:"acknowledged" doc:"whether an operator has let it pass"`
}

// A Projection is how far one projection has come.
type Projection struct {
	Name     string `json:"name"`
	Position uint64 `json:"position"`
	Critical bool   `json:"critical" doc:"whether commands and verification wait for it"`
	Degraded string `json:"degraded,omitempty" doc:"why it stopped, and where"`
	// A rebuild goes on beside the rows that answer.
	Rebuilding    bool   `json:"rebuilding,omitempty" doc:"whether it is being built anew"`
	RebuiltTo     uint64 `json:"rebuilt_to,omitempty" doc:"the position that the new one has reached"`
	RebuildFailed string `json:"rebuild_failed,omitempty" doc:"why the last rebuild came to nothing"`
}

// Operator is what an operator can see and do beyond accounts.
type Operator interface {
	// Account is the operator's account.
	Account() events.AccountID
	Status(ctx context.Context) Status
	// ClockConfirmed is called when a confirmation has been recorded. It holds over a restart when it returns.
	ClockConfirmed(ctx context.Context) error
	// Stopped is nil if the projection has stopped at the position. through is the last
	// position that is passed with it, zero if there is none.
	Stopped(projection string, p events.Position) (through events.Position, err error)
	// Rebuild begins to build a projection anew; Status shows how far it is.
	Rebuild(projection string) error
}
