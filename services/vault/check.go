package vault

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/keyledger/keyledger/events"
)

// ErrNoSecret says that nothing is stored that could open.
var ErrNoSecret = errors.New("vault: the key has no secret")

// ErrTwoSecrets says that more than one secret is stored where one belongs.
var ErrTwoSecrets = errors.New("vault: the key has more than one secret")

// maxFailures bounds the failures that a Report lists.
const maxFailures = 100

// Stored is what is stored for a key that was not purged.
type Stored struct {
	Account events.AccountID
	Key     events.AccessKeyID
	Sealed  events.Sealed // zero if there is none
}

// A Failure is a key whose secret is not as it must be.
type Failure struct {
	Account events.AccountID
	Key     events.AccessKeyID
	Err     error // ErrNoSecret, ErrTwoSecrets, an *UnknownEpochError, or wraps ErrSealed
}

// A Report says what Check found.
type Report struct {
	Keys     int       // that were looked at
	Failed   int       // failures, of which a key may have several
	Failures []Failure // the first hundred
}

// Check holds that every key has exactly one secret and that it opens. The keys
// come in ascending order: a Stored for each secret, or one without Sealed. The error is
// that of ctx or of the iterator, or says that the order was broken; the Report
// covers what came before it.
func (v *Vault) Check(ctx context.Context, stored iter.Seq2[Stored, error]) (Report, error) {
	var r Report
	var last events.AccessKeyID
	for s, err := range stored {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return r, fmt.Errorf("vault: check: after %d keys: %w", r.Keys, err)
		}
		switch {
		case s.Key < last:
			return r, fmt.Errorf("vault: check: key %s came after %s: the order must be ascending", s.Key, last)
		case s.Key == last && r.Keys > 0:
			r.fail(s, ErrTwoSecrets)
		default:
			r.Keys++
		}
		last = s.Key
		if err := v.opens(s); err != nil {
			r.fail(s, err)
		}
	}
	return r, nil
}

func (v *Vault) opens(s Stored) error {
	if s.Sealed.Layout == 0 && s.Sealed.Ciphertext == nil {
		return ErrNoSecret
	}
	secret, err := v.Open(s.Account, s.Key, s.Sealed)
	secret.Clear()
	return err
}

func (r *Report) fail(s Stored, err error) {
	r.Failed++
	if len(r.Failures) < maxFailures {
		r.Failures = append(r.Failures, Failure{Account: s.Account, Key: s.Key, Err: err})
	}
}
