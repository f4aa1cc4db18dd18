package tencent

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"

	"github.com/keyledger/keyledger/services/dialect"
)

const (
	algorithm  = "TC3-HMAC-SHA256"
	terminator = "tc3_request"
	// unsignedPayload stands for a body that is not signed.
	unsignedPayload = "UNSIGNED-PAYLOAD"
)

// TC3 reads TC3-HMAC-SHA256, the vendor's signature v3.
//
// Path and query are signed as they were sent. A POST signs no query, so one that has a query is
// refused. The service in the scope is the signer's own word. Where the vendor's page and its clients
// disagree, each gets a reading: header values as sent or in lower case, the host with its port
// or without.
//
// https://www.tencentcloud.com/document/api/598/32225
type TC3 struct{}

// Name returns "TC3-HMAC-SHA256".
func (TC3) Name() string { return algorithm }

// Read returns one claim per reading, one to four. Errors are as for [dialect.Scheme]; the codes are
// the Code constants of this package.
func (TC3) Read(r *dialect.Request, s *dialect.Scratch) ([]dialect.Claim, error) {
	text, err := authorization(r)
	if err != nil {
		return nil, err
	}
	var a assertion
	if err := a.read(r, text); err != nil {
		return nil, err
	}
	p, err := readPayload(r)
	if err != nil {
		return nil, err
	}
	query := r.Query()
	if r.Method == http.MethodPost && query != "" {
		return nil, malformed(CodeQueryUnsigned, "a POST signs no query: send the parameters in the body")
	}
	values, err := signedValues(r, a.names)
	if err != nil {
		return nil, err
	}
	reads := readings(a.names, values)
	claims := s.Claims(len(reads))
	for i, read := range reads {
		claims[i] = a.claim(r, s, query, read, p)
	}
	if len(claims) > 1 && strings.HasPrefix(r.Get("X-TC-RequestClient"), "SDK_NODEJS_") {
		claims[0], claims[1] = claims[1], claims[0] // what is likelier to hold first; the outcome is the same
	}
	return claims, nil
}

// Names reads Credential.
func (TC3) Names(r *dialect.Request) string { return dialect.KeyInHeader(r, "Credential") }

// A payload is the last line of a canonical request.
type payload struct {
	sum     [sha256.Size]byte
	covered bool // the body is signed
}

func readPayload(r *dialect.Request) (payload, error) {
	word, there, err := header(r, "X-TC-Content-SHA256")
	switch {
	case err != nil:
		return payload{}, err
	case !there:
		return payload{r.SHA256(), true}, nil
	case word == unsignedPayload:
		return payload{sha256.Sum256([]byte(word)), false}, nil
	}
	return payload{}, malformed(CodePayload, "X-TC-Content-SHA256 must be UNSIGNED-PAYLOAD, or not be sent")
}

// signedValues returns the value of each signed header, which must be there once.
func signedValues(r *dialect.Request, names []string) ([]string, error) {
	values := make([]string, len(names))
	for i, name := range names {
		value, there, err := header(r, name)
		if err != nil {
			return nil, err
		}
		if !there {
			return nil, malformed(CodeHeaderMissing, quoted(name)+" is among SignedHeaders and not in the request; a proxy may have removed it")
		}
		values[i] = value
	}
	return values, nil
}

// A reading is the values of the signed headers as some client signs them.
type reading struct {
	values []string
	ported bool // the host is signed whole
}

func readings(names, values []string) []reading {
	all := []reading{{values, true}}
	at := slices.Index(names, "host")
	if bare := withoutPort(values[at]); bare != values[at] {
		other := slices.Clone(values)
		other[at] = bare
		all = append(all, reading{other, false})
	}
	for _, read := range all[:len(all):len(all)] {
		if lower, differ := inLowerCase(read.values); differ {
			all = append(all, reading{lower, read.ported})
		}
	}
	return all
}

func withoutPort(host string) string {
	i := strings.LastIndexByte(host, ':')
	if i <= 0 || i == len(host)-1 || strings.Trim(host[i+1:], "0123456789") != "" {
		return host
	}
	return host[:i]
}

func inLowerCase(values []string) (lower []string, differ bool) {
	for i, v := range values {
		b := []byte(v)
		for j, c := range b {
			if 'A' <= c && c <= 'Z' {
				b[j] = c + 'a' - 'A'
				differ = true
			}
		}
		if differ && lower == nil {
			lower = slices.Clone(values)
		}
		if lower != nil {
			lower[i] = string(b)
		}
	}
	return lower, differ
}

func (a *assertion) claim(r *dialect.Request, s *dialect.Scratch, query string, read reading, p payload) dialect.Claim {
	text := a.appendCanonical(append(s.Bytes(768), a.signature[:]...), r, query, read.values, p)
	all := a.appendStringToSign(text, text[len(a.signature):])
	toSign := all[len(text):]
	covers := dialect.Method | dialect.Path | dialect.Query
	if p.covered {
		covers |= dialect.Body
	}
	signed := a.nameList
	if !read.ported { // whoever changes the port is not noticed
		signed = strings.Join(slices.DeleteFunc(slices.Clone(a.names), func(n string) bool { return n == "host" }), ";")
	}
	scope := a.scope
	return dialect.Claim{
		Scheme: algorithm, AccessKeyID: a.accessKeyID, Service: a.service, SessionToken: a.token,
		SignedAt: a.at, Skew: skew, Covers: covers, SignedHeaders: signed,
		Signature:        all[:len(a.signature):len(a.signature)],
		Sign:             func(_ *dialect.Claim, out, secret []byte) []byte { return appendMAC(out, scope, secret, toSign) },
		CanonicalRequest: all[len(a.signature):len(text):len(text)], // toSign lies behind it
		StringToSign:     toSign,
	}
}

func (a *assertion) appendCanonical(b []byte, r *dialect.Request, query string, values []string, p payload) []byte {
	b = append(append(b, r.Method...), '\n')
	b = append(append(b, r.Path()...), '\n')
	b = append(append(b, query...), '\n')
	for i, name := range a.names {
		b = append(append(b, name...), ':')
		b = append(append(b, values[i]...), '\n')
	}
	b = append(b, '\n')
	b = append(append(b, a.nameList...), '\n')
	return hex.AppendEncode(b, p.sum[:])
}

func (a *assertion) appendStringToSign(b, canonical []byte) []byte {
	sum := sha256.Sum256(canonical)
	b = append(b, algorithm+"\n"...)
	b = append(append(b, a.stamp...), '\n')
	b = append(append(b, a.scope...), '\n')
	return hex.AppendEncode(b, sum[:])
}

// appendMAC derives the key of a day and service from the secret and signs with it.
func appendMAC(out []byte, scope string, secret, stringToSign []byte) []byte {
	key := append(append(make([]byte, 0, 64), "TC3"...), secret...)
	for more := true; more; {
		var part string
		part, scope, more = dialect.Cut(scope, '/')
		sum := dialect.HMACSHA256(key, []byte(part))
		key = append(key[:0], sum[:]...)
	}
	sum := dialect.HMACSHA256(key, stringToSign)
	return append(out, sum[:]...)
}
