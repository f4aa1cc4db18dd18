package keyring

import (
	"cmp"
	"time"

	"github.com/keyledger/keyledger/events"
)

func recoverRoot(s State, c Recover, now time.Time) ([]events.Event, error) {
	if err := cmp.Or(validPolicy(c.Policy), mayTake(s, c.Key)); err != nil {
		return nil, err
	}
	var out []events.Event
	for counted(s, c.Policy) >= c.Policy.Quota.Max {
		step := giveWay(s, c.Policy, now)
		for _, e := range step {
			s = Evolve(s, e)
		}
		out = append(out, step...)
	}
	return append(out, events.KeyCreated{Key: c.Key, Cause: events.CauseRecovery, Sealed: c.Sealed}), nil
}

// giveWay makes the key that can best be spared count no more. It takes off one
// key at a time, of which there is at least one.
func giveWay(s State, p events.Policy, now time.Time) []events.Event {
	k := spare(s, p)
	var out []events.Event
	if k.Status == Active {
		disabled := events.KeyDisabled{Key: k.ID, Reason: events.CauseRecovery}
		s, out = Evolve(s, disabled), append(out, disabled)
	}
	if !counts(p, Disabled) {
		return out
	}
	b := binFor(p, true)
	return append(out, b.take(s, events.KeyDeleted{Key: k.ID, PurgeAt: now.Add(b.retention)})...)
}

// spare is the oldest disabled key that counts, or else the oldest active one.
func spare(s State, p events.Policy) Key {
	var active Key
	for _, k := range s.Keys {
		if k.Status == Disabled && counts(p, Disabled) {
			return k
		}
		if k.Status == Active && active.ID == "" {
			active = k
		}
	}
	return active
}
