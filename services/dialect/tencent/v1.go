package tencent

import (
	"bytes"
	"crypto/sha1" // the vendor's signature v1
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
)

// V1 reads the vendor's signature v1, by HMAC-SHA1 or by HMAC-SHA256.
//
// The parameters are in the query of a GET or in the form that a POST carries, signature included, and are signed
// decoded: sorted by name, name=value joined by '&', behind method, host and path. So a value that
// holds "&name=" can look like a parameter of its own; where it does, the request is refused. Refused is too what would
// not be signed: the body of a GET, the query of a POST.
//
// https://www.tencentcloud.com/document/api/598/32224
type V1 struct {
	SHA256 bool // HmacSHA256; else HmacSHA1, which is also what is meant if SignatureMethod is absent
}

// Name returns "TC-V1-HmacSHA1" or "TC-V1-HmacSHA256".
func (v V1) Name() string {
	if v.SHA256 {
		return "TC-V1-HmacSHA256"
	}
	return "TC-V1-HmacSHA1"
}

func (v V1) method() string { return v.Name()[len("TC-V1-"):] }

func (v V1) size() int {
	if v.SHA256 {
		return sha256.Size
	}
	return sha1.Size
}

// Read returns one claim. Errors are as for [dialect.Scheme]; the codes are the Code constants of
// this package.
func (v V1) Read(r *dialect.Request, m *dialect.Scratch) ([]dialect.Claim, error) {
	text, method := textV1(r)
	if text == "" || (method == "HmacSHA256") != v.SHA256 {
		return nil, dialect.ErrUnsigned
	}
	host, err := wholeV1(r)
	if err != nil {
		return nil, err
	}
	var room [16]dialect.Parameter // on the stack: this is the hot path
	pairs, err := parseForm(text, room[:])
	if err != nil {
		return nil, err
	}
	var s signatureV1
	if err := s.read(pairs, v); err != nil {
		return nil, err
	}
	if ambiguous(pairs) {
		return nil, malformed(CodeAmbiguous, "signature v1 does not tell a value that holds '&name=' from a further parameter; sign with TC3-HMAC-SHA256")
	}
	signature := s.signature[:v.size()]
	b := append(m.Bytes(len(signature)+len(r.Method)+len(host)+len(r.Target)+len(text)+1), signature...)
	b = appendV1(b, r, host, pairs)
	claims := m.Claims(1)
	v.claim(&claims[0], &s, b[:len(signature):len(signature)], b[len(signature):])
	return claims, nil
}

// Names reads SecretId.
func (V1) Names(r *dialect.Request) string { return dialect.KeyInText(formText(r), "SecretId") }

// speaksV1 reports whether a request carries a signature v1, or tries to. One that has an
// Authorization header speaks something else.
func speaksV1(r *dialect.Request) bool {
	text, _ := textV1(r)
	return text != ""
}

// textV1 returns the form of a request that carries a signature v1, or tries to, and its SignatureMethod; else "". It is
// asked of every request.
func textV1(r *dialect.Request) (text, method string) {
	if r.Method == http.MethodPost && !bytes.Contains(r.Body, []byte("SecretId=")) ||
		r.Method != http.MethodPost && !strings.Contains(r.Target, "SecretId=") {
		return "", ""
	}
	if _, there, _ := header(r, "Authorization"); there {
		return "", ""
	}
	text = formText(r)
	signed, method := signatureOf(text)
	if !signed && !has(text, "Nonce") || !has(text, "SecretId") {
		return "", ""
	}
	return text, method
}

// signatureOf says whether a form has a parameter Signature, and what its SignatureMethod is.
func signatureOf(text string) (signed bool, method string) {
	const name = "Signature"
	for from := strings.Index(text, name); from >= 0; {
		begins, rest := from == 0 || text[from-1] == '&', text[from+len(name):]
		if value, of := strings.CutPrefix(rest, "Method="); begins && of {
			method, _, _ = dialect.Cut(value, '&')
		}
		signed = signed || begins && (rest == "" || rest[0] == '=' || rest[0] == '&')
		next := strings.Index(rest, name)
		if next < 0 {
			break
		}
		from += len(name) + next
	}
	method, _ = dialect.Unescape(method)
	return signed, method
}

func has(text, name string) bool { _, there := dialect.Peek(text, name); return there }

