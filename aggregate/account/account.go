// Package account rules an account's own facts: its policy, its users, their
// names, roles and grants, and the tokens of its gateways.
//
// The way in: [Decide] turns a [State] and a [Command] into events or a refusal,
// [Evolve] turns the events into the next state. Both are pure: the time and the IDs
// of what is new come in with the call.
//
// An account has one root user, which opens with it. Root stays root, with the role
// admin, and cannot be removed; what it is called is a name like any other and may
// change. User names are unique in their account, compared without regard to case
// and kept as they were spelled.
//
// The limits: an account may have 500,000 users, so nobody holds them all. A State
// needs only those that the command is about: the user with the ID it names and
// the user that holds the name it wants; and likewise the gateway token that it names,
// for revoked ones are remembered for ever. [EvolveUser] folds one user's row,
// [EvolveGatewayToken] one token's, and [EvolveHeader] all the rest. What rules a user's keys is in package keyring; a user is
// removed here only after its keyring was closed there.
package account

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/keyledger/keyledger/events"
)

// A State is an account's own facts. Its zero value is an account that was not
// opened. The header is all of it but Users and GatewayTokens.
type State struct {
	Opened    bool
	ID        events.AccountID
	Name      string
	Operator  bool                 // its admins manage the other accounts
	Preset    string               // that the policy starts from
	Overrides json.RawMessage      // of the preset, as they were asked for; nil if there are none
	Policy    events.Policy        // in force: the preset with its overrides, as of when they were recorded
	Network   events.NetworkPolicy // from where its keys may be used; zero if it was never set
	RootUser  events.UserID
	Users     map[events.UserID]User // at least those that the command is about

	LiveGatewayTokens int                                    // how many are not revoked
	GatewayTokens     map[events.GatewayTokenID]GatewayToken // at least the one that the command is about
}

// A User is one user of an account.
type User struct {
	ID     events.UserID
	Name   string
	Kind   string   // events.KindRoot, KindUser or KindCollaborator
	Role   string   // events.RoleAdmin, RoleUser or RoleAuditor
	Grants []string // in the order in which they were given; nil if there are none
}

// Has says whether the user has been given the grant.
func (u User) Has(grant string) bool { return slices.Contains(u.Grants, grant) }

// FoldName is what two user names have in common when they are the same name: an
// index of names is kept in this form.
func FoldName(name string) string { return strings.ToLower(name) }

// holder is the user that has the name, whatever its spelling.
func (s State) holder(name string) (User, bool) {
	folded := FoldName(name)
	for _, u := range s.Users {
		if FoldName(u.Name) == folded {
			return u, true
		}
	}
	return User{}, false
}
