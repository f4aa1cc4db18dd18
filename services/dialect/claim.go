package dialect

import "time"

// Parts are the parts of a request, beside its headers, that a signature
// covers. A part that is not covered can be changed by anyone on the way.
type Parts uint8

// The parts a signature may cover.
const (
	Method Parts = 1 << iota
	Path
	Query
	Body
)

// Has reports whether every part of q is covered.
func (p Parts) Has(q Parts) bool { return p&q == q }

// A Claim is what a signed request asserts. Nothing in it has been judged.
type Claim struct {
	Scheme      string // the scheme's name: "AWS4-HMAC-SHA256"
	AccessKeyID string // never empty, otherwise as the caller wrote it
	Service     string // what the signature is scoped to; "" if the scheme has no scope
	Region      string

	// SessionToken is the token of temporary credentials, if the caller sent
	// one. Nothing here judges it.
	SessionToken string

	// Nonce is what the vendor demands to come but once from a key while the request could be
	// used, or "" if it demands nothing of the kind. It is part of what is signed.
	Nonce string

	SignedAt time.Time
	// Skew is how far the caller's clock may be from ours, either way.
	Skew time.Duration
	// Presigned says that the signature was made to be used later, until
	// SignedAt plus Lifetime.
	Presigned bool
	Lifetime  time.Duration

	Covers        Parts
	SignedHeaders string // lower-case names of the headers the signature covers, joined by semicolons

	Signature []byte // what the caller sent, decoded
	// Sign appends to out what an honest caller with that secret would have sent. It is given the claim, so that
	// it need not hold on to anything.
	Sign func(c *Claim, out, secret []byte) []byte

	// What was hashed and signed, for the answer to "why was I refused?".
	// Neither holds a secret.
	CanonicalRequest []byte
	StringToSign     []byte

	mac [maxMAC]byte // room for what Sign says, while it is compared
}

// maxMAC is the longest single MAC of any scheme, in bytes.
const maxMAC = 32

// MAC is what an honest caller with that secret would have sent.
func (c *Claim) MAC(secret []byte) []byte { return c.Sign(c, nil, secret) }

// Detach drops what may lie in a [Scratch], the signature and the texts: what is left may be kept, and holds for
// no secret.
func (c *Claim) Detach() {
	c.Signature, c.Sign, c.CanonicalRequest, c.StringToSign = nil, nil, nil, nil
}

// NotBefore is the first instant at which the request may be used.
func (c *Claim) NotBefore() time.Time { return c.SignedAt.Add(-c.Skew) }

// NotAfter is the last instant at which the request may be used.
func (c *Claim) NotAfter() time.Time {
	if c.Presigned {
		return c.SignedAt.Add(c.Lifetime)
	}
	return c.SignedAt.Add(c.Skew)
}
