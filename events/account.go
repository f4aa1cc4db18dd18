package events

import "encoding/json"

// Kinds of users.
const (
	KindRoot         = "root"         // one per account, made when it opens, never removed
	KindUser         = "user"         // a person or program of the account
	KindCollaborator = "collaborator" // somebody from outside who works in the account
)

// Roles of users.
const (
	RoleAdmin   = "admin"   // manages the account: its users, its policy, everybody's keys
	RoleUser    = "user"    // its own keys only, where the policy allows
	RoleAuditor = "auditor" // reads everything in the account, changes nothing
)

// GrantManageOwnKeys lets a user manage its own keys where the policy's self-service
// asks for a grant (CDNetworks: CDNWCloudAccessKeyFullAccess).
const GrantManageOwnKeys = "manage-own-keys"

// AccountOpened records that an account came to be. A UserAdded for its root
// user stands in the same decision.
type AccountOpened struct {
	Account   AccountID       `json:"account_id"`
	Name      string          `json:"name"`
	Operator  bool            `json:"operator,omitempty"` // the first account: its admins manage the others
	Preset    string          `json:"preset"`
	Overrides json.RawMessage `json:"overrides,omitempty"` // what was asked to differ from the preset, as it was asked
	Policy    Policy          `json:"policy"`              // the whole policy in force
}

// PolicyChanged records a new policy of an account.
type PolicyChanged struct {
	Account   AccountID       `json:"account_id"`
	Preset    string          `json:"preset"`
	Overrides json.RawMessage `json:"overrides,omitempty"`
	Policy    Policy          `json:"policy"`
}

// UserAdded records a new user of an account.
type UserAdded struct {
	User     UserID `json:"user_id"`
	Name     string `json:"name"`
	UserKind string `json:"kind"`
	Role     string `json:"role"`
}

// UserRenamed records a user's new name.
type UserRenamed struct {
	User UserID `json:"user_id"`
	From string `json:"from"`
	To   string `json:"to"`
}

// UserRoleChanged records a user's new role.
type UserRoleChanged struct {
	User UserID `json:"user_id"`
	From string `json:"from"`
	To   string `json:"to"`
}

// UserGranted records that a user was given a grant.
type UserGranted struct {
	User  UserID `json:"user_id"`
	Grant string `json:"grant"`
}

// UserGrantRevoked records that a grant was taken back.
type UserGrantRevoked struct {
	User  UserID `json:"user_id"`
	Grant string `json:"grant"`
}

// UserRemoved records that a user is gone. Its keyring was closed before. Its
// ID is never used again; its name may be.
type UserRemoved struct {
	User UserID `json:"user_id"`
	Name string `json:"name"`
}

func (AccountOpened) Kind() string    { return "account.opened" }
func (PolicyChanged) Kind() string    { return "account.policy.changed" }
func (UserAdded) Kind() string        { return "user.added" }
func (UserRenamed) Kind() string      { return "user.renamed" }
func (UserRoleChanged) Kind() string  { return "user.role.changed" }
func (UserGranted) Kind() string      { return "user.granted" }
func (UserGrantRevoked) Kind() string { return "user.grant.revoked" }
func (UserRemoved) Kind() string      { return "user.removed" }

func (e AccountOpened) About() string    { return string(e.Account) }
func (e PolicyChanged) About() string    { return string(e.Account) }
func (e UserAdded) About() string        { return string(e.User) }
func (e UserRenamed) About() string      { return string(e.User) }
func (e UserRoleChanged) About() string  { return string(e.User) }
func (e UserGranted) About() string      { return string(e.User) }
func (e UserGrantRevoked) About() string { return string(e.User) }
func (e UserRemoved) About() string      { return string(e.User) }

func (AccountOpened) event()    {}
func (PolicyChanged) event()    {}
func (UserAdded) event()        {}
func (UserRenamed) event()      {}
func (UserRoleChanged) event()  {}
func (UserGranted) event()      {}
func (UserGrantRevoked) event() {}
func (UserRemoved) event()      {}
