// Package gateway knows the tokens by which gateways ask for verification: by
// the hash of a token, and in lists by account.
//
// The way in: [New] is the projection; [ByHash], [Find] and [List] are its queries.
//
// The limits: it knows hashes, not tokens. Revoked tokens are kept for ever; who asks
// looks at RevokedAt.
package gateway

import (
	"fmt"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/row"
)

// A Token is what is known of a gateway token.
type Token struct {
	ID           events.GatewayTokenID
	Account      events.AccountID
	Name         string
	Installation bool            // it serves every account, not only its own
	CreatedAt    time.Time       // UTC
	RevokedAt    time.Time       // UTC; zero while it is live
	Created      events.Position // of its creation
	Last         events.Position // of the last event about it
}

type projection struct{}

// New is the projection of gateway tokens. Its name is "gateway-tokens".
func New() projections.Projection { return projection{} }

func (projection) Name() string { return "gateway-tokens" }
func (projection) Version() int { return 1 }
func (projection) Tables() []projections.TableID {
	return []projections.TableID{projections.TableGatewayTokens, projections.TableGatewayTokensByID, projections.TableGatewayTokensByAge}
}

// Apply folds r's events about gateway tokens in. It fails on what no log of ours
// should hold: a token that comes to be twice, or is revoked without being live.
func (projection) Apply(b *projections.Batch, r events.Record) error {
	for i := range r.Events {
		if err := apply(b, &r, r.Events[i].Event); err != nil {
			return err
		}
	}
	return nil
}

func apply(b *projections.Batch, r *events.Record, e events.Event) error {
	switch e := e.(type) {
	case events.GatewayTokenCreated:
		return create(b, r, e)
	case events.GatewayTokenRevoked:
		return revoke(b, r, e)
	default: // nothing else is about gateways
		return nil
	}
}

func create(b *projections.Batch, r *events.Record, e events.GatewayTokenCreated) error {
	id := tokenID{r.Subject.Account, e.Token}
	taken, err := tokensByID.Has(b, id)
	if err != nil {
		return err
	}
	known, err := tokens.Has(b, e.Hash)
	if err != nil {
		return err
	}
	if taken || known {
		return fmt.Errorf("the gateway token %s is created a second time", e.Token)
	}
	tokens.Put(b, e.Hash, Token{
		ID: e.Token, Account: id.account, Name: e.Name, Installation: e.Installation,
		CreatedAt: r.Meta.Time, Created: r.Position, Last: r.Position,
	})
	tokensByID.Put(b, id, e.Hash)
	tokensByAge.Put(b, agedToken{id.account, r.Position, e.Token}, e.Hash)
	return nil
}

func revoke(b *projections.Batch, r *events.Record, e events.GatewayTokenRevoked) error {
	hash, found, err := tokensByID.Get(b, tokenID{r.Subject.Account, e.Token})
	if err != nil {
		return err
	}
	t, live, err := tokens.Get(b, hash)
	if err != nil {
		return err
	}
	if !found || !live || !t.RevokedAt.IsZero() {
		return fmt.Errorf("there is no live gateway token %s in the account %s to revoke", e.Token, r.Subject.Account)
	}
	t.RevokedAt, t.Last = r.Meta.Time, r.Position
	tokens.Put(b, hash, t)
	return nil
}

// ByHash is the token with a hash, revoked or not: one look at one row.
func ByHash(from projections.Getter, hash string) (t Token, found bool, err error) {
	return tokens.Get(from, hash)
}

// Find is a token of an account, revoked or not.
func Find(from projections.Getter, a events.AccountID, id events.GatewayTokenID) (t Token, found bool, err error) {
	hash, found, err := tokensByID.Get(from, tokenID{a, id})
	if err != nil || !found {
		return Token{}, false, err
	}
	return tokens.Get(from, hash)
}

// List is a page of the tokens of an account, revoked or not, newest first. The error is a
// *projections.CursorError or a fault.
func List(r projections.Reader, a events.AccountID, cursor string, limit int) (projections.Page[Token], error) {
	q := projections.QueryOf("gateway tokens", string(a))
	after, err := q.Resume(cursor)
	if err != nil {
		return projections.Page[Token]{}, err
	}
	g := projections.Range{Prefix: row.AppendAccount(nil, a)}
	return projections.Collect(tokensByAge.Scan(r, g.After(after)), q, projections.Limit(limit), func(row projections.Row[agedToken, string]) (Token, bool, error) {
		return tokens.Get(r, row.Value)
	})
}