// wholeV1 returns the host, and refuses a request of which a part is not signed.
func wholeV1(r *dialect.Request) (host string, err error) {
	if host, _, err = header(r, "Host"); err != nil {
		return "", err
	}
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodPost:
		err = malformed(CodeMethod, "signature v1 is for GET and POST")
	case !strings.HasPrefix(r.Target, "/"):
		err = malformed(CodeTarget, "the request target must be a path that begins with a slash")
	case !hostName(host):
		err = malformed(CodeHost, "the Host header must name a host")
	case r.Method == http.MethodPost && r.Query() != "":
		err = malformed(CodeQueryUnsigned, "a POST signs no query: send the parameters in the body")
	case r.Method == http.MethodGet && (len(r.Body) > 0 || r.BodySum != nil && *r.BodySum != emptySum):
		err = malformed(CodeBodyUnsigned, "a GET signs no body: send the parameters in the query")
	}
	return host, err
}

// hostName says whether a host has nothing in it that would be taken for the beginning of something else where it is signed.
func hostName(host string) bool {
	for i := range len(host) {
		switch host[i] {
		case '/', '?', '&', '=', ' ':
			return false
		}
	}
	return host != ""
}

var emptySum = sha256.Sum256(nil)

// A signatureV1 is the parameters that make up the signature.
type signatureV1 struct {
	secretID, region, token string
	at                      time.Time
	signature               [sha256.Size]byte // its beginning, by HmacSHA1
}

func (s *signatureV1) read(pairs []dialect.Parameter, v V1) (err error) {
	var stamp, nonce, signature string
	for i := range pairs {
		switch p := &pairs[i]; p.Name {
		case "SecretId":
			s.secretID = p.Value()
		case "Timestamp":
			stamp = p.Value()
		case "Nonce":
			nonce = p.Value()
		case "Signature":
			signature = p.Raw
		case "Region":
			s.region = p.Value()
		case "Token":
			s.token = p.Value()
		case "SignatureMethod":
			if p.Value() != v.method() {
				err = malformed(CodeAlgorithm, "SignatureMethod must be HmacSHA256 or HmacSHA1")
			}
		}
	}
	switch {
	case s.secretID == "":
		return notGiven("SecretId")
	case stamp == "":
		return notGiven("Timestamp")
	case nonce == "":
		return notGiven("Nonce")
	case signature == "":
		return notGiven("Signature")
	case err != nil:
		return err
	case len(nonce) > 20 || !digits(nonce):
		return malformed(CodeNonce, "Nonce must be a positive integer in decimal digits")
	}
	var room [64]byte // on the stack: more than a signature takes, unless it is escaped throughout
	text, _ := dialect.AppendUnescaped(room[:0], signature)
	if !dialect.DecodeBase64(s.signature[:v.size()], text) {
		return malformed(CodeSignature, fmt.Sprintf("Signature must be the base64 form of the %d bytes of %s, the SignatureMethod that the request names (HmacSHA1 if it names none)", v.size(), v.method()))
	}
	s.at, err = unixTime(stamp)
	return err
}

func notGiven(parameter string) error {
	return malformed(CodeMissingParameter, "the parameter `"+parameter+"` must be given and not be empty")
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// ambiguous reports whether the text that is signed could be read as other parameters than these: a
// value goes into it as it is, so "&b=1" in the value of a looks like a parameter b if that is where b would stand.
func ambiguous(sorted []dialect.Parameter) bool {
	for i := range sorted {
		p := &sorted[i]
		if p.Plain || !strings.Contains(p.Raw, "%26") { // there is no ampersand in it
			continue
		}
		for _, rest, more := dialect.Cut(p.Value(), '&'); more; _, rest, more = dialect.Cut(rest, '&') {
			name, _, found := dialect.Cut(rest, '=')
			if !found || !parameterName(name, false) || name <= p.Name {
				continue
			}
			if i == len(sorted)-1 || name < sorted[i+1].Name {
				return true
			}
		}
	}
	return false
}

func (v V1) claim(c *dialect.Claim, s *signatureV1, signature, toSign []byte) {
	c.Scheme, c.AccessKeyID, c.Region, c.SessionToken = v.Name(), s.secretID, s.region, s.token
	c.SignedAt, c.Skew = s.at, skew
	c.Covers, c.SignedHeaders = dialect.Method|dialect.Path|dialect.Query|dialect.Body, "host"
	c.Signature, c.Sign = signature, dialect.SignSHA1
	if v.SHA256 {
		c.Sign = dialect.SignSHA256
	}
	c.CanonicalRequest, c.StringToSign = toSign[bytes.IndexByte(toSign, '?')+1:], toSign
}

// appendV1 appends method, host and path, a question mark and the parameters, sorted and decoded.
func appendV1(b []byte, r *dialect.Request, host string, pairs []dialect.Parameter) []byte {
	b = append(append(b, r.Method...), host...)
	b = append(append(b, r.Path()...), '?')
	first := true
	for i := range pairs {
		p := &pairs[i]
		if p.Name == "Signature" {
			continue
		}
		if !first {
			b = append(b, '&')
		}
		b = append(append(b, p.Name...), '=')
		b, first = p.AppendUnescaped(b), false
	}
	return b
}
