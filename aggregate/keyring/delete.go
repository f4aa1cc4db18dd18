package keyring

import (
	"cmp"
	"time"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/aggregate/policy"
	"github.com/keyledger/keyledger/events"
)

func remove(s State, c Delete, now time.Time) ([]events.Event, error) {
	root, err := isRoot(c.OwnerKind)
	k, err := lookup(s, c.Key, cmp.Or(validPolicy(c.Policy), err))
	switch {
	case err != nil:
		return nil, err
	case k.Status == Deleted:
		return nothing()
	case k.Status == Active && c.Policy.Delete.RequiresDisabled:
		return nil, aggregate.Refuse(aggregate.Conflict, "delete.requires_disabled", "key %s is active; disable it first", k.ID)
	}
	warnings, err := idle(c, now)
	if err != nil {
		return nil, err
	}
	b := binFor(c.Policy, root)
	if b.full(s) && c.Policy.Recycle.Overflow != policy.OverflowPurgeOldest {
		return nil, aggregate.Refuse(aggregate.Limit, "bin.full",
			"the user's recycle bin is full (%d of %d); purge or restore a key first", s.Count(Deleted), b.capacity)
	}
	deleted := events.KeyDeleted{Key: k.ID, PurgeAt: now.Add(b.retention), Warnings: warnings}
	if policy.MinIdle(c.Policy) > 0 {
		deleted.LastUsed = c.LastUsed.UTC()
	}
	return b.take(s, deleted), nil
}

// idle judges whether the key has been unused for long enough, and what to warn
// of. A key that was never used has been.
func idle(c Delete, now time.Time) (warnings []string, err error) {
	least := policy.MinIdle(c.Policy)
	if least == 0 || c.LastUsed.IsZero() || !now.Before(c.LastUsed.Add(least)) {
		return nil, nil
	}
	if c.Policy.Delete.MinIdleMode == policy.IdleWarn {
		return []string{ruleMinIdle}, nil
	}
	return nil, aggregate.Refuse(aggregate.Conflict, ruleMinIdle,
		"key %s was used at %s; if it is not used again it can be deleted from %s",
		c.Key, c.LastUsed.UTC().Format(time.RFC3339), c.LastUsed.Add(least).UTC().Format(time.RFC3339))
}

// A bin is what the policy keeps deleted keys in.
type bin struct {
	retention time.Duration // zero: there is none
	capacity  int           // in keys; zero: no bound
}

func binFor(p events.Policy, root bool) bin {
	if root && !p.Recycle.AppliesToRoot {
		return bin{}
	}
	return bin{retention: policy.Retention(p), capacity: p.Recycle.MaxPerUser}
}

// full says that a key more would raise the number of keys in the bin above its
// capacity.
func (b bin) full(s State) bool {
	return b.retention > 0 && b.capacity > 0 && s.Count(Deleted) >= b.capacity
}

// take is how a deleted key goes into the bin: one out for one in if the bin is full, and
// straight through if there is none.
func (b bin) take(s State, deleted events.KeyDeleted) []events.Event {
	switch {
	case b.retention == 0:
		return []events.Event{deleted, events.KeyPurged{Key: deleted.Key, Cause: events.CauseNoBin}}
	case b.full(s):
		return []events.Event{events.KeyPurged{Key: oldestInBin(s), Cause: events.CauseOverflow}, deleted}
	}
	return []events.Event{deleted}
}

// oldestInBin is the key that was deleted first of those in the bin.
func oldestInBin(s State) events.AccessKeyID {
	var oldest Key
	for _, k := range s.Keys {
		if k.Status == Deleted && (oldest.ID == "" || k.Binned < oldest.Binned) {
			oldest = k
		}
	}
	return oldest.ID
}
