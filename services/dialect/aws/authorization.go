package aws

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
)

const (
	terminator  = "aws4_request"
	stampLayout = "20060102T150405Z"
)

// A credential says which key signed, and for what.
type credential struct {
	accessKeyID, day, region, service string
	scope                             string // DAY/REGION/SERVICE/aws4_request
}

// parseCredential reads KEY/DAY/REGION/SERVICE/aws4_request.
func parseCredential(s string) (credential, error) {
	var c credential
	var ok [4]bool
	var last string
	c.accessKeyID, c.scope, ok[0] = strings.Cut(s, "/")
	c.day, last, ok[1] = strings.Cut(c.scope, "/")
	c.region, last, ok[2] = strings.Cut(last, "/")
	c.service, last, ok[3] = strings.Cut(last, "/")
	if ok != [4]bool{true, true, true, true} || last != terminator ||
		c.accessKeyID == "" || len(c.day) != 8 || c.region == "" || c.service == "" {
		return c, malformed(CodeCredential, "Credential must be KEY/YYYYMMDD/REGION/SERVICE/aws4_request")
	}
	return c, nil
}

// A triple is what both forms of a signature consist of.
type triple struct{ credential, names, signature string }

// field returns where the parameter of that name belongs, or nil.
func (t *triple) field(name string) *string {
	switch name {
	case "Credential":
		return &t.credential
	case "SignedHeaders":
		return &t.names
	case "Signature":
		return &t.signature
	}
	return nil
}

// readAuthorization reads the header form. Parameters are separated by commas,
// with or without spaces.
func (a *assertion) readAuthorization(h *headers) error {
	word, rest, _ := strings.Cut(h.authorization, " ")
	if word != algorithm {
		return malformed(CodeAlgorithm, "the signature algorithm must be AWS4-HMAC-SHA256")
	}
	t, err := parseTriple(rest)
	if err != nil {
		return err
	}
	if err := a.readTriple(t); err != nil {
		return err
	}
	a.token = h.token.value
	return a.readHeaderDate(h)
}

func parseTriple(params string) (t triple, err error) {
	for param := range strings.SplitSeq(params, ",") {
		name, value, _ := strings.Cut(strings.Trim(param, " "), "=")
		into := t.field(name)
		switch {
		case into == nil:
			return t, malformed(CodeAuthorization, "Authorization must be AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…")
		case value == "":
			return t, malformed(CodeMissingParameter, "Authorization has an empty "+name)
		case *into != "":
			return t, malformed(CodeDuplicateParameter, "Authorization has "+name+" more than once; give it once")
		}
		*into = value
	}
	return t, nil
}

func (a *assertion) readTriple(t triple) (err error) {
	if t.credential == "" || t.names == "" || t.signature == "" {
		return malformed(CodeMissingParameter, "Credential, SignedHeaders and Signature must all be given and not be empty")
	}
	if a.credential, err = parseCredential(t.credential); err != nil {
		return err
	}
	if !isHash(t.signature) {
		return malformed(CodeSignature, "Signature must be 64 lower-case hexadecimal digits")
	}
	if strings.Count(t.names, ";") >= maxSigned {
		return malformed(CodeSignedHeaders, "SignedHeaders must not name more than 128 headers")
	}
	a.signature, a.nameList, a.names = t.signature, t.names, strings.Split(t.names, ";")
	return checkNames(a.names)
}

// maxSigned bounds the work that an unknown caller can ask for: each signed
// header is looked for among all headers.
const maxSigned = 128

// checkNames wants the list as every signer writes it. Another order would be
// signed as another list, so it could never match.
func checkNames(names []string) error {
	previous, host := "", false
	for _, n := range names {
		if n <= previous || strings.ToLower(n) != n {
			return malformed(CodeSignedHeaders, "SignedHeaders must be lower-case names, sorted, each once, joined by semicolons")
		}
		previous, host = n, host || n == "host"
	}
	if !host {
		return malformed(CodeHostUnsigned, "host must be among SignedHeaders")
	}
	return nil
}

