// Package permission says who may do what: one table of roles and operations,
// asked by every door (native API, vendor fronts) before anything is read or
// changed. The way in is [Caller.May].
//
// The limits: it knows callers and targets, not keys and rules. What a policy says
// about a key's life is decided by the aggregates.
package permission

import (
	"slices"

	"github.com/keyledger/keyledger/events"
)

// An Operation is something a caller may ask for.
type Operation string

// The operations. Every route names one.
const (
	AccountOpen    Operation = "account.open"    // open, list and read any account
	AccountRead    Operation = "account.read"    // read one's own account and its policy
	AccountPolicy  Operation = "account.policy"  // change the policy
	AccountNetwork Operation = "account.network" // say from where the account's keys may be used
	UserWrite      Operation = "user.write"      // add, change, remove users
	UserRead       Operation = "user.read"       // one user
	UserList       Operation = "user.list"       // every user of the account
	KeyWrite       Operation = "key.write"       // create, disable, enable, delete, restore, purge, describe
	KeyRead        Operation = "key.read"        // show, list and read the history of one user's keys
	KeyExplain     Operation = "key.explain"     // what was made of a request that names a key of one's own account
	KeyList        Operation = "key.list"        // every key of the account, the recycle bin included
	KeyNetwork     Operation = "key.network"     // give one key a network policy of its own
	KeyRestrict    Operation = "key.restrict"    // put one key under leak protection, and end that
	AuditRead      Operation = "audit.read"      // every event of the account
	GatewayWrite   Operation = "gateway.write"   // create and revoke gateway tokens
	GatewayList    Operation = "gateway.list"    // every gateway token of the account
	Operate        Operation = "operate"         // the installation itself: status, clock, projections
)

// A Caller is who signed a request, with what the ledger knows of them.
type Caller struct {
	Account     events.AccountID
	User        events.UserID
	Key         events.AccessKeyID
	Name        string // the user's
	Kind        string // events.KindRoot, ...
	Role        string // events.RoleAdmin, ...
	Grants      []string
	Operator    bool   // the account is the operator's
	SelfService string // of the account's policy: "on", "grant" or "off"
}

// A Target is what an operation is about. User is empty when it is about the
// whole account.
type Target struct {
	Account events.AccountID
	User    events.UserID
}

// A Verdict is the answer to May.
type Verdict int

const (
	// Hidden says that the caller may not even learn whether the target exists. It is
	// answered as an unknown one would be.
	Hidden Verdict = iota
	// Denied says that the caller can see the target and may not do this to it.
	Denied
	// Allowed says yes.
	Allowed
)

// May says whether the caller may do op to t.
func (c Caller) May(op Operation, t Target) Verdict {
	if op == KeyExplain && t.Account != c.Account {
		return Hidden // from the operator too
	}
	if c.Operator && c.admin() {
		return Allowed
	}
	if op == AccountOpen || op == Operate {
		return Denied
	}
	if t.Account != c.Account {
		return Hidden
	}
	switch {
	case c.admin():
		return Allowed
	case c.Role == events.RoleAuditor:
		return c.auditor(op)
	default:
		return c.user(op, t)
	}
}

func (c Caller) admin() bool { return c.Kind == events.KindRoot || c.Role == events.RoleAdmin }

// auditor reads everything in the account and changes nothing, its own keys
// included. Gateway tokens are the admins' alone: their events are in the audit.
func (c Caller) auditor(op Operation) Verdict {
	switch op {
	case AccountRead, UserRead, UserList, KeyRead, KeyList, AuditRead:
		return Allowed
	}
	return Denied
}

// user sees itself and its own keys, and manages those where the policy allows.
func (c Caller) user(op Operation, t Target) Verdict {
	own := t.User == c.User
	switch op {
	case UserRead, KeyRead:
		if own {
			return Allowed
		}
		return Hidden
	case KeyNetwork, KeyRestrict: // not by self-service: the one can replace the account's, the other is against whoever has the key
		if !own {
			return Hidden
		}
	case KeyWrite:
		if !own {
			return Hidden
		}
		if c.selfService() {
			return Allowed
		}
	}
	return Denied
}

func (c Caller) selfService() bool {
	return c.SelfService == "on" || c.SelfService == "grant" && slices.Contains(c.Grants, events.GrantManageOwnKeys)
}
