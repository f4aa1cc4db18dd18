package ledger

import (
	"context"

	"github.com/keyledger/keyledger/aggregate/keyring"
	"github.com/keyledger/keyledger/events"
)

// Recover creates a key for the operator's root user although its quota may be
// full: the oldest keys make room. It is for whoever holds the unlock key and has
// lost every other, and it is recorded as such.
func (l *Ledger) Recover(ctx context.Context, req Request, owner events.Subject, k NewKey) (CreatedKey, error) {
	return l.createKey(ctx, req, owner, k, func(sealed events.Sealed, kv keyringView) keyring.Command {
		return keyring.Recover{Key: k.ID, Sealed: sealed, Policy: kv.policy}
	})
}
