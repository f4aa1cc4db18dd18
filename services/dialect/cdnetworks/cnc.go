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
func (CNC) Read(r *dialect.Request) ([]dialect.Claim, error) {
	text, err := authorization(r)
	if err != nil {
		return nil, err
	}
	var a assertion // on the stack: this is the hot path
	if err := a.read(r, text); err != nil {
		return nil, err
	}
	if r.Method == http.MethodGet && (len(r.Body) > 0 || r.BodySum != nil && *r.BodySum != emptySum) {
		return nil, malformed(CodeBodyUnsigned, "a GET signs no body: send none")
	}
	q, err := signedQuery(r)
	if err != nil {
		return nil, err
	}
	canonical, err := a.appendCanonical(make([]byte, 0, 384), r, q.text)
	if err != nil {
		return nil, err
	}
	return []dialect.Claim{a.claim(canonical, q.covered)}, nil
}

var emptySum = sha256.Sum256(nil)

// A query is what stands for it in the canonical request.
type query struct {
	text    string
	covered bool // nobody can make another query of the same text
}

// signedQuery is nothing for a POST, and otherwise the query decoded as a form, in its order.
func signedQuery(r *dialect.Request) (query, error) {
	raw := r.Query()
	if r.Method == http.MethodPost {
		return query{"", raw == ""}, nil
	}
	if strings.IndexByte(raw, '%') < 0 && strings.IndexByte(raw, '+') < 0 {
		return query{raw, true}, nil
	}
	q := query{covered: true}
	b := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		switch {
		case raw[i] == '+':
			b = append(b, ' ')
		case raw[i] != '%':
			b = append(b, raw[i])
		case i+2 >= len(raw):
			return q, errEncoding
		default:
			var c [1]byte
			if _, err := hex.Decode(c[:], []byte(raw[i+1:i+3])); err != nil {
				return q, errEncoding
			}
			if c[0] == '&' || c[0] == '=' {
				q.covered = false
			}
			b = append(b, c[0])
			i += 2
		}
	}
	q.text = string(b)
	return q, nil
}

var errEncoding = malformed(CodeEncoding, "the query has a percent sign that is not followed by two hexadecimal digits")

// appendCanonical appends the canonical request: method, path as it was sent, query, headers in lower case, their names
// and the hash of the body, each on a line of its own.
func (a *assertion) appendCanonical(b []byte, r *dialect.Request, query string) ([]byte, error) {
	b = append(append(b, r.Method...), '\n')
	b = append(append(b, r.Path()...), '\n')
	b = append(append(b, query...), '\n')
	for name := range strings.SplitSeq(a.nameList, ";") {
		value, there, err := header(r, name)
		if err != nil {
			return nil, err
		}
		if !there {
			return nil, malformed(CodeHeaderMissing, quoted(name)+" is among SignedHeaders and not in the request; a proxy may have removed it")
		}
		b = append(append(b, name...), ':')
		b = append(appendLower(b, value), '\n')
	}
	b = append(b, '\n')
	b = append(append(b, a.nameList...), '\n')
	sum := r.SHA256()
	return hex.AppendEncode(b, sum[:]), nil
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

// claim hands over what was read. The string to sign goes behind the canonical request, in the same memory where it
// fits.
func (a *assertion) claim(canonical []byte, queryCovered bool) dialect.Claim {
	sum := sha256.Sum256(canonical)
	all := append(canonical, algorithm+"\n"...)
	all = append(append(all, a.stamp...), '\n')
	all = hex.AppendEncode(all, sum[:])
	toSign := all[len(canonical):]
	covers := dialect.Method | dialect.Path | dialect.Body
	if queryCovered {
		covers |= dialect.Query
	}
	signature := a.signature
	return dialect.Claim{
		Scheme: algorithm, AccessKeyID: a.accessKeyID,
		Nonce:    hex.EncodeToString(signature[:]),
		SignedAt: a.at, Skew: skew,
		Covers: covers, SignedHeaders: a.nameList,
		Signature: signature[:],
		MAC: func(secret []byte) []byte {
			sum := dialect.HMACSHA256(secret, toSign)
			return sum[:]
		},
		CanonicalRequest: canonical[:len(canonical):len(canonical)], // toSign may lie behind it
		StringToSign:     toSign,
	}
}
