package huawei

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/keyledger/keyledger/services/dialect"
)

// stampLayout is how the vendor writes times: UTC, whole seconds.
const stampLayout = "20060102T150405Z"

const (
	// maxSigned bounds the work that an unknown caller can ask for: each signed
	// header is looked for among all headers.
	maxSigned = 128
	// maxKeyID bounds an access key ID, in bytes.
	maxKeyID = 128
)

// A triple is what a signature consists of.
type triple struct{ key, names, signature string }

// field returns where the parameter of that name belongs, or nil.
func (a *assertion) field(t *triple, name string) *string {
	switch {
	case name == "SignedHeaders":
		return &t.names
	case name == "Signature":
		return &t.signature
	case name == a.keyParameter():
		return &t.key
	}
	return nil
}

// keyParameter is the name under which an algorithm names the key.
func (a *assertion) keyParameter() string {
	if a.algorithm == algorithmV11 {
		return "Credential"
	}
	return "Access"
}

// readAuthorization reads ALGORITHM Access=KEY, SignedHeaders=a;b, Signature=HEX. Parameters
// are separated by commas, with or without spaces.
func (a *assertion) readAuthorization(value string) error {
	word, rest, _ := strings.Cut(value, " ")
	if word != algorithmSDK && word != algorithmV11 {
		return malformed(CodeAlgorithm, "the signature algorithm must be SDK-HMAC-SHA256 or V11-HMAC-SHA256")
	}
	a.algorithm = word
	var t triple
	for more := true; more; {
		var param string
		param, rest, more = dialect.Cut(rest, ',')
		name, value, _ := dialect.Cut(strings.Trim(param, " "), '=')
		into := a.field(&t, name)
		switch {
		case into == nil:
			return malformed(CodeAuthorization, "Authorization must be "+word+" "+a.keyParameter()+"=…, SignedHeaders=…, Signature=…")
		case value == "":
			return malformed(CodeMissingParameter, "Authorization has an empty "+name)
		case *into != "":
			return malformed(CodeDuplicateParameter, "Authorization has "+name+" more than once; give it once")
		}
		*into = value
	}
	return a.readTriple(t)
}

func (a *assertion) readTriple(t triple) error {
	switch {
	case t.key == "" || t.names == "" || t.signature == "":
		return malformed(CodeMissingParameter, a.keyParameter()+", SignedHeaders and Signature must all be given and not be empty")
	case !decodeHash(&a.signature, t.signature):
		return malformed(CodeSignature, "Signature must be 64 lower-case hexadecimal digits")
	case strings.Count(t.names, ";") >= maxSigned:
		return malformed(CodeSignedHeaders, "SignedHeaders must not name more than 128 headers")
	}
	a.accessKeyID = t.key
	if a.algorithm == algorithmV11 {
		if err := a.readCredential(t.key); err != nil {
			return err
		}
	}
	if len(a.accessKeyID) > maxKeyID {
		return malformed(CodeAuthorization, "the access key ID must not be longer than 128 characters")
	}
	a.names = t.names
	return checkNames(a.names)
}

// readCredential reads KEY/DAY/REGION/SERVICE.
func (a *assertion) readCredential(s string) error {
	var ok [3]bool
	var rest string
	a.accessKeyID, a.scope, ok[0] = strings.Cut(s, "/")
	a.day, rest, ok[1] = strings.Cut(a.scope, "/")
	a.region, a.service, ok[2] = strings.Cut(rest, "/")
	if ok != [3]bool{true, true, true} || strings.Contains(a.service, "/") ||
		a.accessKeyID == "" || len(a.day) != 8 || a.region == "" || a.service == "" {
		return malformed(CodeCredential, "Credential must be KEY/YYYYMMDD/REGION/SERVICE")
	}
	return nil
}

// checkNames wants the list as every signer writes it. Another order would be
// signed as another list, so it could never match.
func checkNames(names string) error {
	previous := ""
	for more := true; more; {
		var n string
		n, names, more = dialect.Cut(names, ';')
		if n <= previous || strings.ToLower(n) != n {
			return malformed(CodeSignedHeaders, "SignedHeaders must be lower-case names, sorted, each once, joined by semicolons")
		}
		previous = n
	}
	return nil
}

func (a *assertion) readStamp(date line) error {
	if !date.there {
		return malformed(CodeMissingDate, "the request must have an X-Sdk-Date header, YYYYMMDDTHHMMSSZ")
	}
	at, ok := dialect.ParseStamp(dialect.BasicStamp, date.value)
	if !ok {
		return malformed(CodeDate, "X-Sdk-Date must be UTC in the form YYYYMMDDTHHMMSSZ")
	}
	if a.scope != "" && date.value[:8] != a.day {
		return malformed(CodeScopeDate, "the day in Credential must be the day of X-Sdk-Date")
	}
	a.stamp, a.at = date.value, at
	return nil
}

// decodeHash decodes 64 hexadecimal digits in lower case.
func decodeHash(sum *[sha256.Size]byte, text string) bool {
	if len(text) != 2*len(sum) || strings.ToLower(text) != text {
		return false
	}
	_, err := hex.Decode(sum[:], []byte(text))
	return err == nil
}
