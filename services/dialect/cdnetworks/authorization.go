package cdnetworks

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
)

// authorization is the value of the Authorization header if it is of this scheme's family.
func authorization(r *dialect.Request) (string, error) {
	value, count, ours := "", 0, false
	for i := range r.Header {
		f := &r.Header[i]
		if !f.Named("Authorization") {
			continue
		}
		value = strings.Trim(f.Value, " \t")
		ours = ours || strings.HasPrefix(value, "CNC-")
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

// An assertion is what the signer wrote down about its signature.
type assertion struct {
	accessKeyID string
	nameList    string // the signed headers, joined by semicolons
	signature   [32]byte
	nonce       string // the signature in lower case
	stamp       string // the time of signing as signed
	at          time.Time
}

func (a *assertion) read(r *dialect.Request, authorization string) error {
	word, rest, _ := strings.Cut(authorization, " ")
	if word != algorithm {
		return malformed(CodeAlgorithm, "the signature algorithm must be CNC-HMAC-SHA256")
	}
	if !strings.HasPrefix(r.Target, "/") {
		return malformed(CodeTarget, "the request target must be a path that begins with a slash")
	}
	signature, err := a.readParameters(rest)
	if err != nil {
		return err
	}
	if err := checkNames(a.nameList); err != nil {
		return err
	}
	if err := a.readSignature(signature); err != nil {
		return err
	}
	return a.readHeaders(r)
}

func (a *assertion) readParameters(text string) (signature string, err error) {
	for param := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.Trim(param, " "), "=")
		var into *string
		switch name {
		case "Credential":
			into = &a.accessKeyID
		case "SignedHeaders":
			into = &a.nameList
		case "Signature":
			into = &signature
		}
		if into == nil || *into != "" || value == "" {
			return "", errAuthorization
		}
		*into = value
	}
	if a.accessKeyID == "" || a.nameList == "" || signature == "" {
		return "", errAuthorization
	}
	return signature, nil
}

var errAuthorization = malformed(CodeAuthorization, "Authorization must be CNC-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…, each once")

// maxSigned bounds the work that an unknown caller can ask for: each signed header is looked for among all
// headers.
const maxSigned = 64

// checkNames wants the list as every signer writes it. Another order would be signed as another list, so it could
// never match.
func checkNames(list string) error {
	if strings.Count(list, ";") >= maxSigned {
		return malformed(CodeSignedHeaders, "SignedHeaders must not name more than 64 headers")
	}
	previous, contentType, host := "", false, false
	for n := range strings.SplitSeq(list, ";") {
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

// readSignature takes both cases: at least one public client writes upper case.
func (a *assertion) readSignature(text string) error {
	oneCase := strings.ToLower(text) == text || strings.ToUpper(text) == text
	if len(text) != 2*len(a.signature) || !oneCase {
		return errSignature
	}
	if _, err := hex.Decode(a.signature[:], []byte(text)); err != nil {
		return errSignature
	}
	a.nonce = strings.ToLower(text)
	return nil
}

var errSignature = malformed(CodeSignature, "Signature must be 64 hexadecimal digits, all in lower case or all in upper case")

func (a *assertion) readHeaders(r *dialect.Request) error {
	id, _, err := header(r, "x-cnc-accessKey")
	if err != nil {
		return err
	}
	if id != a.accessKeyID {
		return malformed(CodeAccessKey, "the x-cnc-accessKey header must be sent and name the key of the Credential")
	}
	method, _, err := header(r, "x-cnc-auth-method")
	if err != nil {
		return err
	}
	if method != "AKSK" {
		return malformed(CodeAuthMethod, "the x-cnc-auth-method header must be AKSK")
	}
	var there bool
	if a.stamp, there, err = header(r, "x-cnc-timestamp"); err != nil {
		return err
	}
	if !there {
		return malformed(CodeMissingTimestamp, "the request must have an x-cnc-timestamp header, the seconds since 1970")
	}
	n, err := strconv.ParseInt(a.stamp, 10, 64)
	if err != nil || len(a.stamp) > 11 || a.stamp[0] < '1' || a.stamp[0] > '9' {
		return malformed(CodeTimestamp, "x-cnc-timestamp must be the seconds since 1970, UTC, in decimal digits")
	}
	a.at = time.Unix(n, 0).UTC()
	return nil
}

// header returns the value of a header that may be there once, without the space around it.
func header(r *dialect.Request, name string) (value string, there bool, err error) {
	for i := range r.Header {
		f := &r.Header[i]
		if !f.Named(name) {
			continue
		}
		if there {
			return "", true, malformed(CodeDuplicateHeader, "the request has "+quoted(name)+" more than once; send it once")
		}
		value, there = strings.Trim(f.Value, " \t"), true
	}
	return value, there, nil
}

// quoted returns a header name fit for a message, whatever the caller sent.
func quoted(name string) string {
	if len(name) > 64 {
		return "a header"
	}
	return strconv.Quote(strings.ToLower(name))
}
