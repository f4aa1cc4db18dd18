package ledger

import (
	"cmp"
	"context"
	"time"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/aggregate/keyring"
	"github.com/keyledger/keyledger/aggregate/policy"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/vault"
)

// A NewKey is a key and its secret, before anybody knows either.
type NewKey struct {
	ID     events.AccessKeyID
	Secret vault.Secret
}

// A CreatedKey is the answer to a command that created a key.
type CreatedKey struct {
	Outcome
	Owner       events.Subject
	Key         events.AccessKeyID
	Description string
	CreatedAt   time.Time
	Warnings    []string
	// Secret is the only copy there will ever be. It is nil when the request had
	// been answered before.
	Secret *vault.Secret
}

// DrawKey draws a key, to be created by one command or thrown away.
func (l *Ledger) DrawKey() (NewKey, error) {
	id, err := l.Draw.AccessKeyID()
	if err != nil {
		return NewKey{}, err
	}
	secret, err := l.Draw.Secret()
	return NewKey{ID: id, Secret: secret}, err
}

// CreateKey creates a key for a user. The secret is drawn before anything is
// decided, so that a retry cannot make a second one.
func (l *Ledger) CreateKey(ctx context.Context, req Request, owner events.Subject, description string) (CreatedKey, error) {
	k, err := l.DrawKey()
	if err != nil {
		return CreatedKey{}, err
	}
	return l.createKey(ctx, req, owner, k, func(sealed events.Sealed, p keyringView) keyring.Command {
		return keyring.Create{
			Key: k.ID, Description: description, Cause: events.CauseRequested, Sealed: sealed,
			Policy: p.policy, OwnerKind: p.owner.Kind,
		}
	})
}

// createKey seals k and records it by the command that make gives.
func (l *Ledger) createKey(ctx context.Context, req Request, owner events.Subject, k NewKey,
	command func(events.Sealed, keyringView) keyring.Command) (CreatedKey, error) {
	sealed, err := l.Vault.Seal(owner.Account, k.ID, 1, k.Secret)
	if err != nil {
		return CreatedKey{}, err
	}
	out, err := l.do(ctx, req, step{subject: owner, decide: func(v View, now time.Time) (decided, error) {
		kv, err := readKeyring(v, owner)
		if err != nil {
			return decided{}, err
		}
		return kv.decide(command(sealed, kv), now)
	}})
	if err != nil {
		return CreatedKey{}, err
	}
	return createdKey(out, owner, k), nil
}

// createdKey reads the answer from what was recorded: a repeated request finds
// the key of its first sending, whose secret has gone out.
func createdKey(out Outcome, owner events.Subject, k NewKey) CreatedKey {
	c := CreatedKey{Outcome: out, Owner: owner, CreatedAt: out.Time}
	for _, e := range out.Events {
		if created, ok := e.(events.KeyCreated); ok {
			c.Key, c.Description, c.Warnings = created.Key, created.Description, created.Warnings
		}
	}
	if c.Key == k.ID {
		c.Secret = &k.Secret
	}
	return c
}

// DisableKey stops a key from verifying. It may use the disk space that is
// kept in reserve.
func (l *Ledger) DisableKey(ctx context.Context, req Request, key events.AccessKeyID, reason string) (Outcome, error) {
	return l.changeKey(ctx, req, key, true, func(keyringView) keyring.Command {
		return keyring.Disable{Key: key, Reason: reason}
	})
}

// EnableKey lets a disabled key verify again.
func (l *Ledger) EnableKey(ctx context.Context, req Request, key events.AccessKeyID) (Outcome, error) {
	return l.changeKey(ctx, req, key, false, func(kv keyringView) keyring.Command {
		return keyring.Enable{Key: key, Policy: kv.policy}
	})
}

// DeleteKey moves a key to the recycle bin, or purges it at once where the
// policy keeps none. Where it is not known when the key was last used, a policy that
// would only warn does not stand in the way; one that blocks does, as an
// *events.UnavailableError.
func (l *Ledger) DeleteKey(ctx context.Context, req Request, key events.AccessKeyID) (Outcome, error) {
	return l.changeKeyBy(ctx, req, key, false, func(kv keyringView) (keyring.Command, error) {
		c := keyring.Delete{Key: key, Policy: kv.policy, OwnerKind: kv.owner.Kind}
		if policy.MinIdle(kv.policy) == 0 {
			return c, nil // nobody has to wait for what no rule asks
		}
		var err error
		if c.LastUsed, err = l.lastUsed(ctx, key); err != nil && kv.policy.Delete.MinIdleMode == policy.IdleBlock {
			return nil, err
		}
		return c, nil
	})
}

func (l *Ledger) lastUsed(ctx context.Context, key events.AccessKeyID) (time.Time, error) {
	if l.LastUsed == nil {
		return time.Time{}, nil
	}
	used, err := l.LastUsed(ctx, key)
	if err != nil {
		return time.Time{}, &events.UnavailableError{Reason: "it is not known when the key was last used: " + err.Error()}
	}
	return used, nil
}

