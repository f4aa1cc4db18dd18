package aws

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
)

const algorithm = "AWS4-HMAC-SHA256"

// SigV4 reads AWS Signature Version 4, from the Authorization header or from a
// presigned query.
//
// Where the vendor's pages leave a choice, it is made here and on the safe
// side: every x-amz- header of the request must be signed, except X-Amz-Cf-Id,
// which CloudFront adds on the way; a signed header must be there; the path of
// a service other than S3 is signed as it was sent, with no dot segment or
// double slash removed; Date stands in for an absent X-Amz-Date.
//
// A request whose query is not in canonical order and spelling
// is read a second time with the query as it was sent: so curl before 8 and the
// OBS SDK for Go sign it, the latter presigned ones of S3, too. That SDK also leaves
// runs of spaces in header values as they are, which is read a third time where there are any. The parameters are the same in either reading, so
// neither lets anyone change a request that was signed under the other.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
type SigV4 struct{}

// Name returns "AWS4-HMAC-SHA256".
func (SigV4) Name() string { return algorithm }

const (
	maxReadings = 3
	textRoom    = 1024 // bytes that the texts of a reading most often take
)

// Read returns one claim for each reading of a request, at most three. Errors are as
// for [dialect.Scheme]; the codes are the Code constants of this package.
func (SigV4) Read(r *dialect.Request, s *dialect.Scratch) ([]dialect.Claim, error) {
	h := scanHeaders(r)
	var a assertion // on the stack: this is the hot path
	if err := a.read(r, &h); err != nil {
		return nil, err
	}
	if err := a.coverHeaders(r, &h); err != nil {
		return nil, err
	}
	if err := a.readPayload(r, &h); err != nil {
		return nil, err
	}
	canonical, err := a.appendCanonical(s.Bytes(textRoom), r, appendQuery)
	if err != nil {
		return nil, err
	}
	claims := append(s.Claims(maxReadings)[:0], a.claim(canonical, s))
	if a.presigned && a.service != serviceS3 {
		return claims, nil
	}
	sent := a.querySent(r)
	asSent := func(b []byte, _ []pair) []byte { return append(b, sent...) }
	if !isCanonical(a.query, sent) {
		canonical, _ := a.appendCanonical(s.Bytes(textRoom), r, asSent) // it went well once
		claims = append(claims, a.claim(canonical, s))
	}
	if a.service == serviceS3 && a.collapses(r) {
		a.spaced = true
		canonical, _ := a.appendCanonical(s.Bytes(textRoom), r, asSent)
		claims = append(claims, a.claim(canonical, s))
	}
	return claims, nil
}

// Names reads Credential, of the header or the query.
func (SigV4) Names(r *dialect.Request) string {
	return dialect.EitherKey(dialect.KeyInHeader(r, "Credential"), dialect.KeyInText(r.Query(), "X-Amz-Credential"))
}

// collapses reports whether the value of a signed header has runs of spaces.
func (a *assertion) collapses(r *dialect.Request) bool {
	for i := range r.Header {
		f := &r.Header[i]
		if strings.Contains(strings.Trim(f.Value, " \t"), "  ") && a.signs(f.Name) {
			return true
		}
	}
	return false
}

// querySent is the query as it was sent, of a presigned request without its signature.
func (a *assertion) querySent(r *dialect.Request) string {
	if !a.presigned {
		return r.Query()
	}
	var kept []string
	for param := range strings.SplitSeq(r.Query(), "&") {
		if name, _, _ := strings.Cut(param, "="); name != "X-Amz-Signature" {
			kept = append(kept, param)
		}
	}
	return strings.Join(kept, "&")
}

// An assertion is what the signer wrote down about its signature.
type assertion struct {
	credential
	names     []string // signed headers
	nameList  string   // the same, joined by semicolons
	signature string   // 64 lower-case hex digits
	stamp     string   // the time of signing as signed: YYYYMMDDTHHMMSSZ
	at        time.Time
	token     string
	payload   payload
	presigned bool
	lifetime  time.Duration
	query     []pair // canonical, sorted

	contentHash string // X-Amz-Content-Sha256 of a presigned query
	spaced      bool   // runs of spaces in header values stay as they are
}

