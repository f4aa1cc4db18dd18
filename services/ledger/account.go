package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/keyledger/keyledger/aggregate/account"
	"github.com/keyledger/keyledger/aggregate/keyring"
	"github.com/keyledger/keyledger/events"
)

// An Opening is what an account opens with, drawn before anything is decided.
type Opening struct {
	Account events.AccountID
	Root    events.UserID
	Key     NewKey // the root user's first
}

// A NewAccount is what is asked of a new account.
type NewAccount struct {
	Name      string
	Preset    string
	Overrides json.RawMessage
	Operator  bool // only the first account is
}

// An OpenedAccount is the answer to OpenAccount.
type OpenedAccount struct {
	Account events.AccountID
	Root    events.UserID
	Key     CreatedKey // Secret is nil when the request had been answered before
}

// DrawOpening draws the IDs and the first key of an account. There are 9*10^11
// account IDs, so one that is drawn may be taken, and another is drawn then.
func (l *Ledger) DrawOpening() (Opening, error) {
	var o Opening
	v := l.View()
	defer v.Close()
	for taken := true; taken; {
		var err error
		if o.Account, err = l.Draw.AccountID(); err != nil {
			return Opening{}, err
		}
		state, _, err := v.Account(o.Account)
		if err != nil {
			return Opening{}, err
		}
		taken = state.Opened
	}
	u, err := l.Draw.UserID()
	if err != nil {
		return Opening{}, err
	}
	o.Root = u
	o.Key, err = l.DrawKey()
	return o, err
}

// OpenAccount opens an account with its root user, and then creates the root
// user's first key. These are two decisions: when the first has been recorded and
// the second has not, the same request, sent again, finishes it.
func (l *Ledger) OpenAccount(ctx context.Context, req Request, spec NewAccount, o Opening) (OpenedAccount, error) {
	subject := events.AccountSubject(o.Account)
	if req.Scope == "" {
		req.Scope = o.Account
	}
	out, err := l.do(ctx, req, step{subject: subject, decide: func(v View, now time.Time) (decided, error) {
		state, p, err := v.Account(o.Account)
		if err != nil {
			return decided{}, err
		}
		recorded, err := account.Decide(state, account.Open{
			Account: o.Account, Name: spec.Name, Preset: spec.Preset, Overrides: spec.Overrides,
			Operator: spec.Operator, RootUser: o.Root, RootName: "root",
		}, now)
		return decided{after: p, events: recorded}, err
	}})
	if err != nil {
		return OpenedAccount{}, err
	}
	req.ID = out.Request
	return l.firstKey(ctx, req, opened(out, o))
}

// opened reads from what was recorded which account a request opened: a
// repeated one finds the account of its first sending.
func opened(out Outcome, o Opening) Opening {
	for _, e := range out.Events {
		if a, ok := e.(events.AccountOpened); ok {
			o.Account = a.Account
		}
		if u, ok := e.(events.UserAdded); ok {
			o.Root = u.User
		}
	}
	return o
}

func (l *Ledger) firstKey(ctx context.Context, req Request, o Opening) (OpenedAccount, error) {
	req.ID = stepID(req.ID, "#root-key")
	owner := events.KeyringSubject(o.Account, o.Root)
	k, err := l.createKey(ctx, req, owner, o.Key, func(sealed events.Sealed, kv keyringView) keyring.Command {
		return keyring.Create{Key: o.Key.ID, Cause: events.CauseOpening, Sealed: sealed, Policy: kv.policy, OwnerKind: kv.owner.Kind}
	})
	return OpenedAccount{Account: o.Account, Root: o.Root, Key: k}, err
}

// maxRequestID is how long an events.RequestID may be.
const maxRequestID = 128

// stepID names a later step of a request. A request ID as long as may be is
// shortened by a hash, so that the step's is not too long.
func stepID(id events.RequestID, name string) events.RequestID {
	if len(id)+len(name) > maxRequestID {
		sum := sha256.Sum256([]byte(id))
		id = events.RequestID(hex.EncodeToString(sum[:]))
	}
	return id + events.RequestID(name)
}

// SetPolicy gives an account another policy: a preset and what differs from it.
func (l *Ledger) SetPolicy(ctx context.Context, req Request, a events.AccountID, preset string, overrides json.RawMessage) (Outcome, error) {
	return l.changeAccount(ctx, req, a, "", "", account.SetPolicy{Preset: preset, Overrides: overrides})
}

// SetNetworkPolicy says from where an account's keys may be used.
func (l *Ledger) SetNetworkPolicy(ctx context.Context, req Request, a events.AccountID, p events.NetworkPolicy) (Outcome, error) {
	return l.changeAccount(ctx, req, a, "", "", account.SetNetworkPolicy{Network: p})
}

// Acknowledge lets a projection pass a record that it could not apply. It is
// recorded in the operator's account.
func (l *Ledger) Acknowledge(ctx context.Context, req Request, operator events.AccountID, c account.Acknowledge) (Outcome, error) {
	return l.changeAccount(ctx, req, operator, "", "", c)
}

// ConfirmClock records that the clock was looked at and found right. It is
// recorded in the operator's account.
func (l *Ledger) ConfirmClock(ctx context.Context, req Request, operator events.AccountID) (Outcome, error) {
	return l.changeAccount(ctx, req, operator, "", "", account.ConfirmClock{})
}

// changeAccount carries out a command on an account. user and name are the
// ones that the command is about, if any.
// What heals may use the reserve.
func (l *Ledger) changeAccount(ctx context.Context, req Request, a events.AccountID, user events.UserID, name string, c account.Command) (Outcome, error) {
	_, heals := c.(account.Acknowledge)
	return l.do(ctx, req, step{subject: events.AccountSubject(a), reserve: heals, decide: func(v View, now time.Time) (decided, error) {
		state, p, err := readAccount(v, a, user, name)
		if err != nil {
			return decided{}, err
		}
		recorded, err := account.Decide(state, c, now)
		return decided{after: p, policy: p, events: recorded}, err
	}})
}
