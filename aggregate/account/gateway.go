package account

import (
	"cmp"
	"strings"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/events"
)

// MaxGatewayTokens is how many gateway tokens of an account can be live at once.
const MaxGatewayTokens = 100

// A GatewayToken is one gateway token of an account, revoked ones included.
type GatewayToken struct {
	ID      events.GatewayTokenID
	Name    string
	Revoked bool
}

func createGatewayToken(s State, c CreateGatewayToken) ([]events.Event, error) {
	name, err := gatewayTokenName(c.Name)
	if err := cmp.Or(validGatewayToken(c.Token), err, validHash(c.Hash)); err != nil {
		return nil, err
	}
	_, taken := s.GatewayTokens[c.Token]
	switch {
	case taken:
		return nil, aggregate.Refuse(aggregate.Conflict, "gateway_token.exists",
			"the account has a gateway token %s already; a token ID is never used twice", c.Token)
	case c.Installation && !s.Operator:
		return nil, aggregate.Refuse(aggregate.Denied, "gateway_token.installation",
			"only the operator's account can have a gateway token for the whole installation; create one for this account")
	case s.LiveGatewayTokens >= MaxGatewayTokens:
		return nil, aggregate.Refuse(aggregate.Limit, "gateway_token.quota",
			"the account has %d gateway tokens already; revoke one that no gateway uses any more", s.LiveGatewayTokens)
	}
	return facts(events.GatewayTokenCreated{Token: c.Token, Name: name, Account: s.ID, Installation: c.Installation, Hash: c.Hash})
}

func revokeGatewayToken(s State, c RevokeGatewayToken) ([]events.Event, error) {
	t, found := s.GatewayTokens[c.Token]
	switch {
	case !found:
		return nil, aggregate.Refuse(aggregate.NotFound, "gateway_token.not_found", "the account has no gateway token %q", string(c.Token))
	case t.Revoked:
		return nothing()
	}
	return facts(events.GatewayTokenRevoked{Token: t.ID, Name: t.Name})
}

// EvolveGatewayToken folds one gateway token's row, which stays when the token is
// revoked: it is the token after e and whether there is one, given the token
// before and whether there was one. What is about another, or about none, changes
// nothing.
func EvolveGatewayToken(t GatewayToken, present bool, e events.Event) (GatewayToken, bool) {
	switch e := e.(type) {
	case events.GatewayTokenCreated:
		if !present {
			return GatewayToken{ID: e.Token, Name: e.Name}, true
		}
	case events.GatewayTokenRevoked:
		if present && t.ID == e.Token {
			t.Revoked = true
		}
	default: // not about gateway tokens
	}
	return t, present
}

// GatewayTokenOf is the gateway token that e is about, if it is about one.
func GatewayTokenOf(e events.Event) (events.GatewayTokenID, bool) {
	switch e := e.(type) {
	case events.GatewayTokenCreated:
		return e.Token, true
	case events.GatewayTokenRevoked:
		return e.Token, true
	default: // not about gateway tokens
		return "", false
	}
}

func validGatewayToken(id events.GatewayTokenID) error {
	if err := id.Valid(); err != nil {
		return invalid("gateway_token.id", "%v", err)
	}
	return nil
}

// gatewayTokenName is the name without the spaces around it. Two tokens may have
// the same: the new and the old one of a gateway whose token is changed.
func gatewayTokenName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if !printable(name, maxGatewayTokenName) {
		return "", invalid("gateway_token.name", "the name %q will not do; want 1 to %d printable characters", name, maxGatewayTokenName)
	}
	return name, nil
}

// validHash refuses what no token hashes to: a token that nobody can show.
func validHash(hash string) error {
	if len(hash) == 64 && strings.Trim(hash, "0123456789abcdef") == "" {
		return nil
	}
	return invalid("gateway_token.hash", "the hash of a gateway token is 64 hexadecimal digits in lower case")
}
