package directory

import (
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/row"
)

// FindAccount is the account with an ID.
func FindAccount(from projections.Getter, id events.AccountID) (a Account, found bool, err error) {
	return accounts.Get(from, id)
}

// FindUser is a user of an account.
func FindUser(from projections.Getter, a events.AccountID, u events.UserID) (user User, found bool, err error) {
	return users.Get(from, userID{a, u})
}

// UserNamed is the user of an account that has a name, in any case.
func UserNamed(from projections.Getter, a events.AccountID, name string) (u User, found bool, err error) {
	id, found, err := usersByName.Get(from, namedUser{a, FoldName(name)})
	if err != nil || !found {
		return User{}, false, err
	}
	return FindUser(from, a, id)
}

// Accounts is a page of all accounts, newest first. The error is a *projections.CursorError
// or a fault.
func Accounts(r projections.Reader, cursor string, limit int) (projections.Page[Account], error) {
	q := projections.QueryOf("accounts")
	return accountsIn(r, accountsByAge, projections.Range{}, q, cursor, limit, func(n agedAccount) events.AccountID { return n.id })
}

// AccountsNamed is a page of the accounts that have a name, in any case; in the
// order of their IDs. Errors are those of Accounts.
func AccountsNamed(r projections.Reader, name, cursor string, limit int) (projections.Page[Account], error) {
	q := projections.QueryOf("accounts named", FoldName(name))
	g := projections.Range{Prefix: row.AppendText(nil, FoldName(name))}
	return accountsIn(r, accountsByName, g, q, cursor, limit, func(n namedAccount) events.AccountID { return n.id })
}

func accountsIn[K any](r projections.Reader, t projections.Table[K, projections.None], g projections.Range, q projections.Query, cursor string, limit int, id func(K) events.AccountID) (projections.Page[Account], error) {
	after, err := q.Resume(cursor)
	if err != nil {
		return projections.Page[Account]{}, err
	}
	return projections.Collect(t.Scan(r, g.After(after)), q, projections.Limit(limit), func(row projections.Row[K, projections.None]) (Account, bool, error) {
		return FindAccount(r, id(row.Key))
	})
}

// Users is a page of the users of an account, newest first. The error is a
// *projections.CursorError or a fault.
func Users(r projections.Reader, a events.AccountID, cursor string, limit int) (projections.Page[User], error) {
	q := projections.QueryOf("users", string(a))
	g := projections.Range{Prefix: row.AppendAccount(nil, a)}
	after, err := q.Resume(cursor)
	if err != nil {
		return projections.Page[User]{}, err
	}
	return projections.Collect(usersByAge.Scan(r, g.After(after)), q, projections.Limit(limit), func(row projections.Row[agedUser, projections.None]) (User, bool, error) {
		return FindUser(r, a, row.Key.user)
	})
}