// read finds where the signature is written and reads it there.
func (a *assertion) read(r *dialect.Request, h *headers) (err error) {
	byQuery := signedByQuery(r.Query())
	byHeader := strings.HasPrefix(h.authorization, "AWS4-")
	switch {
	case !byQuery && !byHeader && !h.anyAWS4:
		return dialect.ErrUnsigned
	case byQuery && h.authorizations > 0:
		return malformed(CodeTwoMethods, "the request carries both an Authorization header and X-Amz- query parameters; send one of them")
	case h.authorizations > 1:
		return malformed(CodeTwoAuthorizations, "the request has more than one Authorization header; send one")
	case !strings.HasPrefix(r.Target, "/"):
		return malformed(CodeTarget, "the request target must be a path that begins with a slash")
	}
	if a.query, err = parseQuery(r.Query()); err != nil {
		return err
	}
	if byQuery {
		return a.readPresigned()
	}
	return a.readAuthorization(h)
}

// claim hands over what was read. The string to sign goes behind the canonical
// request, in the same memory where it fits.
func (a *assertion) claim(canonical []byte, s *dialect.Scratch) dialect.Claim {
	all := a.appendStringToSign(canonical, canonical)
	toSign := all[len(canonical):]
	signature := s.Bytes(sha256.Size + len(a.payload.signatures))[:sha256.Size]
	_, _ = hex.Decode(signature, []byte(a.signature)) // its form was checked when it was read
	signature = append(signature, a.payload.signatures...)
	c := a.credential
	stamp, parts := a.stamp, a.payload.parts
	return dialect.Claim{
		Scheme:        algorithm,
		AccessKeyID:   c.accessKeyID,
		Service:       c.service,
		Region:        c.region,
		SessionToken:  a.token,
		SignedAt:      a.at,
		Skew:          skewOf(c.service),
		Presigned:     a.presigned,
		Lifetime:      a.lifetime,
		Covers:        a.covers(),
		SignedHeaders: a.nameList,
		Signature:     signature,
		Sign: func(_ *dialect.Claim, out, secret []byte) []byte {
			signed := chain{credential: c, stamp: stamp, toSign: toSign, parts: parts}
			return signed.appendMAC(out, secret)
		},
		CanonicalRequest: canonical[:len(canonical):len(canonical)], // toSign may lie behind it
		StringToSign:     toSign,
	}
}

func (a *assertion) covers() dialect.Parts {
	parts := dialect.Method | dialect.Path | dialect.Query
	if a.payload.covered {
		parts |= dialect.Body
	}
	return parts
}

func (a *assertion) appendStringToSign(b, canonical []byte) []byte {
	sum := sha256.Sum256(canonical)
	b = append(b, algorithm+"\n"...)
	b = append(append(b, a.stamp...), '\n')
	b = append(append(b, a.scope...), '\n')
	return hex.AppendEncode(b, sum[:])
}

// mac signs with the key that is derived from the secret.
func mac(c credential, secret, stringToSign []byte) []byte {
	key := c.signingKey(secret)
	return hmacSHA256(key[:], stringToSign, nil)
}

// signingKey derives the key of a day, region and service from the secret.
func (c *credential) signingKey(secret []byte) [sha256.Size]byte {
	key := append(append(make([]byte, 0, 64), "AWS4"...), secret...)
	for rest, more := c.scope, true; more; {
		var part string
		part, rest, more = strings.Cut(rest, "/")
		key = hmacSHA256(key, []byte(part), key[:0])
	}
	return [sha256.Size]byte(key)
}

func hmacSHA256(key, message, out []byte) []byte {
	sum := dialect.HMACSHA256(key, message)
	return append(out, sum[:]...)
}
