package directory

import (
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/row"
)

// Keys of the tables.
type (
	userID struct {
		account events.AccountID
		user    events.UserID
	}
	namedAccount struct {
		name string // folded
		id   events.AccountID
	}
	agedAccount struct {
		created events.Position
		id      events.AccountID
	}
	namedUser struct {
		account events.AccountID
		name    string // folded
	}
	agedUser struct {
		account events.AccountID
		created events.Position
		user    events.UserID
	}
)

var accounts = projections.Table[events.AccountID, Account]{
	ID: projections.TableAccounts, AppendKey: row.AppendAccount,
	ParseKey: func(b []byte) (events.AccountID, error) {
		p := row.Parse(b)
		return p.Account(), p.Done()
	},
	AppendValue: appendAccount, ParseValue: parseAccount,
}

var accountsByName = projections.Table[namedAccount, projections.None]{
	ID:        projections.TableAccountsByName,
	AppendKey: func(dst []byte, n namedAccount) []byte { return row.AppendAccount(row.AppendText(dst, n.name), n.id) },
	ParseKey: func(b []byte) (namedAccount, error) {
		p := row.Parse(b)
		return namedAccount{p.Text(), p.Account()}, p.Done()
	},
	WriteOnly: true,
}

var accountsByAge = projections.Table[agedAccount, projections.None]{
	ID: projections.TableAccountsByAge,
	AppendKey: func(dst []byte, n agedAccount) []byte {
		return row.AppendAccount(row.AppendDescending(dst, uint64(n.created)), n.id)
	},
	ParseKey: func(b []byte) (agedAccount, error) {
		p := row.Parse(b)
		return agedAccount{events.Position(p.Descending()), p.Account()}, p.Done()
	},
	WriteOnly: true,
}

var users = projections.Table[userID, User]{
	ID:        projections.TableUsers,
	AppendKey: func(dst []byte, u userID) []byte { return row.AppendUser(row.AppendAccount(dst, u.account), u.user) },
	ParseKey: func(b []byte) (userID, error) {
		p := row.Parse(b)
		return userID{p.Account(), p.User()}, p.Done()
	},
	AppendValue: appendUser, ParseValue: parseUser,
}

var usersByName = projections.Table[namedUser, events.UserID]{
	ID:        projections.TableUsersByName,
	AppendKey: func(dst []byte, n namedUser) []byte { return row.AppendText(row.AppendAccount(dst, n.account), n.name) },
	ParseKey: func(b []byte) (namedUser, error) {
		p := row.Parse(b)
		return namedUser{p.Account(), p.Text()}, p.Done()
	},
	AppendValue: row.AppendUser,
	ParseValue: func(b []byte) (events.UserID, error) {
		p := row.Parse(b)
		return p.User(), p.Done()
	},
	WriteOnly: true,
}

var usersByAge = projections.Table[agedUser, projections.None]{
	ID: projections.TableUsersByAge,
	AppendKey: func(dst []byte, n agedUser) []byte {
		return row.AppendUser(row.AppendDescending(row.AppendAccount(dst, n.account), uint64(n.created)), n.user)
	},
	ParseKey: func(b []byte) (agedUser, error) {
		p := row.Parse(b)
		return agedUser{p.Account(), events.Position(p.Descending()), p.User()}, p.Done()
	},
	WriteOnly: true,
}

func appendAccount(dst []byte, a Account) []byte {
	dst = row.AppendAccount(append(dst, 1), a.ID)
	dst = row.AppendString(dst, a.Name)
	dst = row.AppendBool(dst, a.Operator)
	dst = row.AppendString(dst, a.Preset)
	dst = row.AppendUser(dst, a.Root)
	dst = row.AppendTime(dst, a.CreatedAt)
	dst = row.AppendUvarint(dst, uint64(a.Created))
	return row.AppendUvarint(dst, uint64(a.Last))
}

func parseAccount(b []byte) (Account, error) {
	p := row.Parse(b)
	p.Version(1)
	a := Account{ID: p.Account(), Name: p.Str(), Operator: p.Bool(), Preset: p.Str(), Root: p.User(), CreatedAt: p.Time()}
	a.Created, a.Last = events.Position(p.Uvarint()), events.Position(p.Uvarint())
	return a, p.Done()
}

func appendUser(dst []byte, u User) []byte {
	dst = row.AppendUser(row.AppendAccount(append(dst, 1), u.Account), u.ID)
	dst = row.AppendString(dst, u.Name)
	dst = row.AppendString(dst, u.Kind)
	dst = row.AppendString(dst, u.Role)
	dst = row.AppendUvarint(dst, uint64(len(u.Grants)))
	for _, g := range u.Grants {
		dst = row.AppendString(dst, g)
	}
	dst = row.AppendTime(dst, u.CreatedAt)
	dst = row.AppendUvarint(dst, uint64(u.Created))
	return row.AppendUvarint(dst, uint64(u.Last))
}

func parseUser(b []byte) (User, error) {
	p := row.Parse(b)
	p.Version(1)
	u := User{Account: p.Account(), ID: p.User(), Name: p.Str(), Kind: p.Str(), Role: p.Str()}
	for n := p.Uvarint(); n > 0 && p.Err() == nil; n-- {
		u.Grants = append(u.Grants, p.Str())
	}
	u.CreatedAt = p.Time()
	u.Created, u.Last = events.Position(p.Uvarint()), events.Position(p.Uvarint())
	return u, p.Done()
}
