package dialect

import (
	"crypto/hmac"
	"errors"
	"fmt"
	"time"
)

// Reasons why a claim is refused. They are stable.
const (
	SignatureMismatch  = "signature_mismatch"
	RequestExpired     = "request_expired"
	RequestNotYetValid = "request_not_yet_valid"
	PresignedExpired   = "presigned_expired"
	Replayed           = "replayed" // the claim's nonce has come before
)

// A RefusedError says that a well-formed claim does not hold.
type RefusedError struct {
	Reason   string        // one of the constants above
	SignedAt time.Time     // when the caller says it signed
	Now      time.Time     // when it was judged
	Window   time.Duration // the skew, or the life of a presigned request
}

// OutOfTime says that the claim was refused by the clock alone: it depends on the request and
// on the time, never on a key.
func (e *RefusedError) OutOfTime() bool {
	return e.Reason == RequestExpired || e.Reason == RequestNotYetValid || e.Reason == PresignedExpired
}

func (e *RefusedError) Error() string {
	at, now := e.SignedAt.UTC().Format(time.RFC3339), e.Now.UTC().Format(time.RFC3339)
	switch e.Reason {
	case RequestExpired:
		return fmt.Sprintf("signed at %s, more than %s before %s: sign again, and check the clock (%s)", at, e.Window, now, e.Reason)
	case RequestNotYetValid:
		return fmt.Sprintf("signed at %s, more than %s after %s: check the clock (%s)", at, e.Window, now, e.Reason)
	case Replayed:
		return fmt.Sprintf("the request has been made before: sign each with a nonce of its own (%s)", e.Reason)
	case PresignedExpired:
		return fmt.Sprintf("presigned at %s for %s, and it is %s now: sign again (%s)", at, e.Window, now, e.Reason)
	}
	return fmt.Sprintf("the signature does not match the request: check the secret and what was signed (%s)", e.Reason)
}

// Check judges c: one clock window, one constant-time comparison, for every
// vendor. It returns nil or a [*RefusedError].
//
// The clock comes first: a claim that is out of time is refused for that, whoever signed it,
// so that the answer tells nothing of a key. In time the MAC is computed and compared whatever
// the secret: for a key that is not known, pass no secret, and the same work ends in
// [SignatureMismatch]. Both ends of the window are inside it.
func Check(c *Claim, secret []byte, now time.Time) error {
	reason, window := outside(c, now)
	if reason == "" && !matches(c, secret) {
		reason = SignatureMismatch
	}
	if reason == "" {
		return nil
	}
	return &RefusedError{Reason: reason, SignedAt: c.SignedAt, Now: now, Window: window}
}

// InTime returns nil if one of the claims of a request is in time, else the [*RefusedError] of
// the first. It returns [ErrUnsigned] if there are no claims.
func InTime(claims []Claim, now time.Time) error {
	refused := error(ErrUnsigned)
	for i := range claims {
		reason, window := outside(&claims[i], now)
		if reason == "" {
			return nil
		}
		if i == 0 {
			refused = &RefusedError{Reason: reason, SignedAt: claims[i].SignedAt, Now: now, Window: window}
		}
	}
	return refused
}

// CheckAny judges the claims of one request, of which one that holds is enough,
// and returns that one of them. Otherwise it returns the error of the claim that came furthest: a
// wrong signature in time comes before a claim that is out of time. It returns [ErrUnsigned]
// if there are no claims.
func CheckAny(claims []Claim, secret []byte, now time.Time) (*Claim, error) {
	refused := error(ErrUnsigned)
	for i := range claims {
		c := &claims[i]
		err := Check(c, secret, now)
		if err == nil {
			return c, nil
		}
		if no, ok := errors.AsType[*RefusedError](err); ok && !no.OutOfTime() || errors.Is(refused, ErrUnsigned) {
			refused = err
		}
	}
	return nil, refused
}

// matches never holds for an empty secret or an empty signature: both are
// what a lookup or a parser that went wrong would hand in.
func matches(c *Claim, secret []byte) bool {
	if c.Sign == nil {
		return false
	}
	same := hmac.Equal(c.Sign(c, c.mac[:0], secret), c.Signature)
	clear(c.mac[:]) // it would sign the request, whoever made it
	return same && len(secret) > 0 && len(c.Signature) > 0
}

func outside(c *Claim, now time.Time) (reason string, window time.Duration) {
	switch {
	case now.Before(c.NotBefore()):
		return RequestNotYetValid, c.Skew
	case !now.After(c.NotAfter()):
		return "", 0
	case c.Presigned:
		return PresignedExpired, c.Lifetime
	}
	return RequestExpired, c.Skew
}
