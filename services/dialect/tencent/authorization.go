package tencent

import (
	"encoding/hex"
	"strings"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
)

// An assertion is what the signer wrote down about its TC3 signature.
type assertion struct {
	accessKeyID string
	day         string // YYYY-MM-DD
	service     string
	scope       string   // DAY/SERVICE/tc3_request
	names       []string // signed headers
	nameList    string   // the same, joined by semicolons
	signature   [32]byte
	stamp       string // the time of signing as signed
	at          time.Time
	token       string
}

// authorization is the value of the Authorization header if it is of this scheme's family.
func authorization(r *dialect.Request) (string, error) {
	value, count, ours := "", 0, false
	for i := range r.Header {
		f := &r.Header[i]
		if len(f.Name) != len("Authorization") || !strings.EqualFold(f.Name, "Authorization") {
			continue
		}
		value = strings.Trim(f.Value, " \t")
		ours = ours || strings.HasPrefix(value, "TC3-")
		count++
	}
	switch {
	case !ours:
		return "", dialect.ErrUnsigned
	case count > 1:
		return "", malformed(CodeTwoAuthorizations, "the request has more than one Authorization header; send one")
	}
	return value, nil
}

func (a *assertion) read(r *dialect.Request, authorization string) error {
	word, rest, _ := strings.Cut(authorization, " ")
	if word != algorithm {
		return malformed(CodeAlgorithm, "the signature algorithm must be TC3-HMAC-SHA256")
	}
	if !strings.HasPrefix(r.Target, "/") {
		return malformed(CodeTarget, "the request target must be a path that begins with a slash")
	}
	t, err := parseTriple(rest)
	if err != nil {
		return err
	}
	if err := a.readTriple(t); err != nil {
		return err
	}
	return a.readHeaders(r)
}

// A triple is what the header consists of.
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

func parseTriple(text string) (t triple, err error) {
	for param := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.Trim(param, " "), "=")
		into := t.field(name)
		switch {
		case into == nil:
			return t, malformed(CodeAuthorization, "Authorization must be TC3-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…")
		case value == "":
			return t, malformed(CodeAuthorization, "Authorization has an empty "+name)
		case *into != "":
			return t, malformed(CodeAuthorization, "Authorization has "+name+" more than once; give it once")
		}
		*into = value
	}
	if t.credential == "" || t.names == "" || t.signature == "" {
		return t, malformed(CodeAuthorization, "Authorization must have Credential, SignedHeaders and Signature")
	}
	return t, nil
}

func (a *assertion) readTriple(t triple) error {
	a.nameList = t.names
	if err := a.readCredential(t.credential); err != nil {
		return err
	}
	if err := a.readNames(); err != nil {
		return err
	}
	return a.readSignature(t.signature)
}

// readCredential reads KEY/YYYY-MM-DD/SERVICE/tc3_request. The service is whatever the client
// took for it: the SDK for Node takes the endpoint up to its first dot.
func (a *assertion) readCredential(s string) error {
	var ok [3]bool
	var last string
	a.accessKeyID, a.scope, ok[0] = strings.Cut(s, "/")
	a.day, last, ok[1] = strings.Cut(a.scope, "/")
	a.service, last, ok[2] = strings.Cut(last, "/")
	if ok != [3]bool{true, true, true} || last != terminator || a.accessKeyID == "" || a.service == "" || len(a.day) != len(time.DateOnly) {
		return malformed(CodeCredential, "Credential must be KEY/YYYY-MM-DD/SERVICE/tc3_request")
	}
	return nil
}

// maxSigned bounds the work that an unknown caller can ask for: each signed header is looked
// for among all headers.
const maxSigned = 64

// readNames wants the list as every signer writes it. Another order would be signed as another
// list, so it could never match.
func (a *assertion) readNames() error {
	if strings.Count(a.nameList, ";") >= maxSigned {
		return malformed(CodeSignedHeaders, "SignedHeaders must not name more than 64 headers")
	}
	a.names = strings.Split(a.nameList, ";")
	previous, contentType, host := "", false, false
	for _, n := range a.names {
		if n <= previous || strings.ToLower(n) != n {
			return malformed(CodeSignedHeaders, "SignedHeaders must be lower-case names, sorted, each once, joined by semicolons")
		}
		previous, contentType, host = n, contentType || n == "content-type", host || n == "host"
	}
	if !contentType || !host {
		return malformed(CodeHeaderUnsigned, "content-type and host must be among SignedHeaders")
	}
	return nil
}

func (a *assertion) readSignature(text string) error {
	_, err := hex.Decode(a.signature[:], []byte(text[:min(len(text), 2*len(a.signature))]))
	if err != nil || len(text) != 2*len(a.signature) || strings.ToLower(text) != text {
		return malformed(CodeSignature, "Signature must be 64 lower-case hexadecimal digits")
	}
	return nil
}

func (a *assertion) readHeaders(r *dialect.Request) (err error) {
	var there bool
	if a.token, _, err = header(r, "X-TC-Token"); err != nil {
		return err
	}
	if a.stamp, there, err = header(r, "X-TC-Timestamp"); err != nil {
		return err
	}
	if !there {
		return malformed(CodeMissingTimestamp, "the request must have an X-TC-Timestamp header, the seconds since 1970")
	}
	if a.at, err = unixTime(a.stamp); err != nil {
		return err
	}
	if a.at.Format(time.DateOnly) != a.day {
		return malformed(CodeScopeDate, "the day in Credential must be the day of X-TC-Timestamp, in UTC")
	}
	return nil
}
