package huawei

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
)

// The algorithms that are read, and the beginnings of their families' names.
const (
	algorithmSDK = "SDK-HMAC-SHA256"
	algorithmV11 = "V11-HMAC-SHA256"
	familySDK    = "SDK-"
	familyV11    = "V11-"
)

// SDKHMAC reads SDK-HMAC-SHA256, the signature of Huawei Cloud's SDKs.
//
// What is signed is what SignedHeaders names: the SDK for Go signs neither Host nor
// Content-Type, the one for Node.js both. A caller who needs more to be signed looks at
// the claim. A header named there must come once.
//
// https://support.huaweicloud.com/intl/en-us/api-apig/apig-api-180713003.html
type SDKHMAC struct{}

// Name returns "SDK-HMAC-SHA256".
func (SDKHMAC) Name() string { return algorithmSDK }

// Read returns one claim. Errors are as for [dialect.Scheme]; the codes are the Code
// constants of this package.
func (SDKHMAC) Read(r *dialect.Request, s *dialect.Scratch) ([]dialect.Claim, error) {
	return read(r, s, familySDK)
}

// Names reads Access.
func (SDKHMAC) Names(r *dialect.Request) string { return dialect.KeyInHeader(r, "Access") }

// Digest is the SHA-256 that X-Sdk-Content-Sha256 names.
func (SDKHMAC) Digest(r *dialect.Request) *[sha256.Size]byte { return digest(r) }

// V11HMAC reads V11-HMAC-SHA256, whose key is derived from the secret for a day, a
// region and a service. SDKs use it for endpoints that are not the vendor's own. All else is as
// for [SDKHMAC].
type V11HMAC struct{}

// Name returns "V11-HMAC-SHA256".
func (V11HMAC) Name() string { return algorithmV11 }

// Read returns one claim. Errors are as for [dialect.Scheme]; the codes are the Code
// constants of this package.
func (V11HMAC) Read(r *dialect.Request, s *dialect.Scratch) ([]dialect.Claim, error) {
	return read(r, s, familyV11)
}

// Names reads Credential.
func (V11HMAC) Names(r *dialect.Request) string { return dialect.KeyInHeader(r, "Credential") }

// Digest is the SHA-256 that X-Sdk-Content-Sha256 names.
func (V11HMAC) Digest(r *dialect.Request) *[sha256.Size]byte { return digest(r) }

// An assertion is what the signer wrote down about its signature.
type assertion struct {
	algorithm   string
	accessKeyID string
	scope       string // V11: DAY/REGION/SERVICE
	day         string
	region      string
	service     string
	names       string // signed headers, joined by semicolons
	signature   [sha256.Size]byte
	stamp       string // the time of signing as signed: YYYYMMDDTHHMMSSZ
	at          time.Time
	token       string
	payload     payload
}

// read reads a signature whose algorithm is of the family.
func read(r *dialect.Request, s *dialect.Scratch, family string) ([]dialect.Claim, error) {
	h := scanHeaders(r, family)
	if !h.ofFamily {
		return nil, dialect.ErrUnsigned
	}
	var a assertion // on the stack: this is the hot path
	if err := a.read(r, &h); err != nil {
		return nil, err
	}
	text := append(s.Bytes(1024), a.signature[:]...)
	text, err := a.appendCanonical(text, r)
	if err != nil {
		return nil, err
	}
	claims := s.Claims(1)
	claims[0] = a.claim(text)
	return claims, nil
}

func (a *assertion) read(r *dialect.Request, h *headers) error {
	switch {
	case h.authorizations > 1:
		return malformed(CodeTwoAuthorizations, "the request has more than one Authorization header; send one")
	case h.twice != "":
		return malformed(CodeDuplicateHeader, "the request has "+quoted(h.twice)+" more than once; send it once")
	case !strings.HasPrefix(r.Target, "/"):
		return malformed(CodeTarget, "the request target must be a path that begins with a slash")
	}
	if err := a.readAuthorization(h.authorization); err != nil {
		return err
	}
	if err := a.readStamp(h.date); err != nil {
		return err
	}
	a.token = h.token.value
	return a.readPayload(r, h.contentHash)
}

// claim hands over what was read: text is the signature and the canonical request. The string to
// sign goes behind them, in the same memory where it fits.
func (a *assertion) claim(text []byte) dialect.Claim {
	all := a.appendStringToSign(text, text[len(a.signature):])
	toSign := all[len(text):]
	sign := dialect.SignSHA256
	if a.scope != "" {
		sign = appendMAC
	}
	covers := dialect.Method | dialect.Path | dialect.Query
	if a.payload.covered {
		covers |= dialect.Body
	}
	return dialect.Claim{
		Scheme:           a.algorithm,
		AccessKeyID:      a.accessKeyID,
		Service:          a.service,
		Region:           a.region,
		SessionToken:     a.token,
		SignedAt:         a.at,
		Skew:             skew,
		Covers:           covers,
		SignedHeaders:    a.names,
		Signature:        all[:len(a.signature):len(a.signature)],
		Sign:             sign,
		CanonicalRequest: all[len(a.signature):len(text):len(text)], // toSign lies behind it
		StringToSign:     toSign,
	}
}

func (a *assertion) appendStringToSign(b, canonical []byte) []byte {
	sum := sha256.Sum256(canonical)
	b = append(append(b, a.algorithm...), '\n')
	b = append(append(b, a.stamp...), '\n')
	if a.scope != "" {
		b = append(append(b, a.scope...), '\n')
	}
	return hex.AppendEncode(b, sum[:])
}

// appendMAC signs with the key that is derived from the secret for a scope: the lower-case hexadecimal
// text of HKDF's 32 bytes, not the bytes.
func appendMAC(c *dialect.Claim, out, secret []byte) []byte {
	derived, err := hkdf.Key(sha256.New, secret, []byte(c.AccessKeyID), scopeOf(c), sha256.Size)
	if err != nil { // not for a length of 32
		return out
	}
	key := hex.AppendEncode(make([]byte, 0, 2*sha256.Size), derived)
	sum := dialect.HMACSHA256(key, c.StringToSign)
	return append(out, sum[:]...)
}

// scopeOf is the third line of the string to sign; the lines before it and behind it are of one length always.
func scopeOf(c *dialect.Claim) string {
	before, behind := len(algorithmV11)+1+len(stampLayout)+1, 1+2*sha256.Size
	return string(c.StringToSign[before : len(c.StringToSign)-behind])
}
