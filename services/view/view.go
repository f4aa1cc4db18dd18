// Package view answers from the projections: what rules need to decide
// ([View]), what doors need to know who calls ([Views.VerifyKey], [Views.Caller]), and the
// lists that people ask for. It knows which projections there are, and folds the
// rules' state by the rules' own functions.
//
// The way in is [New]. The limits: it writes nothing, and what it knows is at
// most as new as what the runner has applied.
package view

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/keyledger/keyledger/aggregate/account"
	"github.com/keyledger/keyledger/aggregate/keyring"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/audit"
	"github.com/keyledger/keyledger/projections/deadlines"
	"github.com/keyledger/keyledger/projections/directory"
	"github.com/keyledger/keyledger/projections/gateway"
	"github.com/keyledger/keyledger/projections/keys"
	"github.com/keyledger/keyledger/projections/requests"
	"github.com/keyledger/keyledger/projections/row"
	"github.com/keyledger/keyledger/services/ledger"
)

// Parts is every projection of LEDGER. Commands and verification rest on all
// but the audit.
func Parts() []projections.Part {
	return []projections.Part{
		{Projection: keyrings, Critical: true},
		{Projection: accounts, Critical: true},
		{Projection: users, Critical: true},
		{Projection: gatewayTokens, Critical: true},
		{Projection: keys.New(), Critical: true},
		{Projection: directory.New(), Critical: true},
		{Projection: gateway.New(), Critical: true},
		{Projection: deadlines.New(), Critical: true},
		{Projection: requests.New(), Critical: true},
		{Projection: audit.New()},
	}
}

// OpenStore opens the projections' store and has what it notices about itself
// logged.
func OpenStore(dir string, log *slog.Logger, o projections.Options) (*projections.Store, error) {
	o.Health = LogHealth(log)
	return projections.Open(dir, o)
}

// LogHealth logs what a store notices about itself, of each kind once a second: what fails in the background is tried again at
// once, thousands of times a second.
func LogHealth(log *slog.Logger) func(projections.Health) {
	var mu sync.Mutex
	said := map[projections.HealthKind]time.Time{}
	first := func(kind projections.HealthKind) bool {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(said[kind]) < time.Second {
			return false
		}
		said[kind] = time.Now()
		return true
	}
	return func(h projections.Health) {
		if !first(h.Kind) {
			return
		}
		level := slog.LevelWarn
		switch h.Kind {
		case projections.HealthFailed, projections.HealthCorrupt:
			level = slog.LevelError
		case projections.HealthFlowing, projections.HealthStalled:
			level = slog.LevelInfo
		}
		log.Log(context.Background(), level, "the projections' store", "kind", h.Kind, "detail", h.Detail)
	}
}

// Views answers from one store.
type Views struct {
	store  *projections.Store
	runner *projections.Runner
}

// New answers from a store that a runner keeps.
func New(s *projections.Store, r *projections.Runner) *Views { return &Views{store: s, runner: r} }

// Now is what is known now, of one moment.
func (v *Views) Now() ledger.View { return &View{v.store.View()} }

// Wait ends when what is known has reached p.
func (v *Views) Wait(ctx context.Context, p events.Position) error { return v.runner.Wait(ctx, p) }

// Applied is how far what is known has come.
func (v *Views) Applied() events.Position { return v.runner.Applied() }

// A View is what is known, of one moment. It must be closed.
type View struct {
	*projections.View
}

// Keyring is a user's keys and the position of its subject's last message.
func (v *View) Keyring(s events.Subject) (keyring.State, events.Position, error) {
	return keyrings.Load(v, row.AppendSubject(nil, s))
}

// Account is an account without its users and gateway tokens, and the position of
// its subject's last message.
func (v *View) Account(a events.AccountID) (account.State, events.Position, error) {
	return accounts.Load(v, row.AppendAccount(nil, a))
}

// User is a user of an account.
func (v *View) User(a events.AccountID, u events.UserID) (account.User, bool, error) {
	user, at, err := users.Load(v, row.AppendUser(row.AppendAccount(nil, a), u))
	return user, at != 0, err
}

// UserByName is the user who holds a name, spelt in any case.
func (v *View) UserByName(a events.AccountID, name string) (account.User, bool, error) {
	u, found, err := directory.UserNamed(v, a, name)
	if err != nil || !found {
		return account.User{}, false, err
	}
	return v.User(a, u.ID)
}

// GatewayToken is a gateway token of an account; a revoked one is found too.
func (v *View) GatewayToken(a events.AccountID, id events.GatewayTokenID) (account.GatewayToken, bool, error) {
	token, at, err := gatewayTokens.Load(v, append(row.AppendAccount(nil, a), id...))
	return token, at != 0, err
}

// Key is who owns a key, and its status.
func (v *View) Key(k events.AccessKeyID) (owner events.Subject, status string, found bool, err error) {
	found1, found, err := keys.Find(v, k)
	return events.KeyringSubject(found1.Account, found1.User), string(found1.Status), found, err
}

// Request is where a request was recorded, and the digest of what was asked.
func (v *View) Request(scope events.AccountID, actor events.Actor, id events.RequestID) (events.Position, string, bool, error) {
	done, found, err := requests.Find(v, requests.Name{Scope: scope, Actor: actor, Request: id})
	return done.Position, done.Digest, found, err
}

// LastTime is the time of the last decision; zero if there is none.
func (v *Views) LastTime() (time.Time, error) { return audit.LastTime(v.store) }
