package cdnetworks

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/keyledger/keyledger/services/dialect"
)

const algorithm = "CNC-HMAC-SHA256"

// CNC reads CNC-HMAC-SHA256.
//
// The vendor demands that a timestamp and signature come but once within the window: the signature is the claim's
// nonce. It covers the timestamp.
//
// https://documents.cdnetworks.com/document/api-doc/ak-sk-authentication
type CNC struct{}

// Name returns "CNC-HMAC-SHA256".
func (CNC) Name() string { return algorithm }

// Read returns one claim. Errors are as for [dialect.Scheme]; the codes are the Code constants of this package.
func (CNC) Read(r *dialect.Request, s *dialect.Scratch) ([]dialect.Claim, error) {
	signed, err := authorization(r)
	if err != nil {
		return nil, err
	}
	var a assertion // on the stack: this is the hot path
	if err := a.read(r, signed); err != nil {
		return nil, err
	}
	if r.Method == http.MethodGet && (len(r.Body) > 0 || r.BodySum != nil && *r.BodySum != emptySum) {
		return nil, malformed(CodeBodyUnsigned, "a GET signs no body: send none")
	}
	text := append(s.Bytes(1024), a.signature[:]...)
	text, queryCovered, err := a.appendCanonical(text, r)
	if err != nil {
		return nil, err
	}
	claims := s.Claims(1)
	claims[0] = a.claim(text, queryCovered)
	return claims, nil
}

// Names reads Credential.
func (CNC) Names(r *dialect.Request) string { return dialect.KeyInHeader(r, "Credential") }

var emptySum = sha256.Sum256(nil)

// appendQuery appends what stands for the query: nothing for a POST, and otherwise the query decoded as a form, in its
// order. It is covered if nobody can make another query of the same text.
func appendQuery(b []byte, r *dialect.Request) (_ []byte, covered bool, err error) {
	raw := r.Query()
	if r.Method == http.MethodPost {
		return b, raw == "", nil
	}
	if strings.IndexByte(raw, '%') < 0 && strings.IndexByte(raw, '+') < 0 {
		return append(b, raw...), true, nil
	}
	covered = true
	for i := 0; i < len(raw); i++ {
		switch {
		case raw[i] == '+':
			b = append(b, ' ')
		case raw[i] != '%':
			b = append(b, raw[i])
		default:
			c, ok := dialect.Escape(raw[i:])
			if !ok {
				return nil, false, errEncoding
			}
			if c == '&' || c == '=' {
				covered = false
			}
			b = append(b, c)
			i += 2
		}
	}
	return b, covered, nil
}

var errEncoding = malformed(CodeEncoding, "the query has a percent sign that is not followed by two hexadecimal digits")

// appendCanonical appends the canonical request: method, path as it was sent, query, headers in lower case, their names
// and the hash of the body, each on a line of its own.
func (a *assertion) appendCanonical(b []byte, r *dialect.Request) (_ []byte, queryCovered bool, err error) {
	b = append(append(b, r.Method...), '\n')
	b = append(append(b, r.Path()...), '\n')
	if b, queryCovered, err = appendQuery(b, r); err != nil {
		return nil, false, err
	}
	b = append(b, '\n')
	for name := range strings.SplitSeq(a.nameList, ";") {
		value, there, err := header(r, name)
		if err != nil {
			return nil, false, err
		}
		if !there {
			return nil, false, malformed(CodeHeaderMissing, quoted(name)+" is among SignedHeaders and not in the request; a proxy may have removed it")
		}
		b = append(append(b, name...), ':')
		b = append(appendLower(b, value), '\n')
	}
	b = append(b, '\n')
	b = append(append(b, a.nameList...), '\n')
	sum := r.SHA256()
	return hex.AppendEncode(b, sum[:]), queryCovered, nil
}

func appendLower(b []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}

// claim hands over what was read: text is the signature and the canonical request. The string to sign goes behind
// them, in the same memory where it fits.
func (a *assertion) claim(text []byte, queryCovered bool) dialect.Claim {
	sum := sha256.Sum256(text[len(a.signature):])
	all := append(text, algorithm+"\n"...)
	all = append(append(all, a.stamp...), '\n')
	all = hex.AppendEncode(all, sum[:])
	toSign := all[len(text):]
	covers := dialect.Method | dialect.Path | dialect.Body
	if queryCovered {
		covers |= dialect.Query
	}
	return dialect.Claim{
		Scheme: algorithm, AccessKeyID: a.accessKeyID,
		Nonce:    a.nonce,
		SignedAt: a.at, Skew: skew,
		Covers: covers, SignedHeaders: a.nameList,
		Signature:        all[:len(a.signature):len(a.signature)],
		Sign:             dialect.SignSHA256,
		CanonicalRequest: all[len(a.signature):len(text):len(text)], // toSign lies behind it
		StringToSign:     toSign,
	}
}
