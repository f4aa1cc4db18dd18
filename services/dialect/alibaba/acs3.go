package alibaba

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
)

const acs3 = "ACS3-HMAC-SHA256"

// ACS3 reads the signature ACS3-HMAC-SHA256 from the Authorization header.
//
// The body is hashed here; x-acs-content-sha256 is believed only where it agrees. Every
// x-acs- header of the request must be signed, host too, and Content-Type where there is a
// body: what the vendor's clients sign, and what a request is understood by.
//
// A request that has parameters with odd names is read a second time with those names as
// they are: the vendor's client for Go encodes the values only.
//
// https://www.alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature
type ACS3 struct{}

// Name returns "ACS3-HMAC-SHA256".
func (ACS3) Name() string { return acs3 }

// Digest is the SHA-256 that x-acs-content-sha256 names.
func (ACS3) Digest(r *dialect.Request) *[sha256.Size]byte {
	var sum [sha256.Size]byte
	if word := r.Get(headerSum); len(word) != 2*len(sum) || !decodeHex(sum[:], word) {
		return nil
	}
	return &sum
}

// Headers that the signature is about, in lower case.
const (
	prefixACS    = "x-acs-"
	headerAction = "x-acs-action"
	headerAPI    = "x-acs-version"
	headerDate   = "x-acs-date"
	headerNonce  = "x-acs-signature-nonce"
	headerSum    = "x-acs-content-sha256"
	headerToken  = "x-acs-security-token"
	headerType   = "content-type"
)

// Read returns one claim, or two for the two readings of a query. Errors are as
// for [dialect.Scheme]; the codes are the Code constants of this package.
func (ACS3) Read(r *dialect.Request) ([]dialect.Claim, error) {
	var a assertion // on the stack: this is the hot path
	if err := a.find(r); err != nil {
		return nil, err
	}
	if err := a.readAuthorization(); err != nil {
		return nil, err
	}
	var pairs [16]pair
	query, err := appendPairs(pairs[:0], r.Query())
	if err == nil {
		err = sortPairs(query)
	}
	if err != nil {
		return nil, err
	}
	canonical := append(append(make([]byte, 0, 1024), r.Method...), '\n')
	canonical = append(appendPath(canonical, r.Path()), '\n')
	head := len(canonical)
	canonical = append(appendQuery(canonical, query, appendEncoded), '\n')
	tail := len(canonical)
	if canonical, err = a.appendHeaders(canonical, r); err != nil {
		return nil, err
	}
	if canonical, err = a.appendSum(canonical, r); err != nil {
		return nil, err
	}
	claims := []dialect.Claim{a.claim(canonical)}
	if odd(query) {
		plain := append(make([]byte, 0, len(canonical)), canonical[:head]...)
		plain = append(appendQuery(plain, query, appendPlain), '\n')
		claims = append(claims, a.claim(append(plain, canonical[tail:]...)))
	}
	return claims, nil
}

// An assertion is what the signer wrote down about its signature.
type assertion struct {
	authorization string
	accessKeyID   string
	nameList      string   // the signed headers, joined by semicolons
	names         []string // the same
	signature     [sha256.Size]byte
	at            time.Time
	nonce         string
	sum           string // x-acs-content-sha256
	version       string
	token         string
}

// find finds where the signature is written.
func (a *assertion) find(r *dialect.Request) error {
	count := 0
	for i := range r.Header {
		f := &r.Header[i]
		if len(f.Name) != len("authorization") || !strings.EqualFold(f.Name, "authorization") {
			continue
		}
		if count++; a.authorization == "" || strings.HasPrefix(f.Value, "ACS3-") {
			a.authorization = f.Value
		}
	}
	switch {
	case !strings.HasPrefix(a.authorization, "ACS3-"):
		return dialect.ErrUnsigned
	case count > 1:
		return malformed(CodeTwoAuthorizations, "the request has more than one Authorization header; send one")
	case !strings.HasPrefix(r.Target, "/"):
		return malformed(CodeTarget, "the request target must be a path that begins with a slash")
	case isRPC(r):
		return malformed(CodeTwoMethods, "the request carries both an Authorization header and a Signature parameter; send one of them")
	}
	return nil
}

