package dialect

import "strings"

// maxNamed is the longest access key ID that a malformed request is taken to name, in bytes.
const maxNamed = 128

// named is the error with the key that r names; schemes may share the error itself.
func (e *MalformedError) named(scheme Scheme, r *Request) *MalformedError {
	named := *e
	named.Scheme = scheme.Name()
	if id := scheme.Names(r); len(id) <= maxNamed {
		named.AccessKeyID = strings.Clone(id) // it is a part of the request
	}
	return &named
}

// KeyInHeader is what a parameter of the Authorization header holds up to its first slash, which ends an access key ID in every
// scheme that has such parameters: "WORD Credential=KEY/SCOPE, ...". Empty if there is none, or more than one header, or if
// the parameter comes again with another key.
func KeyInHeader(r *Request, parameter string) (id string) {
	_, params, _ := strings.Cut(onlyAuthorization(r), " ")
	for param := range strings.SplitSeq(params, ",") {
		name, value, _ := strings.Cut(strings.Trim(param, " "), "=")
		if name != parameter {
			continue
		}
		key, _, _ := strings.Cut(value, "/")
		if id != "" && key != id {
			return ""
		}
		id = key
	}
	return id
}

// KeyBefore is what stands behind the word of an Authorization header and before a colon: "WORD KEY:SIGNATURE". Empty as with
// [KeyInHeader].
func KeyBefore(r *Request, word string) string {
	text, ours := strings.CutPrefix(onlyAuthorization(r), word+" ")
	if !ours {
		return ""
	}
	id, _, _ := strings.Cut(text, ":")
	return id
}

// KeyInText is what a parameter of a query or a form holds, unescaped, up to its first slash; empty if there is none, or if it
// comes again with another key.
func KeyInText(text, parameter string) (id string) {
	for param := range strings.SplitSeq(text, "&") {
		name, raw, _ := strings.Cut(param, "=")
		if name, _ = Unescape(name); name != parameter {
			continue
		}
		value, _ := Unescape(raw)
		key, _, _ := strings.Cut(value, "/")
		if id != "" && key != id {
			return ""
		}
		id = key
	}
	return id
}

// EitherKey is whichever of two keys is named; neither if they differ.
func EitherKey(a, b string) string {
	if a == "" || a == b {
		return b
	}
	if b == "" {
		return a
	}
	return ""
}

func onlyAuthorization(r *Request) (value string) {
	n := 0
	for i := range r.Header {
		if f := &r.Header[i]; f.Named("Authorization") {
			value = strings.Trim(f.Value, " \t")
			n++
		}
	}
	if n != 1 {
		return ""
	}
	return value
}
