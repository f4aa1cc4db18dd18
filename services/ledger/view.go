package ledger

import (
	"time"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/aggregate/account"
	"github.com/keyledger/keyledger/aggregate/keyring"
	"github.com/keyledger/keyledger/events"
)

// A View is what is known, of one moment: every answer of one View belongs to
// the same position of the log. It must be closed.
type View interface {
	// Keyring is a user's keys and the position of its subject's last message.
	Keyring(s events.Subject) (keyring.State, events.Position, error)
	// Account is an account without its users and gateway tokens, and the position of its subject's last message.
	Account(a events.AccountID) (account.State, events.Position, error)
	User(a events.AccountID, u events.UserID) (account.User, bool, error)
	// UserByName finds the user who holds a name, spelt in any case.
	UserByName(a events.AccountID, name string) (account.User, bool, error)
	// GatewayToken is a gateway token of an account; a revoked one is found too.
	GatewayToken(a events.AccountID, id events.GatewayTokenID) (account.GatewayToken, bool, error)
	// Key is who owns a key, and its status; a purged key is found too.
	Key(k events.AccessKeyID) (owner events.Subject, status string, found bool, err error)
	// Request is where a request was recorded, and the digest of what was asked.
	Request(scope events.AccountID, actor events.Actor, id events.RequestID) (p events.Position, digest string, found bool, err error)
	Close()
}

// A keyringView is all that a rule about one user's keys needs.
type keyringView struct {
	state    keyring.State
	position events.Position
	owner    account.User
	policy   events.Policy
	pinned   events.Position // of the account as it was read
}

func readKeyring(v View, s events.Subject) (keyringView, error) {
	header, pinned, err := v.Account(s.Account)
	if err != nil {
		return keyringView{}, err
	}
	owner, found, err := v.User(s.Account, s.User)
	if err != nil {
		return keyringView{}, err
	}
	if !header.Opened || !found {
		return keyringView{}, aggregate.Refuse(aggregate.NotFound, "user.not_found", "there is no user %q in the account", s.User)
	}
	state, p, err := v.Keyring(s)
	return keyringView{state: state, position: p, owner: owner, policy: header.Policy, pinned: pinned}, err
}

func (kv keyringView) decide(c keyring.Command, now time.Time) (decided, error) {
	recorded, err := keyring.Decide(kv.state, c, now)
	return decided{after: kv.position, policy: kv.pinned, events: recorded}, err
}

// readAccount is an account with the users that a command is about: the one
// with the ID it names and the one that holds the name it wants.
func readAccount(v View, a events.AccountID, user events.UserID, name string) (account.State, events.Position, error) {
	state, p, err := v.Account(a)
	if err != nil {
		return state, p, err
	}
	if !state.Opened {
		return state, p, aggregate.Refuse(aggregate.NotFound, "account.not_found", "there is no account %q", a)
	}
	state.Users = map[events.UserID]account.User{}
	if user != "" {
		if err := keep(state.Users)(v.User(a, user)); err != nil {
			return state, p, err
		}
	}
	if name != "" {
		err = keep(state.Users)(v.UserByName(a, name))
	}
	return state, p, err
}

func keep(users map[events.UserID]account.User) func(account.User, bool, error) error {
	return func(u account.User, found bool, err error) error {
		if err == nil && found {
			users[u.ID] = u
		}
		return err
	}
}
