package keyring

import (
	"cmp"
	"reflect"
	"time"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/aggregate/policy"
	"github.com/keyledger/keyledger/events"
)

// Names of what may be written into the Warnings of an event, and of the rules
// that refuse in the same cases where the policy blocks instead.
const (
	ruleRootCreate = "root.create"
	ruleMinIdle    = "delete.min_idle"
)

// Decide is what c changes about s at the time now: the events of one decision,
// none if the facts already hold, or a *aggregate.Refusal.
func Decide(s State, c Command, now time.Time) ([]events.Event, error) {
	now = now.UTC() // as it will be read back: without a zone or a monotonic part
	switch c := c.(type) {
	case Create:
		return create(s, c)
	case Disable:
		return disable(s, c)
	case Enable:
		return enable(s, c)
	case Delete:
		return remove(s, c, now)
	case Restore:
		return restore(s, c)
	case Purge:
		return purge(s, c, now)
	case Describe:
		return describe(s, c)
	case SetNetworkPolicy:
		return setNetworkPolicy(s, c)
	case Restrict:
		return restrict(s, c)
	case Unrestrict:
		return unrestrict(s, c)
	case Update:
		return update(s, c, now)
	case Close:
		return closeRing(s, c)
	case Reopen:
		return reopen(s, c)
	case Recover:
		return recoverRoot(s, c, now)
	}
	return nil, aggregate.Refuse(aggregate.Invalid, "keyring.command", "a keyring does not know the command %T", c)
}

func create(s State, c Create) ([]events.Event, error) {
	warnings, err := mayOwn(c)
	if err := cmp.Or(
		validText("description", c.Description), validCause(c.Cause), validPolicy(c.Policy), err,
		mayTake(s, c.Key), roomFor(s, c.Policy, Active),
	); err != nil {
		return nil, err
	}
	created := events.KeyCreated{Key: c.Key, Description: c.Description, Cause: c.Cause, Warnings: warnings, Sealed: c.Sealed}
	if c.Disabled {
		return facts(created, events.KeyDisabled{Key: c.Key})
	}
	return facts(created)
}

func validCause(cause string) error {
	switch cause {
	case events.CauseRequested, events.CauseOpening, events.CauseRecovery, events.CauseImported:
		return nil
	}
	return aggregate.Refuse(aggregate.Invalid, "create.cause", "a key is not created because of %q; want requested, opening, recovery or imported", cause)
}

// mayOwn judges whether the user may have keys at all, and what to warn of. The
// key made when an account opens and the one made to recover it are exempt.
func mayOwn(c Create) (warnings []string, err error) {
	root, err := isRoot(c.OwnerKind)
	if err != nil || !root || c.Cause == events.CauseOpening || c.Cause == events.CauseRecovery {
		return nil, err
	}
	switch c.Policy.Root.Create {
	case policy.RootAllow:
		return nil, nil
	case policy.RootWarn:
		return []string{ruleRootCreate}, nil
	}
	return nil, aggregate.Refuse(aggregate.Denied, ruleRootCreate,
		"the account's policy allows no keys for its root user; create a user and give it a key")
}

// mayTake says why the keyring cannot take the new key, or nil.
func mayTake(s State, id events.AccessKeyID) error {
	if err := id.Valid(); err != nil {
		return aggregate.Refuse(aggregate.Invalid, "key.id", "%v", err)
	}
	if s.Closed {
		return closed()
	}
	if s.index(id) >= 0 {
		return aggregate.Refuse(aggregate.Conflict, "key.exists", "the user already has a key %s; an access key ID is never used twice", id)
	}
	return nil
}

func closed() error {
	return aggregate.Refuse(aggregate.Conflict, "keyring.closed", "the user is being removed and takes no key; reopen the keyring to keep the user")
}

// roomFor says why one more key with the status would break the quota, or nil.
func roomFor(s State, p events.Policy, status Status) error {
	if !counts(p, status) || counted(s, p) < p.Quota.Max {
		return nil
	}
	if p.Quota.Counts == policy.CountActive {
		return aggregate.Refuse(aggregate.Limit, "key.quota",
			"the user's quota of active keys is full (%d of %d); disable or delete one first", counted(s, p), p.Quota.Max)
	}
	return aggregate.Refuse(aggregate.Limit, "key.quota",
		"the user's quota of keys, active or disabled, is full (%d of %d); delete one first", counted(s, p), p.Quota.Max)
}

// counts says whether keys with the status count against the quota. What counts is
// everything but the bin unless the policy says that only active keys do.
func counts(p events.Policy, status Status) bool {
	return status == Active || status == Disabled && p.Quota.Counts != policy.CountActive
}

// counted is the number of keys that count against the quota.
func counted(s State, p events.Policy) int {
	n := 0
	for _, k := range s.Keys {
		if counts(p, k.Status) {
			n++
		}
	}
	return n
}

func disable(s State, c Disable) ([]events.Event, error) {
	k, err := lookup(s, c.Key, validText("reason", c.Reason))
	switch {
	case err != nil:
		return nil, err
	case k.Status == Disabled:
		return nothing()
	case k.Status == Deleted:
		return nil, inBin(k, "disabled")
	}
	return facts(events.KeyDisabled{Key: k.ID, Reason: c.Reason})
}

