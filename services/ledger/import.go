package ledger

import (
	"context"
	"crypto/subtle"
	"errors"
	"time"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/aggregate/keyring"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/identity"
	"github.com/keyledger/keyledger/services/vault"
)

// An Import is a key that is to be moved in from elsewhere, with the ID and the
// secret it has there.
type Import struct {
	NewKey
	Description string
	Disabled    bool // it comes disabled
}

// An ImportedKey is the answer to ImportKey.
type ImportedKey struct {
	Outcome
	Owner       events.Subject
	Key         events.AccessKeyID
	Status      string // as it was imported: events.StatusActive or StatusDisabled
	Description string
	CreatedAt   time.Time
	Warnings    []string
}

// ImportKey makes a user's key of one that exists elsewhere. These are two decisions:
// the ID is reserved for the user on a subject of its own, which takes one message for ever;
// then the key is created on the user's keyring. When the first has been recorded and the
// second has not, the same request, or any other that imports the ID for the same user,
// finishes it; nobody else's can, then or ever. What the rules would refuse is refused before
// anything is reserved.
//
// The request's digest must not be made of the secret: it is kept for ever. That a repeated
// request brings another secret is found by opening the one that is kept.
func (l *Ledger) ImportKey(ctx context.Context, req Request, owner events.Subject, in Import) (ImportedKey, error) {
	if err := importable(in.NewKey); err != nil {
		return ImportedKey{}, err
	}
	req, err := l.named(req)
	if err != nil {
		return ImportedKey{}, err
	}
	req.Scope = scopeOf(req, owner)
	out, done, err := l.mayImport(ctx, req, owner, in)
	if err == nil && !done {
		if err = l.reserveID(ctx, req, owner, in.ID); err == nil {
			out, err = l.createImported(ctx, req, owner, in)
		}
	}
	if err == nil && out.Repeated {
		err = l.sameSecret(owner, in.NewKey, out)
	}
	if err != nil {
		return ImportedKey{}, err
	}
	return importedKey(out, owner), nil
}

// importable refuses what no key of ours may look like, without quoting any of the secret.
func importable(k NewKey) error {
	if err := identity.CheckImportedID(k.ID); err != nil {
		return aggregate.Refuse(aggregate.Invalid, "import.access_key_id", "%v", err)
	}
	if err := identity.CheckImportedSecret(k.Secret.Reveal()); err != nil {
		return aggregate.Refuse(aggregate.Invalid, "import.secret_access_key", "%v", err)
	}
	return nil
}

// mayImport answers an import that was recorded before, and refuses what the keyring
// would refuse, before the ID is reserved.
func (l *Ledger) mayImport(ctx context.Context, req Request, owner events.Subject, in Import) (Outcome, bool, error) {
	v := l.View()
	defer v.Close()
	if out, found, err := l.repeated(ctx, v, req, owner); found || err != nil {
		return out, found, err
	}
	_, err := in.decide(v, owner, events.Sealed{}, l.Now().UTC())
	return Outcome{}, false, err
}

// decide is what the keyring says to the import. A key that was purged is on no keyring
// any more; that its ID was used is in the table of all keys.
func (in Import) decide(v View, owner events.Subject, sealed events.Sealed, now time.Time) (decided, error) {
	kv, err := readKeyring(v, owner)
	if err != nil {
		return decided{}, err
	}
	if _, _, used, err := v.Key(in.ID); used || err != nil {
		return decided{}, errors.Join(err, taken(in.ID))
	}
	return kv.decide(keyring.Create{
		Key: in.ID, Description: in.Description, Cause: events.CauseImported, Disabled: in.Disabled,
		Sealed: sealed, Policy: kv.policy, OwnerKind: kv.owner.Kind,
	}, now)
}

// taken is the one answer to whoever wants an ID that is used or reserved: it does not
// tell by whom.
func taken(id events.AccessKeyID) error {
	return aggregate.Refuse(aggregate.Conflict, "key.exists", "the access key ID %q is taken; an access key ID is never used twice, not even after its key was purged", id)
}

// reserveID makes an ID the owner's, if it is nobody's yet. The log itself is asked whose it
// is: what it answers is read after the append that found the ID taken.
func (l *Ledger) reserveID(ctx context.Context, req Request, owner events.Subject, id events.AccessKeyID) error {
	req.ID = stepID(req.ID, "#reserve")
	ctx = context.WithoutCancel(ctx) // as the step itself goes on without its client
	subject := events.ReservationSubject(id)
	_, err := l.do(ctx, req, step{subject: subject, first: true, decide: func(View, time.Time) (decided, error) {
		m, err := l.Log.LastOf(ctx, subject)
		switch {
		case errors.Is(err, events.ErrNone):
			return decided{events: []events.Event{events.KeyReserved{Key: id, Account: owner.Account, User: owner.User}}}, nil
		case err != nil:
			return decided{}, err
		}
		r, err := events.Decode(m)
		if err == nil && r.Owner() != owner {
			err = taken(id)
		}
		return decided{after: m.Position}, err
	}})
	return err
}

func (l *Ledger) createImported(ctx context.Context, req Request, owner events.Subject, in Import) (Outcome, error) {
	sealed, err := l.Vault.Seal(owner.Account, in.ID, 1, in.Secret)
	if err != nil {
		return Outcome{}, err
	}
	return l.do(ctx, req, step{subject: owner, decide: func(v View, now time.Time) (decided, error) {
		return in.decide(v, owner, sealed, now)
	}})
}

// sameSecret refuses a repeated request that brings another secret than its first
// sending did. Once the key was purged nothing opens the first one any more.
func (l *Ledger) sameSecret(owner events.Subject, k NewKey, out Outcome) error {
	for _, e := range out.Events {
		created, ok := e.(events.KeyCreated)
		if !ok {
			continue
		}
		first, err := l.Vault.Open(owner.Account, created.Key, created.Sealed)
		if _, destroyed := errors.AsType[*vault.UnknownEpochError](err); destroyed {
			continue
		}
		if err != nil {
			return err
		}
		same := subtle.ConstantTimeCompare(first.Reveal(), k.Secret.Reveal()) == 1
		first.Clear()
		if !same {
			return reused(out.Request)
		}
	}
	return nil
}

// importedKey reads the answer from what was recorded.
func importedKey(out Outcome, owner events.Subject) ImportedKey {
	k := ImportedKey{Outcome: out, Owner: owner, CreatedAt: out.Time, Status: events.StatusActive}
	for _, e := range out.Events {
		switch e := e.(type) {
		case events.KeyCreated:
			k.Key, k.Description, k.Warnings = e.Key, e.Description, e.Warnings
		case events.KeyDisabled:
			k.Status = events.StatusDisabled
		default: // an import records nothing else
		}
	}
	return k
}