// readAuthorization reads "ACS3-HMAC-SHA256 Credential=ID,SignedHeaders=a;b,Signature=hex".
func (a *assertion) readAuthorization() error {
	algorithm, rest, _ := strings.Cut(a.authorization, " ")
	if algorithm != acs3 {
		return malformed(CodeAlgorithm, "the algorithm of the Authorization header is not known here; use "+acs3)
	}
	var signature string
	var found [3]bool
	for rest != "" {
		var param string
		param, rest, _ = strings.Cut(rest, ",")
		name, value, _ := strings.Cut(param, "=")
		part := slices.Index(authorizationParts, name)
		if part < 0 || found[part] {
			return malformed(CodeAuthorization, "the Authorization header must be: "+acs3+" Credential=ID,SignedHeaders=a;b,Signature=hex")
		}
		found[part] = true
		*[...]*string{&a.accessKeyID, &a.nameList, &signature}[part] = value
	}
	switch {
	case found != [3]bool{true, true, true}:
		return malformed(CodeAuthorization, "the Authorization header must hold Credential, SignedHeaders and Signature")
	case !goodNonce(a.accessKeyID):
		return malformed(CodeCredential, "Credential must be an access key ID")
	case len(signature) != 2*len(a.signature) || !decodeHex(a.signature[:], signature):
		return malformed(CodeSignature, "Signature must be 64 hexadecimal digits in lower case")
	}
	return a.readNames()
}

var authorizationParts = []string{"Credential", "SignedHeaders", "Signature"}

// maxNames bounds the signed headers.
const maxNames = 128

// readNames reads the signed headers, which are in lower case, sorted, each once.
func (a *assertion) readNames() error {
	if strings.Count(a.nameList, ";") >= maxNames {
		return malformed(CodeSignedHeaders, "SignedHeaders names more than 128 headers")
	}
	a.names = strings.Split(a.nameList, ";")
	for i, name := range a.names {
		if name == "" || i > 0 && name <= a.names[i-1] || strings.IndexFunc(name, notInName) >= 0 {
			return malformed(CodeSignedHeaders, "SignedHeaders must be names in lower case, sorted, each once, joined by semicolons")
		}
	}
	for _, name := range [...]string{"host", headerSum, headerDate, headerNonce} {
		if !a.signs(name) {
			return malformed(CodeHeaderUnsigned, name+" must be among SignedHeaders")
		}
	}
	return nil
}

func notInName(c rune) bool {
	return c <= ' ' || c > '~' || 'A' <= c && c <= 'Z' || c == ':' || c == ','
}

func (a *assertion) signs(name string) bool {
	_, ok := slices.BinarySearch(a.names, name)
	return ok
}

// appendHeaders appends the signed headers, an empty line and their names, and keeps what
// they say.
func (a *assertion) appendHeaders(b []byte, r *dialect.Request) ([]byte, error) {
	if err := a.coverHeaders(r); err != nil {
		return nil, err
	}
	for _, name := range a.names {
		value, ok := valueOf(r, name)
		if !ok {
			return nil, malformed(CodeHeaderMissing, `"`+name+`" is among SignedHeaders and not in the request; a proxy may have removed it`)
		}
		b = append(append(b, name...), ':')
		b = append(append(b, value...), '\n')
		switch name {
		case headerDate:
			if a.at, ok = parseStamp(value); !ok {
				return nil, malformed(CodeDate, headerDate+" must be a time in UTC as YYYY-MM-DDTHH:MM:SSZ")
			}
		case headerNonce:
			if a.nonce = value; !goodNonce(value) {
				return nil, malformed(CodeNonce, headerNonce+" must be 1 to 256 printable characters")
			}
		case headerSum:
			a.sum = value
		case headerAPI:
			a.version = value
		case headerToken:
			a.token = value
		}
	}
	b = append(b, '\n')
	return append(append(b, a.nameList...), '\n'), nil
}

// coverHeaders refuses what would be understood and is not signed.
func (a *assertion) coverHeaders(r *dialect.Request) error {
	for i := range r.Header {
		name := r.Header[i].Name
		if len(name) >= len(prefixACS) && strings.EqualFold(name[:len(prefixACS)], prefixACS) && !a.signs(strings.ToLower(name)) {
			return malformed(CodeHeaderUnsigned, "the header "+strings.ToLower(name)+" must be among SignedHeaders, as every "+prefixACS+" header")
		}
		if len(name) == len(headerType) && len(r.Body) > 0 && strings.EqualFold(name, headerType) && !a.signs(headerType) {
			return malformed(CodeHeaderUnsigned, headerType+" must be among SignedHeaders, where there is a body")
		}
	}
	return nil
}

