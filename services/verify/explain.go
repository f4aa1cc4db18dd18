package verify

import (
	"context"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/dialect"
)

// Explain decides about r as Verify would now, and leaves no trace: no nonce is remembered, so
// that the request itself may still be made. It gives all that the request can be read as;
// nothing if it cannot. Errors are those of Verify.
func (v *Verifier) Explain(ctx context.Context, r *dialect.Request) (Decision, []dialect.Claim, error) {
	if err := v.Fresh(ctx); err != nil {
		return Decision{}, nil, err
	}
	claims, err := dialect.Read(r, v.Schemes)
	if err != nil || len(claims) == 0 {
		d, err := unread(err)
		return d, nil, err
	}
	d, err := v.judge(claims, asked{source: r.Source}, v.seen)
	return d, claims, err
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
