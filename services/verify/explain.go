package verify

import (
	"context"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/dialect"
)

// An Explanation is a decision and what it was made from.
type Explanation struct {
	Decision
	Claims []dialect.Claim // all that the request can be read as; none if it cannot
	// Signed says that the secret of the key signed the request, be it in time or not.
	Signed bool
}

// Explain decides about r as VerifyFor would now, and leaves no trace: no nonce is remembered, so
// that the request itself may still be made. Errors are those of Verify.
func (v *Verifier) Explain(ctx context.Context, r *dialect.Request) (Explanation, error) {
	if err := v.Fresh(ctx); err != nil {
		return Explanation{}, err
	}
	claims, err := dialect.Read(r, v.Schemes)
	if err != nil || len(claims) == 0 {
		d, err := v.attempt(err)
		return Explanation{Decision: d}, err
	}
	d, err := v.judge(claims, asked{source: r.Source}, v.seen)
	if err != nil {
		return Explanation{}, err
	}
	signed, err := v.signed(claims)
	return Explanation{d, claims, signed}, err
}

// signed says whether one of the claims holds at the time that it says it was signed at.
func (v *Verifier) signed(claims []dialect.Claim) (bool, error) {
	e, err := v.find(events.AccessKeyID(claims[0].AccessKeyID))
	if err != nil || !e.found {
		return false, err
	}
	for i := range claims {
		if c := &claims[i]; dialect.Check(c, e.secret.Reveal(), c.SignedAt) == nil {
			return true, nil
		}
	}
	return false, nil
}

// seen is replayed for those who only look.
func (v *Verifier) seen(_ events.Subject, id events.AccessKeyID, c dialect.Claim) (n Nonce, seen bool, err error) {
	if !v.nonces.ready.Load() {
		return n, false, ErrRefilling
	}
	n = nonceOf(id, c.Nonce)
	k := v.nonces.lock(id)
	defer k.mu.Unlock()
	return n, k.until[n] > v.Now().UnixNano(), nil
}
