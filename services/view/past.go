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

// KeysAsOf is a user's keys as they were at p, newest first, purged ones left
// out: the keyring's history up to p, folded by the rules' own function.
func (v *Views) KeysAsOf(owner events.Subject, p events.Position) ([]api.Key, error) {
	now := v.store.View()
	defer now.Close()
	var state keyring.State
	past := map[events.AccessKeyID]api.Key{}
	for r, err := range audit.History(now, owner, p) {
		if err != nil {
			return nil, err
		}
		for _, e := range r.Events {
			state = keyring.Evolve(state, e.Event)
			remember(past, r, e.Event)
		}
	}
	out := make([]api.Key, len(state.Keys))
	for i, k := range state.Keys {
		then := past[k.ID]
		then.Status, then.Description, then.PurgeAt = string(k.Status), k.Description, k.PurgeAt
		out[i] = then
	}
	slices.Reverse(out)
	return out, nil
}

// remember keeps what rules do not need to know of a key: when things happened.
func remember(past map[events.AccessKeyID]api.Key, r events.Record, e events.Event) {
	k := past[events.AccessKeyID(e.About())]
	k.ChangedAt = r.Meta.Time
	switch e := e.(type) {
	case events.KeyCreated:
		k = api.Key{ID: e.Key, Owner: r.Subject, Cause: e.Cause, CreatedAt: r.Meta.Time, ChangedAt: r.Meta.Time}
	case events.KeyDeleted:
		k.DeletedAt = r.Meta.Time
	case events.KeyRestored:
		k.DeletedAt = time.Time{}
	case events.KeyringClosed, events.KeyringReopened:
		return
	}
	past[events.AccessKeyID(e.About())] = k
}
