// Package dialect is the contract of a vendor dialect: how a signed request is
// read, and the one place where what it claims is judged.
//
// The way in: make a [Request] with [FromHTTP], let [Read] find the scheme it
// speaks, look up the secret of the claims' AccessKeyID, and call [CheckAny]. Whoever does so
// for many requests reads into a [Scratch].
//
// A [Scheme] reads only. It sees no clock and no secret, and it works from the
// bytes that came off the wire: nothing is parsed and put together again.
// [Check] holds the one clock window and the one constant-time comparison for
// every vendor.
//
// Limits: the package does not know which keys exist, whether they are enabled,
// or whether a request was seen before; a claim that passes Check proves that
// somebody with the secret signed this request inside its time window, and no
// more.
package dialect

import (
	"errors"
	"fmt"
	"time"
)

// A Dialect is one vendor: its name, the signatures it knows and its own API.
type Dialect struct {
	Name    string   // lower case, stable: "aws"
	Schemes []Scheme // tried in order
	Front   Front    // nil if the vendor has no API on access keys, or it is not spoken
	Lockout Lockout  // of what is signed by Schemes
}

// A Lockout is a vendor's rule against guessing: after more than Failures wrong signatures
// in a row that name a key, it is locked for as long as For, for where they came from. The zero Lockout is none.
type Lockout struct {
	Failures int
	For      time.Duration
}

// Schemes returns the schemes of some vendors, in the order they are tried.
func Schemes(of []Dialect) []Scheme {
	var schemes []Scheme
	for _, d := range of {
		schemes = append(schemes, d.Schemes...)
	}
	return schemes
}

// Lockouts returns the rules of some vendors that have one, by the names of their schemes.
func Lockouts(of []Dialect) map[string]Lockout {
	rules := map[string]Lockout{}
	for _, d := range of {
		for _, s := range d.Schemes {
			if d.Lockout.Failures > 0 {
				rules[s.Name()] = d.Lockout
			}
		}
	}
	return rules
}

// A Scheme reads one kind of signature.
//
// Read returns one claim, or one per reading where the vendor's own clients
// disagree about the canonical form; the request is genuine if any of them
// passes [Check]. All claims of a request name the same access key, and there
// is at least one if there is no error. It returns [ErrUnsigned] if the request does not speak this
// scheme, and a [*MalformedError] if it does but badly. Read must not change
// or keep r beyond the life of the claims, must not panic on any input, and
// must give the same answer when called again.
//
// The claims and their bytes may lie in s, and end with it; their strings must not.
//
// Names is the ID of the access key that a request names which Read found malformed: as it is written, whatever else is wrong; empty
// if it names none, or if it cannot be told which.
type Scheme interface {
	Name() string
	Read(r *Request, s *Scratch) ([]Claim, error)
	Names(r *Request) string
}

// A Digester is a Scheme whose clients send the SHA-256 of the body along in a
// header. Digest is what they say it is, nil if they do not.
type Digester interface {
	Digest(r *Request) *[32]byte
}

// ErrUnsigned says that a request does not speak a scheme at all.
var ErrUnsigned = errors.New("the request carries no signature of a known scheme")

// ErrUnknownKey is for whoever looks keys up: the access key ID names no key
// that may sign this request. It is the same error for a key that never was,
// a disabled one, a deleted one and one of a foreign account, so that an
// answer does not tell them apart.
var ErrUnknownKey = errors.New("the access key ID is not valid")

// ErrKeyDisabled is an [ErrUnknownKey] for a request whose signature is genuine: its key is
// disabled, and whoever holds the secret may be told so where the vendor tells.
var ErrKeyDisabled = fmt.Errorf("%w: it is disabled", ErrUnknownKey)

// ErrKeyRestricted is an [ErrKeyDisabled] for a genuine request by a key that is under leak
// protection: vendors that have words for it say so.
var ErrKeyRestricted = fmt.Errorf("%w: it is restricted", ErrKeyDisabled)

// ErrKeyLocked is an [ErrUnknownKey] for a key that is locked for where the request came
// from, because of too many wrong signatures that came from there, whatever this one is.
var ErrKeyLocked = fmt.Errorf("%w: it is locked for this source for a while", ErrUnknownKey)

// A NetworkError is an [ErrUnknownKey] for a genuine request that came from where its key may
// not be used from.
type NetworkError struct {
	Key bool // the key's own policy forbids it, not the account's
}

func (e *NetworkError) Error() string {
	if e.Key {
		return "the network policy of the access key does not allow the source address"
	}
	return "the account's network policy for access keys does not allow the source address"
}

// Unwrap makes it an [ErrUnknownKey] to those who do not tell the two apart.
func (*NetworkError) Unwrap() error { return ErrUnknownKey }

// A MalformedError says that a request speaks a scheme, but not as the scheme
// demands. It depends on the request alone, never on a key.
type MalformedError struct {
	Code   string // stable, for machines: "missing_date"
	Detail string // for people: what was wrong and what would be right
	// Scheme is the name of the scheme, and AccessKeyID what [Scheme].Names says: set by [Read].
	Scheme, AccessKeyID string
}

func (e *MalformedError) Error() string {
	return fmt.Sprintf("malformed signature: %s (%s)", e.Detail, e.Code)
}

// Read returns the claims of r by the first of the schemes that it speaks, in memory of their own.
// Errors are as for [Scheme].Read.
func Read(r *Request, schemes []Scheme) ([]Claim, error) {
	return new(Scratch).Read(r, schemes)
}

// Read is as [Read], and the claims live no longer than s.
func (s *Scratch) Read(r *Request, schemes []Scheme) ([]Claim, error) {
	for _, scheme := range schemes {
		claims, err := scheme.Read(r, s)
		if errors.Is(err, ErrUnsigned) {
			continue
		}
		if bad, ok := errors.AsType[*MalformedError](err); ok {
			return nil, bad.named(scheme, r)
		}
		return claims, err
	}
	return nil, ErrUnsigned
}
