package account

import (
	"encoding/json"

	"github.com/keyledger/keyledger/events"
)

// A Command asks for a change of an account's own facts. The set is closed.
//
//sumtype:decl
type Command interface{ command() }

// Open opens an account with its root user. Neither ID has ever been used.
type Open struct {
	Account   events.AccountID
	Name      string          // 1 to 128 printable characters; spaces around it are dropped
	Preset    string          // of the policy; empty: policy.Default
	Overrides json.RawMessage // of the preset: a partial policy document; nil: none
	Operator  bool            // only the first account of an installation
	RootUser  events.UserID
	RootName  string // as AddUser has it
}

// SetPolicy gives the account another policy: the preset with the overrides, of
// which those that were in force before are forgotten.
type SetPolicy struct {
	Preset    string // empty: the one in force
	Overrides json.RawMessage
}

// SetNetworkPolicy says from where the account's keys may be used.
type SetNetworkPolicy struct{ Network events.NetworkPolicy }

// AddUser adds a user. Its ID has never been used.
type AddUser struct {
	User events.UserID
	Name string // 1 to 64 of A-Z a-z 0-9 + = , . @ _ -
	Kind string // events.KindUser or KindCollaborator
	Role string // events.RoleAdmin, RoleUser or RoleAuditor
}

// RenameUser gives a user another name.
type RenameUser struct {
	User events.UserID
	Name string // as AddUser has it
}

// ChangeRole gives a user another role. Root keeps its own.
type ChangeRole struct {
	User events.UserID
	Role string // as AddUser has it
}

// Grant gives a user a grant.
type Grant struct {
	User  events.UserID
	Grant string // events.GrantManageOwnKeys
}

// RevokeGrant takes a grant back.
type RevokeGrant struct {
	User  events.UserID
	Grant string
}

// RemoveUser removes a user that is not root. Its keyring has been closed before,
// which is refused there while the user has keys: so none can be left behind, and none
// can be made meanwhile.
type RemoveUser struct {
	User          events.UserID
	KeyringClosed bool
}

// Acknowledge lets a projection pass a record that it could not apply. Only the
// operator's account records it. Twice is recorded twice, and means the same.
type Acknowledge struct {
	Projection string          // 1 to 64 of a-z 0-9 . _ -
	Position   events.Position // of the record
	Through    events.Position // of the last record that is passed with it; zero if it is alone
	Reason     string          // 1 to 256 characters
}

// ConfirmClock says that the clock, which shows the time of the decision, is
// right. Only the operator's account records it, every time anew.
type ConfirmClock struct{}

// CreateGatewayToken lets a gateway ask for verification. Neither the ID nor the
// token has ever been used.
type CreateGatewayToken struct {
	Token        events.GatewayTokenID
	Name         string // 1 to 64 printable characters; spaces around it are dropped
	Installation bool   // it serves every account; only the operator's account has such
	Hash         string // SHA-256 of the token in lower-case hex
}

// RevokeGatewayToken takes a gateway token back, for good. Twice is once.
type RevokeGatewayToken struct {
	Token events.GatewayTokenID
}

func (Open) command()               {}
func (SetPolicy) command()          {}
func (SetNetworkPolicy) command()   {}
func (AddUser) command()            {}
func (RenameUser) command()         {}
func (ChangeRole) command()         {}
func (Grant) command()              {}
func (RevokeGrant) command()        {}
func (RemoveUser) command()         {}
func (Acknowledge) command()        {}
func (ConfirmClock) command()       {}
func (CreateGatewayToken) command() {}
func (RevokeGatewayToken) command() {}
