package view

import (
	"github.com/keyledger/keyledger/aggregate/account"
	"github.com/keyledger/keyledger/aggregate/keyring"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/row"
)

// The state that rules decide on is folded by the rules' own Evolve.

// keyrings is the state of each keyring.
var keyrings = &projections.Fold[keyring.State]{
	FoldName: "keyrings", FoldVersion: 1, Table: projections.TableKeyrings,
	Key: func(dst []byte, s events.Subject, _ events.Event) ([]byte, bool) {
		return row.AppendSubject(dst, s), s.User != ""
	},
	Evolve: keyring.Evolve, Append: keyring.AppendState, Parse: keyring.ParseState,
}

// accounts is the state of each account without its users and gateway tokens. Every event of the
// account's subject moves its position, which is the expectation of the next.
var accounts = &projections.Fold[account.State]{
	FoldName: "account-states", FoldVersion: 2, Table: projections.TableAccountState,
	Key: func(dst []byte, s events.Subject, _ events.Event) ([]byte, bool) {
		return row.AppendAccount(dst, s.Account), s.Account != "" && s.User == ""
	},
	Evolve: account.EvolveHeader, Append: account.AppendState, Parse: account.ParseState,
}

// users is the state of each user.
var users = &projections.Fold[account.User]{
	FoldName: "user-states", FoldVersion: 1, Table: projections.TableUserState,
	Key: func(dst []byte, s events.Subject, e events.Event) ([]byte, bool) {
		u, about := account.UserOf(e)
		return row.AppendUser(row.AppendAccount(dst, s.Account), u), about && s.User == ""
	},
	Evolve: func(u account.User, e events.Event) account.User {
		next, _ := account.EvolveUser(u, u.ID != "", e)
		return next
	},
	Ends:   func(e events.Event) bool { _, removed := e.(events.UserRemoved); return removed },
	Append: account.AppendUser, Parse: account.ParseUser,
}

// gatewayTokens is the state of each gateway token, revoked ones included.
var gatewayTokens = &projections.Fold[account.GatewayToken]{
	FoldName: "gateway-token-states", FoldVersion: 1, Table: projections.TableGatewayState,
	Key: func(dst []byte, s events.Subject, e events.Event) ([]byte, bool) {
		id, about := account.GatewayTokenOf(e)
		return append(row.AppendAccount(dst, s.Account), id...), about && s.User == ""
	},
	Evolve: func(t account.GatewayToken, e events.Event) account.GatewayToken {
		next, _ := account.EvolveGatewayToken(t, t.ID != "", e)
		return next
	},
	Append: account.AppendGatewayToken, Parse: account.ParseGatewayToken,
}
