package alibaba

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
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
	if word := r.Get(headerSum); !dialect.DecodeHex(sum[:], word) {
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
func (ACS3) Read(r *dialect.Request, s *dialect.Scratch) ([]dialect.Claim, error) {
	a := assertions.Get().(*assertion)
	defer a.release()
	if err := a.find(r); err != nil {
		return nil, err
	}
	if err := a.readAuthorization(); err != nil {
		return nil, err
	}
	query, err := appendPairs(a.pairs[:0], r.Query())
	if err == nil {
		err = sortPairs(query)
	}
	if err != nil {
		return nil, err
	}
	if err := a.hear(r); err != nil {
		return nil, err
	}
	text := append(s.Bytes(a.size(r)), a.signature[:]...)
	text = append(append(text, r.Method...), '\n')
	text = append(appendPath(text, r.Path()), '\n')
	head := len(text)
	text = append(appendQuery(text, query, appendName), '\n')
	tail := len(text)
	if text, err = a.appendHeaders(text); err != nil {
		return nil, err
	}
	if text, err = a.appendSum(text, r); err != nil {
		return nil, err
	}
	claims := append(s.Claims(2)[:0], a.claim(text))
	if odd(query) {
		plain := append(s.Bytes(cap(text)), text[:head]...)
		plain = append(appendQuery(plain, query, appendPlain), '\n')
		claims = append(claims, a.claim(append(plain, text[tail:]...)))
	}
	return claims, nil
}

// Names reads Credential.
func (ACS3) Names(r *dialect.Request) string { return dialect.KeyInHeader(r, "Credential") }

// assertions are those that no request needs now: a claim holds on to nothing of one.
var assertions = sync.Pool{New: func() any { return new(assertion) }}

func (a *assertion) release() {
	*a = assertion{}
	assertions.Put(a)
}

// An assertion is what the signer wrote down about its signature.
type assertion struct {
	authorization string
	accessKeyID   string
	nameList      string   // the signed headers, joined by semicolons
	names, values []string // the same, and what they hold
	room, held    [12]string
	pairs         [16]dialect.Parameter // room for the query
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
		if !f.Named("Authorization") {
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
		param, rest, _ = dialect.Cut(rest, ',')
		name, value, _ := dialect.Cut(param, '=')
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
	case !dialect.DecodeHex(a.signature[:], signature):
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
	a.names = a.room[:0]
	for rest, more, last := a.nameList, true, ""; more; {
		var name string
		name, rest, more = dialect.Cut(rest, ';')
		if name <= last || !inName(name) {
			return malformed(CodeSignedHeaders, "SignedHeaders must be names in lower case, sorted, each once, joined by semicolons")
		}
		a.names, last = append(a.names, name), name
	}
	a.values = a.held[:0]
	for range a.names {
		a.values = append(a.values, unheard)
	}
	for _, name := range [...]string{"host", headerSum, headerDate, headerNonce} {
		if !slices.Contains(a.names, name) {
			return malformed(CodeHeaderUnsigned, name+" must be among SignedHeaders")
		}
	}
	return nil
}

// unheard stands for the value of a header that is not there: no value has a line end.
const unheard = "\n"

// inName says whether every character may be in a name in lower case.
func inName(name string) bool {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c > '~' || 'A' <= c && c <= 'Z' || c == ':' || c == ',' {
			return false
		}
	}
	return true
}

// size is what the signature, the canonical request and the string to sign most often take.
func (a *assertion) size(r *dialect.Request) int {
	n := 224 + len(r.Target)*5/4 + 2*len(a.nameList)
	for i := range a.values {
		n += len(a.values[i]) + 1
	}
	return n
}

// appendHeaders appends the signed headers, an empty line and their names, and keeps what
// they say.
func (a *assertion) appendHeaders(b []byte) ([]byte, error) {
	for i, name := range a.names {
		value := a.values[i]
		if value == unheard {
			return nil, malformed(CodeHeaderMissing, `"`+name+`" is among SignedHeaders and not in the request; a proxy may have removed it`)
		}
		b = append(append(b, name...), ':')
		b = append(append(b, value...), '\n')
		if err := a.keep(name, value); err != nil {
			return nil, err
		}
	}
	b = append(b, '\n')
	return append(append(b, a.nameList...), '\n'), nil
}

// keep keeps what a signed header says.
func (a *assertion) keep(name, value string) (err error) {
	switch name {
	case headerDate:
		var ok bool
		if a.at, ok = dialect.ParseStamp(dialect.ExtendedStamp, value); !ok {
			err = malformed(CodeDate, headerDate+" must be a time in UTC as YYYY-MM-DDTHH:MM:SSZ")
		}
	case headerNonce:
		if a.nonce = value; !goodNonce(value) {
			err = malformed(CodeNonce, headerNonce+" must be 1 to 256 printable characters")
		}
	case headerSum:
		a.sum = value
	case headerAPI:
		a.version = value
	case headerToken:
		a.token = value
	}
	return err
}

// hear takes the values of the signed headers, and refuses what would be understood and is
// not signed.
func (a *assertion) hear(r *dialect.Request) error {
	for i := range r.Header {
		f := &r.Header[i]
		j := a.place(f)
		switch {
		case j >= 0 && a.values[j] == unheard:
			a.values[j] = strings.TrimSpace(f.Value)
		case j >= 0:
			a.values[j] = joined(r, f.Name)
		case len(f.Name) >= len(prefixACS) && strings.EqualFold(f.Name[:len(prefixACS)], prefixACS):
			return malformed(CodeHeaderUnsigned, "the header "+strings.ToLower(f.Name)+" must be among SignedHeaders, as every "+prefixACS+" header")
		case len(r.Body) > 0 && f.Named(headerType):
			return malformed(CodeHeaderUnsigned, headerType+" must be among SignedHeaders, where there is a body")
		}
	}
	return nil
}

// place is where a header stands among the signed ones; less than zero if it does not.
func (a *assertion) place(f *dialect.Field) int {
	for j := range a.names {
		if f.Named(a.names[j]) {
			return j
		}
	}
	return -1
}

// joined is the value of a header of several lines: their values sorted, with commas between.
func joined(r *dialect.Request, name string) string {
	values := r.Values(name)
	for i := range values {
		values[i] = strings.TrimSpace(values[i])
	}
	slices.Sort(values)
	return strings.Join(values, ",")
}

// appendSum appends the SHA-256 of the body, which the header has to name.
func (a *assertion) appendSum(b []byte, r *dialect.Request) ([]byte, error) {
	var claimed [sha256.Size]byte
	if !dialect.DecodeHex(claimed[:], a.sum) {
		return nil, malformed(CodePayloadHash, headerSum+" must be the SHA-256 of the body in hexadecimal digits in lower case")
	}
	if claimed != r.SHA256() {
		return nil, malformed(CodePayloadMismatch, headerSum+" is not the SHA-256 of the body that arrived")
	}
	return append(b, a.sum...), nil
}

// claim hands over what was read: text is the signature and the canonical request. The string to
// sign goes behind them, in the same memory where it fits.
func (a *assertion) claim(text []byte) dialect.Claim {
	canonical := text[len(a.signature):]
	sum := sha256.Sum256(canonical)
	all := append(text, acs3+"\n"...)
	all = hex.AppendEncode(all, sum[:])
	toSign := all[len(text):]
	return dialect.Claim{
		Scheme: acs3, AccessKeyID: a.accessKeyID, Service: serviceOf(a.version), SessionToken: a.token, Nonce: a.nonce,
		SignedAt: a.at, Skew: skew,
		Covers: dialect.Method | dialect.Path | dialect.Query | dialect.Body, SignedHeaders: a.nameList,
		Signature: all[:len(a.signature):len(a.signature)], Sign: dialect.SignSHA256,
		CanonicalRequest: all[len(a.signature):len(text):len(text)], // toSign lies behind it
		StringToSign:     toSign,
	}
}

func appendQuery(b []byte, pairs []dialect.Parameter, appendName func([]byte, *dialect.Parameter) []byte) []byte {
	for i := range pairs {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(appendName(b, &pairs[i]), '=')
		b = pairs[i].AppendValue(b, dialect.Once)
	}
	return b
}

func appendName(b []byte, p *dialect.Parameter) []byte { return p.AppendName(b, dialect.Once) }

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
func appendPlain(b []byte, p *dialect.Parameter) []byte {
	s := p.Name
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
func odd(pairs []dialect.Parameter) bool {
	found := false
	for i := range pairs {
		for _, c := range []byte(pairs[i].Name) {
			if c == '&' || c == '=' || c == '%' || c == '+' || c < ' ' {
				return false
			}
			found = found || !dialect.Unreserved(c)
		}
	}
	return found
}