func isHash(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// readHeaderDate takes X-Amz-Date, else Date in either of its spellings.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html
func (a *assertion) readHeaderDate(h *headers) error {
	if h.amzDate.there {
		return a.readStamp(h.amzDate.value)
	}
	if !h.date.there {
		return malformed(CodeMissingDate, "the request must have an X-Amz-Date header, YYYYMMDDTHHMMSSZ")
	}
	if at, err := time.Parse(http.TimeFormat, h.date.value); err == nil {
		return a.readStamp(at.Format(stampLayout))
	}
	return a.readStamp(h.date.value)
}

func (a *assertion) readStamp(stamp string) error {
	at, ok := dialect.ParseStamp(dialect.BasicStamp, stamp)
	if !ok {
		return malformed(CodeDate, "the date must be UTC in the form YYYYMMDDTHHMMSSZ")
	}
	if stamp[:8] != a.day {
		return malformed(CodeScopeDate, "the day in Credential must be the day of the date")
	}
	a.stamp, a.at = stamp, at
	return nil
}

// signedByQuery reports whether a raw query carries a signature.
func signedByQuery(raw string) bool {
	if !strings.Contains(raw, "X-Amz-") {
		return false
	}
	for param := range strings.SplitSeq(raw, "&") {
		switch name, _, _ := strings.Cut(param, "="); name {
		case "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature":
			return true
		}
	}
	return false
}

// readPresigned reads the query form, and takes the signature out of the query
// that was signed.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func (a *assertion) readPresigned() error {
	p, err := a.takePresigned()
	if err != nil {
		return err
	}
	if p.algorithm != algorithm {
		return malformed(CodeAlgorithm, "X-Amz-Algorithm must be AWS4-HMAC-SHA256")
	}
	if err := a.readTriple(p.triple); err != nil {
		return err
	}
	a.presigned, a.token, a.contentHash = true, p.token, p.contentHash
	if p.date == "" {
		return malformed(CodeMissingDate, "a presigned request must have X-Amz-Date, YYYYMMDDTHHMMSSZ")
	}
	if err := a.readStamp(p.date); err != nil {
		return err
	}
	return a.readExpires(p.expires)
}

// presigned is the query parameters of a presigned request, decoded.
type presigned struct {
	triple
	algorithm, date, expires, token, contentHash string
}

func (p *presigned) field(name string) *string {
	switch name {
	case "X-Amz-Algorithm":
		return &p.algorithm
	case "X-Amz-Date":
		return &p.date
	case "X-Amz-Expires":
		return &p.expires
	case "X-Amz-Security-Token":
		return &p.token
	case "X-Amz-Content-Sha256":
		return &p.contentHash
	}
	if name, ok := strings.CutPrefix(name, "X-Amz-"); ok {
		return p.triple.field(name)
	}
	return nil
}

func (a *assertion) takePresigned() (presigned, error) {
	var p presigned
	rest := a.query[:0]
	previous := ""
	for _, q := range a.query {
		into := p.field(q.name)
		if into != nil && q.name == previous {
			return p, malformed(CodeDuplicateParameter, "the query has "+q.name+" more than once; give it once")
		}
		if into != nil {
			*into, _ = url.QueryUnescape(q.value) // canonical, so it decodes
		}
		if previous = q.name; previous != "X-Amz-Signature" {
			rest = append(rest, q)
		}
	}
	a.query = rest
	return p, nil
}

func (a *assertion) readExpires(s string) error {
	if s == "" && a.service != serviceS3 {
		a.lifetime = presignedLife
		return nil
	}
	n, err := strconv.ParseUint(s, 10, 32)
	a.lifetime = time.Duration(n) * time.Second
	if err != nil || n == 0 || a.lifetime > presignedMax {
		return malformed(CodeExpires, "X-Amz-Expires must be a number of seconds from 1 to 604800")
	}
	return nil
}
