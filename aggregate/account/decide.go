package account

import (
	"bytes"
	"cmp"
	"encoding/json"
	"reflect"
	"time"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/aggregate/policy"
	"github.com/keyledger/keyledger/events"
)

// Decide is what c changes about s at the time now: the events of one decision,
// none if the facts already hold, or a *aggregate.Refusal.
func Decide(s State, c Command, now time.Time) ([]events.Event, error) {
	if _, opening := c.(Open); !opening && !s.Opened {
		return nil, aggregate.Refuse(aggregate.NotFound, "account.not_found", "there is no such account; open it first")
	}
	switch c := c.(type) {
	case Open:
		return openAccount(s, c)
	case SetPolicy:
		return setPolicy(s, c)
	case SetNetworkPolicy:
		return setNetworkPolicy(s, c)
	case AddUser:
		return addUser(s, c)
	case RenameUser:
		return renameUser(s, c)
	case ChangeRole:
		return changeRole(s, c)
	case Grant:
		return grant(s, c)
	case RevokeGrant:
		return revokeGrant(s, c)
	case RemoveUser:
		return removeUser(s, c)
	case Acknowledge:
		return acknowledge(s, c)
	case ConfirmClock:
		return confirmClock(s, now)
	case CreateGatewayToken:
		return createGatewayToken(s, c)
	case RevokeGatewayToken:
		return revokeGatewayToken(s, c)
	}
	return nil, aggregate.Refuse(aggregate.Invalid, "account.command", "an account does not know the command %T", c)
}

func openAccount(s State, c Open) ([]events.Event, error) {
	if s.Opened {
		return nil, aggregate.Refuse(aggregate.Conflict, "account.exists", "the account %s is open already", s.ID)
	}
	name, err := accountName(c.Name)
	if err := cmp.Or(validAccount(c.Account), err, validUser(c.RootUser), validName(c.RootName)); err != nil {
		return nil, err
	}
	preset := cmp.Or(c.Preset, policy.Default)
	effective, err := policy.Effective(preset, c.Overrides)
	if err != nil {
		return nil, err
	}
	return facts(
		events.AccountOpened{
			Account: c.Account, Name: name, Operator: c.Operator,
			Preset: preset, Overrides: compact(c.Overrides), Policy: effective,
		},
		events.UserAdded{User: c.RootUser, Name: c.RootName, UserKind: events.KindRoot, Role: events.RoleAdmin},
	)
}

func setPolicy(s State, c SetPolicy) ([]events.Event, error) {
	preset := cmp.Or(c.Preset, s.Preset)
	effective, err := policy.Effective(preset, c.Overrides)
	if err != nil {
		return nil, err
	}
	overrides := compact(c.Overrides)
	if preset == s.Preset && bytes.Equal(overrides, s.Overrides) && reflect.DeepEqual(effective, s.Policy) {
		return nothing()
	}
	return facts(events.PolicyChanged{Account: s.ID, Preset: preset, Overrides: overrides, Policy: effective})
}

func setNetworkPolicy(s State, c SetNetworkPolicy) ([]events.Event, error) {
	if err := policy.CheckNetwork(c.Network); err != nil {
		return nil, err
	}
	next := policy.KeptNetwork(c.Network)
	if reflect.DeepEqual(next, policy.KeptNetwork(s.Network)) {
		return nothing()
	}
	return facts(events.AccountNetworkPolicySet{Account: s.ID, NetworkPolicy: next})
}

// compact is a document in the one form in which the log gives it back, and nil
// if it says nothing. The document has been found valid.
func compact(overrides json.RawMessage) json.RawMessage {
	out, err := json.Marshal(overrides)
	if err != nil || len(overrides) == 0 || string(out) == "null" || string(out) == "{}" {
		return nil
	}
	return out
}

func acknowledge(s State, c Acknowledge) ([]events.Event, error) {
	if err := cmp.Or(operatorOnly(s), validAcknowledge(c)); err != nil {
		return nil, err
	}
	return facts(events.RecordAcknowledged{Projection: c.Projection, Position: c.Position, Through: c.Through, Reason: c.Reason})
}

func confirmClock(s State, now time.Time) ([]events.Event, error) {
	if err := operatorOnly(s); err != nil {
		return nil, err
	}
	return facts(events.ClockConfirmed{Account: s.ID, Clock: now.UTC()})
}

func operatorOnly(s State) error {
	if s.Operator {
		return nil
	}
	return aggregate.Refuse(aggregate.Denied, "operator.only", "only the operator's account can record this")
}

func facts(es ...events.Event) ([]events.Event, error) { return es, nil }

func nothing() ([]events.Event, error) { return nil, nil }
