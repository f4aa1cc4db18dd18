package account

import (
	"cmp"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/events"
)

func addUser(s State, c AddUser) ([]events.Event, error) {
	if err := cmp.Or(validUser(c.User), validName(c.Name), validKind(c.Kind), validRole(c.Role)); err != nil {
		return nil, err
	}
	if _, taken := s.Users[c.User]; taken {
		return nil, aggregate.Refuse(aggregate.Conflict, "user.exists", "the account has a user %s already; a user ID is never used twice", c.User)
	}
	if err := nameFree(s, c.User, c.Name); err != nil {
		return nil, err
	}
	return facts(events.UserAdded{User: c.User, Name: c.Name, UserKind: c.Kind, Role: c.Role})
}

// nameFree says who else has the name, or nil.
func nameFree(s State, id events.UserID, name string) error {
	u, taken := s.holder(name)
	if !taken || u.ID == id {
		return nil
	}
	return aggregate.Refuse(aggregate.Conflict, "user.name_taken",
		"the name %q belongs to user %s (upper and lower case do not differ); choose another", u.Name, u.ID)
}

func renameUser(s State, c RenameUser) ([]events.Event, error) {
	u, err := lookup(s, c.User, validName(c.Name))
	switch {
	case err != nil:
		return nil, err
	case u.Name == c.Name:
		return nothing()
	}
	if err := nameFree(s, c.User, c.Name); err != nil {
		return nil, err
	}
	return facts(events.UserRenamed{User: u.ID, From: u.Name, To: c.Name})
}

func changeRole(s State, c ChangeRole) ([]events.Event, error) {
	u, err := lookup(s, c.User, validRole(c.Role))
	switch {
	case err != nil:
		return nil, err
	case u.Role == c.Role:
		return nothing()
	case u.Kind == events.KindRoot:
		return nil, aggregate.Refuse(aggregate.Denied, "user.root_role", "the root user is always an admin; give another user the role %s", c.Role)
	}
	return facts(events.UserRoleChanged{User: u.ID, From: u.Role, To: c.Role})
}

func grant(s State, c Grant) ([]events.Event, error) {
	u, err := lookup(s, c.User, validGrant(c.Grant))
	switch {
	case err != nil:
		return nil, err
	case u.Has(c.Grant):
		return nothing()
	}
	return facts(events.UserGranted{User: u.ID, Grant: c.Grant})
}

func revokeGrant(s State, c RevokeGrant) ([]events.Event, error) {
	u, err := lookup(s, c.User, validGrant(c.Grant))
	switch {
	case err != nil:
		return nil, err
	case !u.Has(c.Grant):
		return nothing()
	}
	return facts(events.UserGrantRevoked{User: u.ID, Grant: c.Grant})
}

func removeUser(s State, c RemoveUser) ([]events.Event, error) {
	u, err := lookup(s, c.User, nil)
	switch {
	case err != nil:
		return nil, err
	case u.Kind == events.KindRoot:
		return nil, aggregate.Refuse(aggregate.Denied, "user.root", "the root user lives as long as its account and cannot be removed")
	case !c.KeyringClosed:
		return nil, aggregate.Refuse(aggregate.Conflict, "user.keyring_open",
			"the user %q can still have keys; delete and purge them and close the keyring first", u.Name)
	}
	return facts(events.UserRemoved{User: u.ID, Name: u.Name})
}

// lookup is the user with the ID, or what is wrong: before, if that is set, else
// that there is no such user.
func lookup(s State, id events.UserID, before error) (User, error) {
	if before != nil {
		return User{}, before
	}
	if u, ok := s.Users[id]; ok {
		return u, nil
	}
	return User{}, aggregate.Refuse(aggregate.NotFound, "user.not_found", "the account has no user %q; it may have been removed", string(id))
}
