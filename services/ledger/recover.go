package ledger

import (
	"context"

	"github.com/keyledger/keyledger/aggregate/keyring"
	"github.com/keyledger/keyledger/events"
)

// Recover creates a key for the operator's root user although its quota may be
// full: the oldest keys make room. It is for whoever holds the unlock key and has
// lost every other, and it is recorded as such. A network policy of the account that is
// active is made inactive: nobody may be where it allows.
func (l *Ledger) Recover(ctx context.Context, req Request, owner events.Subject, k NewKey) (CreatedKey, error) {
	made, err := l.createRecovered(ctx, req, owner, k)
	if err != nil {
		return made, err
	}
	p, err := l.networkOf(owner.Account)
	if err != nil || p.Status != events.NetworkActive {
		return made, err
	}
	p.Status, req.ID = events.NetworkInactive, stepID(made.Request, "#network")
	_, err = l.SetNetworkPolicy(ctx, req, owner.Account, p)
	return made, err
}

func (l *Ledger) networkOf(a events.AccountID) (events.NetworkPolicy, error) {
	v := l.View()
	defer v.Close()
	state, _, err := v.Account(a)
	return state.Network, err
}

func (l *Ledger) createRecovered(ctx context.Context, req Request, owner events.Subject, k NewKey) (CreatedKey, error) {
	return l.createKey(ctx, req, owner, k, func(sealed events.Sealed, kv keyringView) keyring.Command {
		return keyring.Recover{Key: k.ID, Sealed: sealed, Policy: kv.policy}
	})
}
