package account

import (
	"maps"
	"slices"

	"github.com/keyledger/keyledger/events"
)

// Evolve is the state after e. It never fails and shares nothing with s that it
// changes: s stays as it was.
func Evolve(s State, e events.Event) State {
	s = EvolveHeader(s, e)
	if id, ok := UserOf(e); ok {
		s.Users = evolveRow(s.Users, id, e, EvolveUser)
	}
	if id, ok := GatewayTokenOf(e); ok {
		s.GatewayTokens = evolveRow(s.GatewayTokens, id, e, EvolveGatewayToken)
	}
	return s
}

// evolveRow is a copy of rows in which the one with the ID is as it is after e.
func evolveRow[ID comparable, Row any](rows map[ID]Row, id ID, e events.Event, evolve func(Row, bool, events.Event) (Row, bool)) map[ID]Row {
	before, present := rows[id]
	after, remains := evolve(before, present, e)
	if !present && !remains {
		return rows
	}
	rows = maps.Clone(rows)
	if !remains {
		delete(rows, id)
		return rows
	}
	if rows == nil {
		rows = make(map[ID]Row, 1)
	}
	rows[id] = after
	return rows
}

// EvolveHeader is Evolve for all of the state but its users and gateway tokens,
// which stay as they are.
func EvolveHeader(s State, e events.Event) State {
	switch e := e.(type) {
	case events.AccountOpened:
		s.Opened, s.ID, s.Name, s.Operator = true, e.Account, e.Name, e.Operator
		s.Preset, s.Overrides, s.Policy = e.Preset, e.Overrides, e.Policy
		return s
	case events.PolicyChanged:
		s.Preset, s.Overrides, s.Policy = e.Preset, e.Overrides, e.Policy
		return s
	case events.AccountNetworkPolicySet:
		s.Network = e.NetworkPolicy
		return s
	case events.UserAdded:
		if e.UserKind == events.KindRoot {
			s.RootUser = e.User
		}
		return s
	case events.GatewayTokenCreated:
		s.LiveGatewayTokens++
		return s
	case events.GatewayTokenRevoked:
		s.LiveGatewayTokens--
		return s
	case events.UserRenamed, events.UserRoleChanged, events.UserGranted, events.UserGrantRevoked, events.UserRemoved:
		return s // facts of one user
	case events.RecordAcknowledged, events.ClockConfirmed:
		return s // read by those whom they concern; no rule depends on them
	case events.KeyCreated, events.KeyDisabled, events.KeyEnabled, events.KeyDeleted, events.KeyRestored, events.KeyPurged,
		events.KeyDescribed, events.KeyNetworkPolicySet, events.KeyRestricted, events.KeyUnrestricted, events.KeyringClosed, events.KeyringReopened, events.KeyReserved:
		return s // facts of a keyring
	}
	return s
}

// EvolveUser folds one user's row: it is the user after e and whether there is one,
// given the user before and whether there was one. What is about another user, or
// about none, changes nothing.
func EvolveUser(u User, present bool, e events.Event) (User, bool) {
	is := func(id events.UserID) bool { return present && u.ID == id }
	switch e := e.(type) {
	case events.UserAdded:
		if !present {
			return User{ID: e.User, Name: e.Name, Kind: e.UserKind, Role: e.Role}, true
		}
	case events.UserRenamed:
		if is(e.User) {
			u.Name = e.To
		}
	case events.UserRoleChanged:
		if is(e.User) {
			u.Role = e.To
		}
	case events.UserGranted:
		if is(e.User) {
			u.Grants = with(u.Grants, e.Grant)
		}
	case events.UserGrantRevoked:
		if is(e.User) {
			u.Grants = without(u.Grants, e.Grant)
		}
	case events.UserRemoved:
		if is(e.User) {
			return User{}, false
		}
	case events.AccountOpened, events.PolicyChanged, events.RecordAcknowledged, events.ClockConfirmed,
		events.GatewayTokenCreated, events.GatewayTokenRevoked, events.AccountNetworkPolicySet:
		// facts of the account
	case events.KeyCreated, events.KeyDisabled, events.KeyEnabled, events.KeyDeleted, events.KeyRestored, events.KeyPurged,
		events.KeyDescribed, events.KeyNetworkPolicySet, events.KeyRestricted, events.KeyUnrestricted, events.KeyringClosed, events.KeyringReopened, events.KeyReserved:
		// facts of a keyring
	}
	return u, present
}

// UserOf is the user that e is about, if it is about one of an account's users.
func UserOf(e events.Event) (events.UserID, bool) {
	switch e := e.(type) {
	case events.UserAdded:
		return e.User, true
	case events.UserRenamed:
		return e.User, true
	case events.UserRoleChanged:
		return e.User, true
	case events.UserGranted:
		return e.User, true
	case events.UserGrantRevoked:
		return e.User, true
	case events.UserRemoved:
		return e.User, true
	case events.AccountOpened, events.PolicyChanged, events.RecordAcknowledged, events.ClockConfirmed,
		events.GatewayTokenCreated, events.GatewayTokenRevoked, events.AccountNetworkPolicySet:
		return "", false // of the account
	case events.KeyCreated, events.KeyDisabled, events.KeyEnabled, events.KeyDeleted, events.KeyRestored, events.KeyPurged,
		events.KeyDescribed, events.KeyNetworkPolicySet, events.KeyRestricted, events.KeyUnrestricted, events.KeyringClosed, events.KeyringReopened, events.KeyReserved:
		return "", false // of a keyring, though some name its user
	}
	return "", false
}

func with(grants []string, grant string) []string {
	if slices.Contains(grants, grant) {
		return grants
	}
	return append(slices.Clip(grants), grant) // clipped, so that append copies
}

func without(grants []string, grant string) []string {
	var out []string
	for _, g := range grants {
		if g != grant {
			out = append(out, g)
		}
	}
	return out
}
