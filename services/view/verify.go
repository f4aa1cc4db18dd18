package view

import (
	"errors"
	"iter"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections/keys"
	"github.com/keyledger/keyledger/services/permission"
	"github.com/keyledger/keyledger/services/vault"
	"github.com/keyledger/keyledger/services/verify"
)

// VerifyKey finds a key for a verifier; a purged one is not found.
func (v *Views) VerifyKey(id events.AccessKeyID) (verify.Key, bool, error) {
	now := &View{v.store.View()}
	defer now.Close()
	k, found, err := keys.Find(now, id)
	if err != nil || !found || k.Status == keys.Purged {
		return verify.Key{}, false, err
	}
	sealed, found, err := keys.Sealed(now, id)
	if err != nil || !found {
		return verify.Key{}, false, err
	}
	header, _, err := now.Account(k.Account)
	out := verify.Key{
		Owner: events.KeyringSubject(k.Account, k.User), Status: string(k.Status), Sealed: sealed,
		Schemes: header.Policy.Signature.Schemes, Networks: verify.NetworksOf(header.Policy, header.Network, k.Network),
	}
	if !k.Restriction.Since.IsZero() {
		out.Restriction = verify.RestrictionOf(header.Policy)
	}
	return out, true, err
}

// Caller is the user that owns a key, as permission asks for it.
func (v *Views) Caller(owner events.Subject) (permission.Caller, error) {
	now := &View{v.store.View()}
	defer now.Close()
	u, _, err := now.User(owner.Account, owner.User)
	if err != nil {
		return permission.Caller{}, err
	}
	header, _, err := now.Account(owner.Account)
	return permission.Caller{
		Account: owner.Account, User: owner.User, Name: u.Name, Kind: u.Kind, Role: u.Role, Grants: u.Grants,
		Operator: header.Operator, SelfService: header.Policy.SelfService,
	}, err
}

// Sealed yields the secret of every key that was not purged, in the order of
// their IDs.
func (v *Views) Sealed() iter.Seq2[vault.Stored, error] {
	return func(yield func(vault.Stored, error) bool) {
		now := v.store.View()
		defer now.Close()
		stop := errors.New("stop")
		err := keys.All(now, func(k keys.Key, sealed events.Sealed) error {
			if k.Status != keys.Purged && !yield(vault.Stored{Account: k.Account, Key: k.ID, Sealed: sealed}, nil) {
				return stop
			}
			return nil
		})
		if err != nil && !errors.Is(err, stop) {
			yield(vault.Stored{}, err)
		}
	}
}
