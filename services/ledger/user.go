package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/aggregate/account"
	"github.com/keyledger/keyledger/aggregate/keyring"
	"github.com/keyledger/keyledger/events"
)

// An AddedUser is the answer to AddUser.
type AddedUser struct {
	Outcome
	User account.User
}

// AddUser adds a user to an account. An empty kind is events.KindUser, an
// empty role events.RoleUser.
func (l *Ledger) AddUser(ctx context.Context, req Request, a events.AccountID, name, kind, role string) (AddedUser, error) {
	id, err := l.Draw.UserID()
	if err != nil {
		return AddedUser{}, err
	}
	if kind == "" {
		kind = events.KindUser
	}
	if role == "" {
		role = events.RoleUser
	}
	out, err := l.changeAccount(ctx, req, a, id, name, account.AddUser{User: id, Name: name, Kind: kind, Role: role})
	if err != nil {
		return AddedUser{}, err
	}
	added := AddedUser{Outcome: out}
	for _, e := range out.Events {
		if u, ok := e.(events.UserAdded); ok {
			added.User = account.User{ID: u.User, Name: u.Name, Kind: u.UserKind, Role: u.Role}
		}
	}
	return added, nil
}

// A UserChange is what is to change about a user; nil leaves a thing as it is.
type UserChange struct {
	Name   *string
	Role   *string
	Grants *[]string // all that the user is to have
}

// ChangeUser makes every change in one decision, or none.
func (l *Ledger) ChangeUser(ctx context.Context, req Request, a events.AccountID, u events.UserID, c UserChange) (Outcome, error) {
	name := ""
	if c.Name != nil {
		name = *c.Name
	}
	return l.do(ctx, req, step{subject: events.AccountSubject(a), decide: func(v View, now time.Time) (decided, error) {
		state, p, err := readAccount(v, a, u, name)
		if err != nil {
			return decided{}, err
		}
		d := decided{after: p, policy: p}
		for _, command := range c.commands(state.Users[u]) {
			recorded, err := account.Decide(state, command, now)
			if err != nil {
				return decided{}, err
			}
			for _, e := range recorded {
				state = account.Evolve(state, e)
			}
			d.events = append(d.events, recorded...)
		}
		return d, nil
	}})
}

// commands is what c asks for of u as it is.
func (c UserChange) commands(u account.User) []account.Command {
	var out []account.Command
	if c.Name != nil {
		out = append(out, account.RenameUser{User: u.ID, Name: *c.Name})
	}
	if c.Role != nil {
		out = append(out, account.ChangeRole{User: u.ID, Role: *c.Role})
	}
	if c.Grants == nil {
		return out
	}
	for _, g := range *c.Grants {
		out = append(out, account.Grant{User: u.ID, Grant: g})
	}
	for _, g := range u.Grants {
		if !slices.Contains(*c.Grants, g) {
			out = append(out, account.RevokeGrant{User: u.ID, Grant: g})
		}
	}
	return out
}

// RemoveUser removes a user who has no keys, those in the recycle bin
// included. The keyring is closed first, so that no create can follow; then the
// user is removed from the account. What a crash leaves half done the timekeeper
// finishes or takes back.
func (l *Ledger) RemoveUser(ctx context.Context, req Request, a events.AccountID, u events.UserID) (Outcome, error) {
	req, err := l.named(req)
	if err != nil {
		return Outcome{}, err
	}
	if out, done, err := l.mayRemove(ctx, req, a, u); done || err != nil {
		return out, err
	}
	if err := l.setClosed(ctx, req, "#close", a, u, keyring.Close{User: u}); err != nil {
		return Outcome{}, err
	}
	out, err := l.removeClosed(ctx, req, a, u)
	var refusal *aggregate.Refusal
	if errors.As(err, &refusal) && refusal.Kind != aggregate.NotFound {
		return Outcome{}, errors.Join(err, l.setClosed(ctx, req, "#reopen", a, u, keyring.Reopen{User: u}))
	}
	return out, err
}

// mayRemove answers a removal that was recorded before, and refuses what the
// account would refuse, before anything is closed.
func (l *Ledger) mayRemove(ctx context.Context, req Request, a events.AccountID, u events.UserID) (Outcome, bool, error) {
	v := l.View()
	defer v.Close()
	if out, found, err := l.repeated(ctx, v, req, events.AccountSubject(a)); found || err != nil {
		return out, found, err
	}
	state, _, err := readAccount(v, a, u, "")
	if err != nil {
		return Outcome{}, false, err
	}
	_, err = account.Decide(state, account.RemoveUser{User: u, KeyringClosed: true}, l.Now().UTC())
	return Outcome{}, false, err
}

// removeClosed removes a user whose keyring is closed in the same view.
func (l *Ledger) removeClosed(ctx context.Context, req Request, a events.AccountID, u events.UserID) (Outcome, error) {
	return l.do(ctx, req, step{subject: events.AccountSubject(a), decide: func(v View, now time.Time) (decided, error) {
		keys, _, err := v.Keyring(events.KeyringSubject(a, u))
		if err != nil {
			return decided{}, err
		}
		state, p, err := readAccount(v, a, u, "")
		if err != nil {
			return decided{}, err
		}
		recorded, err := account.Decide(state, account.RemoveUser{User: u, KeyringClosed: keys.Closed}, now)
		return decided{after: p, events: recorded}, err
	}})
}

// setClosed closes or reopens a user's keyring as a step of a longer request.
// The step is named by where the keyring stood as well: a request that was taken back
// and is sent again closes anew.
func (l *Ledger) setClosed(ctx context.Context, req Request, suffix string, a events.AccountID, u events.UserID, c keyring.Command) error {
	subject := events.KeyringSubject(a, u)
	v := l.View()
	_, at, err := v.Keyring(subject)
	v.Close()
	if err != nil {
		return err
	}
	req.ID = stepID(req.ID, fmt.Sprintf("%s@%d", suffix, at))
	_, err = l.do(ctx, req, step{subject: subject, decide: func(v View, now time.Time) (decided, error) {
		state, p, err := v.Keyring(subject)
		if err != nil {
			return decided{}, err
		}
		recorded, err := keyring.Decide(state, c, now)
		return decided{after: p, events: recorded}, err
	}})
	return err
}
