package view

import (
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/audit"
	"github.com/keyledger/keyledger/projections/deadlines"
	"github.com/keyledger/keyledger/projections/directory"
	"github.com/keyledger/keyledger/projections/gateway"
	"github.com/keyledger/keyledger/projections/keys"
	"github.com/keyledger/keyledger/services/api"
	"github.com/keyledger/keyledger/services/identity"
	"github.com/keyledger/keyledger/services/timekeeper"
)

// Account is an account.
func (v *Views) Account(a events.AccountID) (api.Account, bool, error) {
	now := &View{v.store.View()}
	defer now.Close()
	found, ok, err := directory.FindAccount(now, a)
	if err != nil || !ok {
		return api.Account{}, false, err
	}
	out, err := now.account(found)
	return out, true, err
}

// account joins what the directory says of an account with its policy.
func (v *View) account(a directory.Account) (api.Account, error) {
	header, at, err := v.Account(a.ID)
	return api.Account{
		ID: a.ID, Name: a.Name, Operator: a.Operator, Preset: header.Preset, Overrides: header.Overrides, Policy: header.Policy,
		Network: header.Network, Root: a.Root, OpenedAt: a.CreatedAt, Position: at,
	}, err
}

// Accounts lists accounts, newest first, or those of a name.
func (v *Views) Accounts(name string, p api.Page) ([]api.Account, string, error) {
	now := &View{v.store.View()}
	defer now.Close()
	accounts := directory.Accounts
	if name != "" {
		accounts = func(r projections.Reader, cursor string, limit int) (projections.Page[directory.Account], error) {
			return directory.AccountsNamed(r, name, cursor, limit)
		}
	}
	page, err := accounts(now, p.Cursor, p.Limit)
	if err != nil {
		return nil, "", err
	}
	out := make([]api.Account, len(page.Items))
	for i, a := range page.Items {
		if out[i], err = now.account(a); err != nil {
			return nil, "", err
		}
	}
	return out, page.Next, nil
}

// User is a user of an account.
func (v *Views) User(a events.AccountID, u events.UserID) (api.User, bool, error) {
	found, ok, err := directory.FindUser(v.store, a, u)
	return user(found), ok, err
}

// UserByName is the user who holds a name, spelt in any case.
func (v *Views) UserByName(a events.AccountID, name string) (api.User, bool, error) {
	found, ok, err := directory.UserNamed(v.store, a, name)
	return user(found), ok, err
}

// Users lists the users of an account, newest first.
func (v *Views) Users(a events.AccountID, p api.Page) ([]api.User, string, error) {
	page, err := directory.Users(v.store, a, p.Cursor, p.Limit)
	return each(page.Items, user), page.Next, err
}

func user(u directory.User) api.User {
	return api.User{ID: u.ID, Account: u.Account, Name: u.Name, Kind: u.Kind, Role: u.Role, Grants: u.Grants, AddedAt: u.CreatedAt}
}

// Gateway is the live gateway token that a text is. Known or not, the work is the
// same: one hash and one look at one row. A look-up by hash tells nothing by its time,
// since nobody can choose what a text hashes to.
func (v *Views) Gateway(token string) (api.GatewayToken, bool, error) {
	found, ok, err := gateway.ByHash(v.store, identity.HashGatewayToken([]byte(token)))
	if err != nil || !ok || !found.RevokedAt.IsZero() {
		return api.GatewayToken{}, false, err
	}
	return gatewayToken(found), true, nil
}

// GatewayToken is a gateway token of an account; revoked ones are known too.
func (v *Views) GatewayToken(a events.AccountID, id events.GatewayTokenID) (api.GatewayToken, bool, error) {
	now := v.store.View()
	defer now.Close()
	found, ok, err := gateway.Find(now, a, id)
	return gatewayToken(found), ok, err
}

// GatewayTokens lists the gateway tokens of an account, newest first.
func (v *Views) GatewayTokens(a events.AccountID, p api.Page) ([]api.GatewayToken, string, error) {
	now := v.store.View()
	defer now.Close()
	page, err := gateway.List(now, a, p.Cursor, p.Limit)
	return each(page.Items, gatewayToken), page.Next, err
}

func gatewayToken(t gateway.Token) api.GatewayToken {
	return api.GatewayToken{
		ID: t.ID, Account: t.Account, Name: t.Name, Installation: t.Installation, CreatedAt: t.CreatedAt, RevokedAt: t.RevokedAt,
	}
}

// Key is a key; purged ones are known too.
func (v *Views) Key(k events.AccessKeyID) (api.Key, bool, error) {
	found, ok, err := keys.Find(v.store, k)
	return key(found), ok, err
}

// Keys lists keys, newest first.
func (v *Views) Keys(f api.KeyFilter, p api.Page) ([]api.Key, string, error) {
	filter := keys.Filter{Account: f.Account, User: f.User}
	for _, s := range f.Statuses {
		filter.Statuses = append(filter.Statuses, keys.Status(s))
	}
	now := v.store.View()
	defer now.Close()
	page, err := keys.List(now, filter, p.Cursor, p.Limit)
	return each(page.Items, key), page.Next, err
}

func key(k keys.Key) api.Key {
	return api.Key{
		ID: k.ID, Owner: events.KeyringSubject(k.Account, k.User), Status: string(k.Status), Description: k.Description, Cause: k.Cause,
		CreatedAt: k.CreatedAt, ChangedAt: k.ChangedAt, DeletedAt: k.DeletedAt, PurgeAt: k.PurgeAt, PurgedAt: k.PurgedAt, Network: k.Network,
		Restriction: api.Restriction(k.Restriction),
	}
}

// Events lists lifecycle events as CloudEvents, newest first.
func (v *Views) Events(f api.EventFilter, p api.Page) ([]api.Event, string, error) {
	now := v.store.View()
	defer now.Close()
	page, err := audit.List(now, audit.Filter{
		Account: f.Account, User: f.User, Actor: f.Actor, Key: f.Key, Action: f.Action, Since: f.Since, Until: f.Until,
	}, p.Cursor, p.Limit)
	if err != nil {
		return nil, "", err
	}
	out := make([]api.Event, len(page.Items))
	for i, e := range page.Items {
		text, err := e.CloudEvent()
		if err != nil {
			return nil, "", err
		}
		out[i] = api.Event{Position: e.Position, JSON: text}
	}
	return out, page.Next, nil
}

// Due is the keys whose time in the recycle bin is over.
func (v *Views) Due(now time.Time, limit int) ([]timekeeper.Purge, error) {
	due, err := deadlines.Due(v.store, now, limit)
	return each(due, func(p deadlines.Purge) timekeeper.Purge { return timekeeper.Purge{Key: p.Key, Due: p.At} }), err
}

// Closed is the closed keyrings whose user still exists.
func (v *Views) Closed(before time.Time, limit int) ([]timekeeper.Removal, error) {
	closed, err := deadlines.Closed(v.store, before, limit)
	return each(closed, func(h deadlines.HalfRemoved) timekeeper.Removal {
		return timekeeper.Removal{Account: h.Keyring.Account, User: h.Keyring.User, Closed: h.Closed}
	}), err
}

func each[A, B any](in []A, f func(A) B) []B {
	out := make([]B, len(in))
	for i, a := range in {
		out[i] = f(a)
	}
	return out
}