// valueOf is the value of a header without the space around it; of several lines, their
// values sorted and joined by commas.
func valueOf(r *dialect.Request, name string) (value string, found bool) {
	var more []string
	for i := range r.Header {
		f := &r.Header[i]
		if len(f.Name) != len(name) || !strings.EqualFold(f.Name, name) {
			continue
		}
		if found {
			more = append(more, strings.TrimSpace(f.Value))
			continue
		}
		value, found = strings.TrimSpace(f.Value), true
	}
	if len(more) == 0 {
		return value, found
	}
	more = append(more, value)
	slices.Sort(more)
	return strings.Join(more, ","), true
}

// appendSum appends the SHA-256 of the body, which the header has to name.
func (a *assertion) appendSum(b []byte, r *dialect.Request) ([]byte, error) {
	var claimed [sha256.Size]byte
	if len(a.sum) != 2*len(claimed) || !decodeHex(claimed[:], a.sum) {
		return nil, malformed(CodePayloadHash, headerSum+" must be the SHA-256 of the body in hexadecimal digits in lower case")
	}
	if claimed != r.SHA256() {
		return nil, malformed(CodePayloadMismatch, headerSum+" is not the SHA-256 of the body that arrived")
	}
	return append(b, a.sum...), nil
}

// claim hands over what was read. The string to sign goes behind the canonical
// request, in the same memory where it fits.
func (a *assertion) claim(canonical []byte) dialect.Claim {
	sum := sha256.Sum256(canonical)
	all := append(canonical, acs3+"\n"...)
	all = hex.AppendEncode(all, sum[:])
	toSign := all[len(canonical):]
	return dialect.Claim{
		Scheme: acs3, AccessKeyID: a.accessKeyID, Service: serviceOf(a.version), SessionToken: a.token, Nonce: a.nonce,
		SignedAt: a.at, Skew: skew,
		Covers: dialect.Method | dialect.Path | dialect.Query | dialect.Body, SignedHeaders: a.names,
		Signature: a.signature[:], MAC: func(secret []byte) []byte {
			m := hmac.New(sha256.New, secret)
			m.Write(toSign)
			return m.Sum(nil)
		},
		CanonicalRequest: all[:len(canonical):len(canonical)], // toSign lies behind it
		StringToSign:     toSign,
	}
}

func appendQuery(b []byte, pairs []pair, appendName func([]byte, string) []byte) []byte {
	for i := range pairs {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(appendName(b, pairs[i].name), '=')
		b = appendEncoded(b, pairs[i].value)
	}
	return b
}

// appendPath appends the path as the vendor's clients spell it, which have encoded it before: a
// star escaped, a tilde not.
func appendPath(b []byte, path string) []byte {
	for i := 0; i < len(path); i++ {
		switch {
		case path[i] == '*':
			b = append(b, "%2A"...)
		case strings.HasPrefix(path[i:], "%7E"):
			b = append(b, '~')
			i += 2
		default:
			b = append(b, path[i])
		}
	}
	return b
}

// appendPlain appends a name as the vendor's client for Go does: with nothing but stars escaped.
func appendPlain(b []byte, s string) []byte {
	for i := range len(s) {
		if s[i] == '*' {
			b = append(b, "%2A"...)
		} else {
			b = append(b, s[i])
		}
	}
	return b
}

// odd says whether a name has to be encoded, and none has what would let names as they are
// pass for other parameters: what separates parameters or lines, begins an escape, or stands
// for a space.
func odd(pairs []pair) bool {
	found := false
	for i := range pairs {
		for _, c := range []byte(pairs[i].name) {
			if c == '&' || c == '=' || c == '%' || c == '+' || c < ' ' {
				return false
			}
			found = found || !unreserved[c]
		}
	}
	return found
}

// decodeHex decodes hexadecimal digits in lower case.
func decodeHex(dst []byte, text string) bool {
	for i := range dst {
		high, ok1 := lowerDigit(text[2*i])
		low, ok2 := lowerDigit(text[2*i+1])
		if !ok1 || !ok2 {
			return false
		}
		dst[i] = high<<4 | low
	}
	return true
}

func lowerDigit(c byte) (byte, bool) {
	d, ok := hexDigit(c)
	return d, ok && (c < 'A' || c > 'F')
}
