// Package directory knows the accounts and their users: by ID, by name, and in
// lists, newest first.
//
// The way in: [New] is the projection; [FindAccount], [AccountsNamed], [Accounts],
// [FindUser], [UserNamed] and [Users] are its queries.
//
// The limits: names of accounts are not unique; names of users are, within
// their account and regardless of case as [FoldName] sees it. A removed user has no row;
// what happened to it is in the audit. The policy of an account is rule state, and not here.
package directory

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
)

// An Account is what is known of an account.
type Account struct {
	ID        events.AccountID
	Name      string
	Operator  bool // its admins manage the other accounts
	Preset    string
	Root      events.UserID   // its root user
	CreatedAt time.Time       // UTC
	Created   events.Position // of its opening
	Last      events.Position // of the last of its own facts
}

// A User is what is known of a user.
type User struct {
	Account   events.AccountID
	ID        events.UserID
	Name      string
	Kind      string // events.KindRoot, ...
	Role      string // events.RoleAdmin, ...
	Grants    []string
	CreatedAt time.Time       // UTC
	Created   events.Position // of its addition
	Last      events.Position // of the last event about it in the account's facts
}

// FoldName is what two names have in common that differ in case only.
func FoldName(name string) string { return strings.ToLower(name) }

type projection struct{}

// New is the projection of accounts and users. Its name is "directory".
func New() projections.Projection { return projection{} }

func (projection) Name() string { return "directory" }
func (projection) Version() int { return 1 }
func (projection) Tables() []projections.TableID {
	return []projections.TableID{
		projections.TableAccounts, projections.TableAccountsByName, projections.TableAccountsByAge,
		projections.TableUsers, projections.TableUsersByName, projections.TableUsersByAge,
	}
}

// Apply folds r's events about accounts and users in. It fails on what no log
// of ours should hold: an account or user that comes to be twice, or an event about one
// that there is not.
func (projection) Apply(b *projections.Batch, r events.Record) error {
	if r.Subject.User != "" {
		return nil // a keyring knows nothing of names
	}
	for i := range r.Events {
		if err := apply(b, &r, r.Events[i].Event); err != nil {
			return err
		}
	}
	return nil
}

func apply(b *projections.Batch, r *events.Record, e events.Event) error {
	switch e := e.(type) {
	case events.AccountOpened:
		return open(b, r, e)
	case events.PolicyChanged:
		return changeAccount(b, r, func(a *Account) { a.Preset = e.Preset })
	case events.AccountNetworkPolicySet:
		return changeAccount(b, r, func(*Account) {})
	case events.UserAdded:
		return add(b, r, e)
	case events.UserRenamed:
		return rename(b, r, e)
	case events.UserRoleChanged:
		return changeUser(b, r, e.User, func(u *User) { u.Role = e.To })
	case events.UserGranted:
		return changeUser(b, r, e.User, func(u *User) { u.grant(e.Grant) })
	case events.UserGrantRevoked:
		return changeUser(b, r, e.User, func(u *User) {
			u.Grants = slices.DeleteFunc(u.Grants, func(g string) bool { return g == e.Grant })
		})
	case events.UserRemoved:
		return removeUser(b, r, e)
	default: // nothing else changes an account or a user
		return nil
	}
}

func (u *User) grant(g string) {
	if !slices.Contains(u.Grants, g) {
		u.Grants = append(u.Grants, g)
	}
}

func open(b *projections.Batch, r *events.Record, e events.AccountOpened) error {
	id := r.Subject.Account
	taken, err := accounts.Has(b, id)
	if err != nil {
		return err
	}
	if taken {
		return fmt.Errorf("the account %s is opened a second time", id)
	}
	a := Account{ID: id, Name: e.Name, Operator: e.Operator, Preset: e.Preset, CreatedAt: r.Meta.Time, Created: r.Position, Last: r.Position}
	accounts.Put(b, id, a)
	accountsByName.Put(b, namedAccount{FoldName(a.Name), id}, projections.None{})
	accountsByAge.Put(b, agedAccount{a.Created, id}, projections.None{})
	return nil
}

func changeAccount(b *projections.Batch, r *events.Record, edit func(*Account)) error {
	a, found, err := accounts.Get(b, r.Subject.Account)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("the account %s was never opened", r.Subject.Account)
	}
	edit(&a)
	a.Last = r.Position
	accounts.Put(b, a.ID, a)
	return nil
}

func add(b *projections.Batch, r *events.Record, e events.UserAdded) error {
	id := userID{r.Subject.Account, e.User}
	taken, err := users.Has(b, id)
	if err != nil {
		return err
	}
	if taken {
		return fmt.Errorf("the user %s is added a second time", e.User)
	}
	u := User{
		Account: id.account, ID: id.user, Name: e.Name, Kind: e.UserKind, Role: e.Role,
		CreatedAt: r.Meta.Time, Created: r.Position, Last: r.Position,
	}
	users.Put(b, id, u)
	usersByAge.Put(b, agedUser{u.Account, u.Created, u.ID}, projections.None{})
	usersByName.Put(b, namedUser{u.Account, FoldName(u.Name)}, u.ID)
	return changeAccount(b, r, func(a *Account) {
		if u.Kind == events.KindRoot {
			a.Root = u.ID
		}
	})
}

func rename(b *projections.Batch, r *events.Record, e events.UserRenamed) error {
	return changeUser(b, r, e.User, func(u *User) {
		usersByName.Delete(b, namedUser{u.Account, FoldName(u.Name)})
		u.Name = e.To
		usersByName.Put(b, namedUser{u.Account, FoldName(u.Name)}, u.ID)
	})
}

func changeUser(b *projections.Batch, r *events.Record, id events.UserID, edit func(*User)) error {
	u, found, err := users.Get(b, userID{r.Subject.Account, id})
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("there is no user %s in the account %s", id, r.Subject.Account)
	}
	edit(&u)
	u.Last = r.Position
	users.Put(b, userID{u.Account, u.ID}, u)
	return changeAccount(b, r, func(*Account) {})
}

func removeUser(b *projections.Batch, r *events.Record, e events.UserRemoved) error {
	id := userID{r.Subject.Account, e.User}
	u, found, err := users.Get(b, id)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("there is no user %s in the account %s to remove", e.User, id.account)
	}
	users.Delete(b, id)
	usersByAge.Delete(b, agedUser{u.Account, u.Created, u.ID})
	usersByName.Delete(b, namedUser{u.Account, FoldName(u.Name)})
	return changeAccount(b, r, func(*Account) {})
}
