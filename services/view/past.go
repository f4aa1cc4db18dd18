package view

import (
	"slices"
	"time"

	"github.com/keyledger/keyledger/aggregate/keyring"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections/audit"
	"github.com/keyledger/keyledger/services/api"
)

// PositionAt is the end of the longest prefix of the log whose times are all
// at or before t.
func (v *Views) PositionAt(t time.Time) (events.Position, error) {
	now := v.store.View()
	defer now.Close()
	return audit.PositionAt(now, t)
}

// KeysAsOf is a user's keys as they were at p, newest first, purged ones too:
// the keyring's history up to p, folded by the rules' own function.
func (v *Views) KeysAsOf(owner events.Subject, p events.Position) ([]api.Key, error) {
	now := v.store.View()
	defer now.Close()
	then := past{place: map[events.AccessKeyID]int{}}
	for r, err := range audit.History(now, owner, p) {
		if err != nil {
			return nil, err
		}
		for _, e := range r.Events {
			then.apply(r, e.Event)
		}
	}
	slices.Reverse(then.keys)
	return then.keys, nil
}

// A past is a user's keys at some position, in the order of their creation.
type past struct {
	state keyring.State
	keys  []api.Key
	place map[events.AccessKeyID]int // in keys
}

// apply folds one event: into the state what rules know of a key, and beside
// it when things happened.
func (p *past) apply(r events.Record, e events.Event) {
	p.state = keyring.Evolve(p.state, e)
	if e, created := e.(events.KeyCreated); created {
		p.place[e.Key] = len(p.keys)
		p.keys = append(p.keys, api.Key{ID: e.Key, Owner: r.Subject, Cause: e.Cause, CreatedAt: r.Meta.Time})
	}
	i, known := p.place[events.AccessKeyID(e.About())]
	if !known {
		return // it is about the keyring as a whole
	}
	k := &p.keys[i]
	switch e.(type) {
	case events.KeyDescribed, events.KeyNetworkPolicySet, events.KeyRestricted, events.KeyUnrestricted: // the status stays
	default:
		k.ChangedAt = r.Meta.Time
	}
	switch e := e.(type) {
	case events.KeyRestricted:
		k.Restriction = api.Restriction{Since: r.Meta.Time, Reason: e.Reason, FoundIn: e.FoundIn}
	case events.KeyUnrestricted:
		k.Restriction = api.Restriction{}
	case events.KeyDeleted:
		k.DeletedAt = r.Meta.Time
	case events.KeyRestored:
		k.DeletedAt = time.Time{}
	case events.KeyPurged:
		k.Status, k.PurgedAt, k.PurgeAt = events.StatusPurged, r.Meta.Time, time.Time{}
		k.Network, k.Restriction = events.NetworkPolicy{}, api.Restriction{}
		return
	default: // the state has all that others change
	}
	if now, ok := p.state.Key(k.ID); ok {
		k.Status, k.Description, k.PurgeAt, k.Network = string(now.Status), now.Description, now.PurgeAt, now.Network
	}
}
