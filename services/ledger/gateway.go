package ledger

import (
	"context"
	"time"

	"github.com/keyledger/keyledger/aggregate/account"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/identity"
	"github.com/keyledger/keyledger/services/vault"
)

// A CreatedGatewayToken is the answer to CreateGatewayToken.
type CreatedGatewayToken struct {
	Outcome
	ID           events.GatewayTokenID
	Account      events.AccountID
	Name         string
	Installation bool
	CreatedAt    time.Time
	// Token is the only copy there will ever be. It is nil when the request had
	// been answered before.
	Token *vault.Secret
}

// CreateGatewayToken lets a gateway ask for verification: of every account if it is
// for the whole installation, else of its own. The token is drawn before anything is
// decided, so that a retry cannot make a second one.
func (l *Ledger) CreateGatewayToken(ctx context.Context, req Request, a events.AccountID, name string, installation bool) (CreatedGatewayToken, error) {
	id, err := l.Draw.GatewayTokenID()
	if err != nil {
		return CreatedGatewayToken{}, err
	}
	token, err := l.Draw.GatewayToken()
	if err != nil {
		return CreatedGatewayToken{}, err
	}
	out, err := l.changeGateway(ctx, req, a, id, false, account.CreateGatewayToken{
		Token: id, Name: name, Installation: installation, Hash: identity.HashGatewayToken(token.Reveal()),
	})
	if err != nil {
		return CreatedGatewayToken{}, err
	}
	return createdGatewayToken(out, id, token), nil
}

// createdGatewayToken reads the answer from what was recorded: a repeated request
// finds the token of its first sending, which has gone out.
func createdGatewayToken(out Outcome, id events.GatewayTokenID, token vault.Secret) CreatedGatewayToken {
	c := CreatedGatewayToken{Outcome: out, CreatedAt: out.Time}
	for _, e := range out.Events {
		if created, ok := e.(events.GatewayTokenCreated); ok {
			c.ID, c.Account, c.Name, c.Installation = created.Token, created.Account, created.Name, created.Installation
		}
	}
	if c.ID == id {
		c.Token = &token
	}
	return c
}

// RevokeGatewayToken takes a gateway token back. Like disabling a key, it may use
// the disk space that is kept in reserve.
func (l *Ledger) RevokeGatewayToken(ctx context.Context, req Request, a events.AccountID, id events.GatewayTokenID) (Outcome, error) {
	return l.changeGateway(ctx, req, a, id, true, account.RevokeGatewayToken{Token: id})
}

// changeGateway carries out a command on a gateway token of an account.
func (l *Ledger) changeGateway(ctx context.Context, req Request, a events.AccountID, id events.GatewayTokenID, reserve bool, c account.Command) (Outcome, error) {
	return l.do(ctx, req, step{subject: events.AccountSubject(a), reserve: reserve, decide: func(v View, now time.Time) (decided, error) {
		state, p, err := readAccount(v, a, "", "")
		if err != nil {
			return decided{}, err
		}
		token, found, err := v.GatewayToken(a, id)
		if err != nil {
			return decided{}, err
		}
		if found {
			state.GatewayTokens = map[events.GatewayTokenID]account.GatewayToken{id: token}
		}
		recorded, err := account.Decide(state, c, now)
		return decided{after: p, policy: p, events: recorded}, err
	}})
}