func enable(s State, c Enable) ([]events.Event, error) {
	k, err := lookup(s, c.Key, validPolicy(c.Policy))
	switch {
	case err != nil:
		return nil, err
	case k.Status == Active:
		return nothing()
	case k.Status == Deleted:
		return nil, inBin(k, "enabled")
	}
	if !counts(c.Policy, Disabled) { // otherwise it counts already
		if err := roomFor(s, c.Policy, Active); err != nil {
			return nil, err
		}
	}
	return facts(events.KeyEnabled{Key: k.ID})
}

func inBin(k Key, participle string) error {
	return aggregate.Refuse(aggregate.Conflict, "key.in_bin", "key %s is in the recycle bin and cannot be %s; restore it first", k.ID, participle)
}

func restore(s State, c Restore) ([]events.Event, error) {
	k, err := lookup(s, c.Key, validPolicy(c.Policy))
	switch {
	case err != nil:
		return nil, err
	case k.Status == Disabled:
		return nothing()
	case k.Status == Active:
		return nil, aggregate.Refuse(aggregate.Conflict, "restore.not_in_bin", "key %s is active; only a key in the recycle bin can be restored", k.ID)
	case s.Closed:
		return nil, closed()
	}
	if err := roomFor(s, c.Policy, Disabled); err != nil {
		return nil, err
	}
	return facts(events.KeyRestored{Key: k.ID})
}

func purge(s State, c Purge, now time.Time) ([]events.Event, error) {
	k, err := lookup(s, c.Key, nil)
	switch {
	case err != nil:
		return nil, err
	case c.Cause != events.CauseRequested && c.Cause != events.CauseRetention:
		return nil, aggregate.Refuse(aggregate.Invalid, "purge.cause", "a key is not purged because of %q; want requested or retention", c.Cause)
	case k.Status != Deleted:
		return nil, aggregate.Refuse(aggregate.Conflict, "purge.not_in_bin", "key %s is %s; only a key in the recycle bin can be purged: delete it first", k.ID, k.Status)
	case c.Cause == events.CauseRetention && now.Before(k.PurgeAt):
		return nil, aggregate.Refuse(aggregate.Conflict, "purge.not_due", "key %s stays in the recycle bin until %s", k.ID, k.PurgeAt.Format(time.RFC3339))
	}
	return facts(events.KeyPurged{Key: k.ID, Cause: c.Cause})
}

func describe(s State, c Describe) ([]events.Event, error) {
	k, err := lookup(s, c.Key, validText("description", c.Description))
	switch {
	case err != nil:
		return nil, err
	case k.Description == c.Description:
		return nothing()
	}
	return facts(events.KeyDescribed{Key: k.ID, Description: c.Description})
}

func setNetworkPolicy(s State, c SetNetworkPolicy) ([]events.Event, error) {
	k, err := lookup(s, c.Key, policy.CheckNetwork(c.Network))
	next := policy.KeptNetwork(c.Network)
	switch {
	case err != nil:
		return nil, err
	case k.Status == Deleted:
		return nil, inBin(k, "given a network policy")
	case reflect.DeepEqual(next, policy.KeptNetwork(k.Network)):
		return nothing()
	}
	return facts(events.KeyNetworkPolicySet{Key: k.ID, NetworkPolicy: next})
}

// update decides its steps one after the other, each on what the one before left.
func update(s State, c Update, now time.Time) (all []events.Event, err error) {
	var steps []Command
	if c.Description != nil {
		steps = append(steps, Describe{Key: c.Key, Description: *c.Description})
	}
	switch {
	case c.Active == nil:
	case *c.Active:
		steps = append(steps, Enable{Key: c.Key, Policy: c.Policy})
	default:
		steps = append(steps, Disable{Key: c.Key})
	}
	for _, step := range steps {
		es, err := Decide(s, step, now)
		if err != nil {
			return nil, err
		}
		for _, e := range es {
			s = Evolve(s, e)
		}
		all = append(all, es...)
	}
	return all, nil
}

func closeRing(s State, c Close) ([]events.Event, error) {
	switch err := validUser(c.User); {
	case err != nil:
		return nil, err
	case s.Closed:
		return nothing()
	case len(s.Keys) > 0:
		bin := s.Count(Deleted)
		return nil, aggregate.Refuse(aggregate.Conflict, "keyring.keys_exist",
			"the user still has keys (%d, and %d in the recycle bin); delete and purge them first", len(s.Keys)-bin, bin)
	}
	return facts(events.KeyringClosed{User: c.User})
}

func reopen(s State, c Reopen) ([]events.Event, error) {
	switch err := validUser(c.User); {
	case err != nil:
		return nil, err
	case !s.Closed:
		return nothing()
	}
	return facts(events.KeyringReopened{User: c.User})
}

func facts(es ...events.Event) ([]events.Event, error) { return es, nil }

func nothing() ([]events.Event, error) { return nil, nil }