// RestoreKey brings a key back from the recycle bin, disabled.
func (l *Ledger) RestoreKey(ctx context.Context, req Request, key events.AccessKeyID) (Outcome, error) {
	return l.changeKey(ctx, req, key, false, func(kv keyringView) keyring.Command {
		return keyring.Restore{Key: key, Policy: kv.policy}
	})
}

// PurgeKey ends a key in the recycle bin for ever. The cause is
// events.CauseRequested or events.CauseRetention.
func (l *Ledger) PurgeKey(ctx context.Context, req Request, key events.AccessKeyID, cause string) (Outcome, error) {
	return l.changeKey(ctx, req, key, false, func(keyringView) keyring.Command {
		return keyring.Purge{Key: key, Cause: cause}
	})
}

// DescribeKey gives a key a new description.
func (l *Ledger) DescribeKey(ctx context.Context, req Request, key events.AccessKeyID, description string) (Outcome, error) {
	return l.changeKey(ctx, req, key, false, func(keyringView) keyring.Command {
		return keyring.Describe{Key: key, Description: description}
	})
}

// SetKeyNetworkPolicy says from where one key may be used.
func (l *Ledger) SetKeyNetworkPolicy(ctx context.Context, req Request, key events.AccessKeyID, p events.NetworkPolicy) (Outcome, error) {
	return l.changeKey(ctx, req, key, false, func(keyringView) keyring.Command {
		return keyring.SetNetworkPolicy{Key: key, Network: p}
	})
}

// RestrictKey puts a key under leak protection. It may use the disk space that is kept in
// reserve.
func (l *Ledger) RestrictKey(ctx context.Context, req Request, key events.AccessKeyID, reason, foundIn string) (Outcome, error) {
	return l.changeKey(ctx, req, key, true, func(keyringView) keyring.Command {
		return keyring.Restrict{Key: key, Reason: reason, FoundIn: foundIn}
	})
}

// UnrestrictKey ends the leak protection of a key, where the policy lets anybody do that.
func (l *Ledger) UnrestrictKey(ctx context.Context, req Request, key events.AccessKeyID, reason string) (Outcome, error) {
	return l.changeKey(ctx, req, key, false, func(kv keyringView) keyring.Command {
		return keyring.Unrestrict{Key: key, Reason: reason, Policy: kv.policy}
	})
}

// A KeyUpdate is what is to become of a key; what is nil stays.
type KeyUpdate struct {
	Active      *bool
	Description *string
}

// UpdateKey describes a key and enables or disables it by one decision: both or neither.
func (l *Ledger) UpdateKey(ctx context.Context, req Request, key events.AccessKeyID, u KeyUpdate) (Outcome, error) {
	disables := u.Description == nil && u.Active != nil && !*u.Active // as DisableKey
	return l.changeKey(ctx, req, key, disables, func(kv keyringView) keyring.Command {
		return keyring.Update{Key: key, Active: u.Active, Description: u.Description, Policy: kv.policy}
	})
}

// changeKey carries out a command on a key of whoever owns it. A key never
// changes owner, so that the owner may be read before the step.
func (l *Ledger) changeKey(ctx context.Context, req Request, key events.AccessKeyID, reserve bool,
	command func(keyringView) keyring.Command) (Outcome, error) {
	return l.changeKeyBy(ctx, req, key, reserve, func(kv keyringView) (keyring.Command, error) { return command(kv), nil })
}

func (l *Ledger) changeKeyBy(ctx context.Context, req Request, key events.AccessKeyID, reserve bool,
	command func(keyringView) (keyring.Command, error)) (Outcome, error) {
	owner, err := l.ownerOf(key)
	if err != nil {
		return Outcome{}, err
	}
	return l.do(ctx, req, step{subject: owner, reserve: reserve, decide: func(v View, now time.Time) (decided, error) {
		kv, err := readKeyring(v, owner)
		if _, held := kv.state.Key(key); err != nil || !held {
			err = cmp.Or(goneIfPurged(v, key), err)
		}
		if err != nil {
			return decided{}, err
		}
		c, err := command(kv)
		if err != nil {
			return decided{}, err
		}
		return kv.decide(c, now)
	}})
}

func (l *Ledger) ownerOf(key events.AccessKeyID) (events.Subject, error) {
	v := l.View()
	defer v.Close()
	owner, _, found, err := v.Key(key)
	if err != nil {
		return events.Subject{}, err
	}
	if !found {
		return events.Subject{}, aggregate.Refuse(aggregate.NotFound, "key.not_found", "there is no access key %q", key)
	}
	return owner, nil
}

func goneIfPurged(v View, key events.AccessKeyID) error {
	_, status, found, err := v.Key(key)
	if err == nil && found && status == events.StatusPurged {
		return aggregate.Refuse(aggregate.Gone, "key.purged", "the access key %q was purged; create a new one", key)
	}
	return err
}
