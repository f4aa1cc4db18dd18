package keyring

import (
	"slices"
	"time"

	"github.com/keyledger/keyledger/events"
)

// Evolve is the state after e. It never fails and shares nothing with s that it
// changes: s stays as it was. What is about a key that is not there changes nothing.
func Evolve(s State, e events.Event) State {
	switch e := e.(type) {
	case events.KeyCreated:
		return add(s, Key{ID: e.Key, Status: Active, Description: e.Description})
	case events.KeyDisabled:
		return change(s, e.Key, func(k *Key) { k.move(Disabled) })
	case events.KeyEnabled:
		return change(s, e.Key, func(k *Key) { k.move(Active) })
	case events.KeyDeleted:
		place := nextInBin(s)
		return change(s, e.Key, func(k *Key) { k.drop(e.PurgeAt, place) })
	case events.KeyRestored:
		return change(s, e.Key, func(k *Key) { k.move(Disabled) })
	case events.KeyPurged:
		return take(s, e.Key)
	case events.KeyDescribed:
		return change(s, e.Key, func(k *Key) { k.Description = e.Description })
	case events.KeyNetworkPolicySet:
		return change(s, e.Key, func(k *Key) { k.Network = e.NetworkPolicy })
	case events.KeyRestricted:
		return change(s, e.Key, func(k *Key) { k.Restricted = true })
	case events.KeyUnrestricted:
		return change(s, e.Key, func(k *Key) { k.Restricted = false })
	case events.KeyringClosed:
		s.Closed = true
		return s
	case events.KeyringReopened:
		s.Closed = false
		return s
	case events.AccountOpened, events.PolicyChanged, events.UserAdded, events.UserRenamed, events.UserRoleChanged,
		events.UserGranted, events.UserGrantRevoked, events.UserRemoved, events.RecordAcknowledged, events.ClockConfirmed,
		events.GatewayTokenCreated, events.GatewayTokenRevoked, events.AccountNetworkPolicySet:
		return s // facts of the account, not of a keyring
	case events.KeyReserved:
		return s // it says that a key may come, and lies elsewhere
	}
	return s
}

// move takes the key to a status outside the bin.
func (k *Key) move(to Status) { k.Status, k.PurgeAt, k.Binned = to, time.Time{}, 0 }

// drop takes the key to the bin.
func (k *Key) drop(purgeAt time.Time, place uint64) {
	k.Status, k.PurgeAt, k.Binned = Deleted, purgeAt.UTC(), place
}

func add(s State, k Key) State {
	if s.index(k.ID) >= 0 {
		return s
	}
	s.Keys = append(slices.Clip(s.Keys), k) // clipped, so that append copies
	return s
}

func change(s State, id events.AccessKeyID, f func(*Key)) State {
	i := s.index(id)
	if i < 0 {
		return s
	}
	s.Keys = slices.Clone(s.Keys)
	f(&s.Keys[i])
	return s
}

func take(s State, id events.AccessKeyID) State {
	i := s.index(id)
	if i < 0 {
		return s
	}
	if len(s.Keys) == 1 {
		s.Keys = nil // as it was before the first key, so that equal states are equal
		return s
	}
	s.Keys = slices.Concat(s.Keys[:i], s.Keys[i+1:])
	return s
}

// nextInBin is the place of a key that is deleted after all those in the bin.
func nextInBin(s State) uint64 {
	var last uint64
	for _, k := range s.Keys {
		last = max(last, k.Binned)
	}
	return last + 1
}
