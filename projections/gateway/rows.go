package gateway

import (
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/row"
)

// Keys of the tables. That of the first is the hash of a token.
type (
	tokenID struct {
		account events.AccountID
		token   events.GatewayTokenID
	}
	agedToken struct {
		account events.AccountID
		created events.Position
		token   events.GatewayTokenID
	}
)

var tokens = projections.Table[string, Token]{
	ID: projections.TableGatewayTokens, AppendKey: row.AppendDigest, ParseKey: parseHash,
	AppendValue: appendToken, ParseValue: parseToken,
}

var tokensByID = projections.Table[tokenID, string]{
	ID: projections.TableGatewayTokensByID,
	AppendKey: func(dst []byte, t tokenID) []byte {
		return append(row.AppendAccount(dst, t.account), t.token...)
	},
	ParseKey: func(b []byte) (tokenID, error) {
		p := row.Parse(b)
		return tokenID{p.Account(), events.GatewayTokenID(p.Rest())}, p.Done()
	},
	AppendValue: row.AppendDigest, ParseValue: parseHash,
}

var tokensByAge = projections.Table[agedToken, string]{
	ID: projections.TableGatewayTokensByAge,
	AppendKey: func(dst []byte, t agedToken) []byte {
		return append(row.AppendDescending(row.AppendAccount(dst, t.account), uint64(t.created)), t.token...)
	},
	ParseKey: func(b []byte) (agedToken, error) {
		p := row.Parse(b)
		return agedToken{p.Account(), events.Position(p.Descending()), events.GatewayTokenID(p.Rest())}, p.Done()
	},
	AppendValue: row.AppendDigest, ParseValue: parseHash, WriteOnly: true,
}

func parseHash(b []byte) (string, error) {
	p := row.Parse(b)
	return p.Digest(), p.Done()
}

func appendToken(dst []byte, t Token) []byte {
	dst = row.AppendString(append(dst, 1), t.ID)
	dst = row.AppendAccount(dst, t.Account)
	dst = row.AppendString(dst, t.Name)
	dst = row.AppendBool(dst, t.Installation)
	dst = row.AppendTime(dst, t.CreatedAt)
	dst = row.AppendTime(dst, t.RevokedAt)
	dst = row.AppendUvarint(dst, uint64(t.Created))
	return row.AppendUvarint(dst, uint64(t.Last))
}

func parseToken(b []byte) (Token, error) {
	p := row.Parse(b)
	p.Version(1)
	t := Token{
		ID: events.GatewayTokenID(p.Str()), Account: p.Account(), Name: p.Str(), Installation: p.Bool(),
		CreatedAt: p.Time(), RevokedAt: p.Time(),
	}
	t.Created, t.Last = events.Position(p.Uvarint()), events.Position(p.Uvarint())
	return t, p.Done()
}
