// Package cdnetworks speaks the dialect of CDNetworks, and of Wangsu, whose signing is the same: its request signature
// CNC-HMAC-SHA256. The vendor has no API on access keys; keys are managed by the native API.
//
// The ways in: [CNC] reads signatures, and [Front] answers signed requests.
//
// Limits: the signature covers little. The query of a POST is not signed; any other query is signed decoded, so that
// an escaped '&' or '=' is as good as a plain one; header values are signed in lower case. What is not
// covered, the claim does not claim. Its older sibling WS3-HMAC-SHA256 is not read.
package cdnetworks

import (
	"time"

	"github.com/keyledger/keyledger/services/dialect"
)

// Dialect returns this vendor's line in the table of vendors.
func Dialect() dialect.Dialect {
	return dialect.Dialect{Name: "cdnetworks", Schemes: []dialect.Scheme{CNC{}}, Front: Front{}}
}

// skew is how far a clock may be off.
// https://documents.cdnetworks.com/document/api-doc/ak-sk-authentication
const skew = 5 * time.Minute

// Codes of the [dialect.MalformedError] that [CNC] and [Front.CheckScope] return. They are stable.
const (
	CodeTwoAuthorizations = "two_authorization_headers"
	CodeAlgorithm         = "unsupported_algorithm"   // CNC-… but not CNC-HMAC-SHA256
	CodeAuthorization     = "bad_authorization"       // not Credential, SignedHeaders and Signature, each once
	CodeSignedHeaders     = "bad_signed_headers"      // not lower case, sorted, each once
	CodeHeaderUnsigned    = "header_not_signed"       // content-type and host must be signed
	CodeHeaderMissing     = "signed_header_missing"   // signed, but not there
	CodeDuplicateHeader   = "duplicate_header"        // a header that must be there once
	CodeSignature         = "bad_signature_form"      // not 64 hex digits, all lower case or all upper case
	CodeAccessKey         = "access_key_differs"      // x-cnc-accessKey is not there, or not the Credential
	CodeAuthMethod        = "unsupported_auth_method" // x-cnc-auth-method is not AKSK
	CodeMissingTimestamp  = "missing_timestamp"       // no x-cnc-timestamp
	CodeTimestamp         = "bad_timestamp"           // not seconds since 1970
	CodeTarget            = "bad_target"              // the request target is not a path
	CodeEncoding          = "bad_encoding"            // a broken percent escape
	CodeBodyUnsigned      = "body_not_signed"         // a GET with a body
	CodeScheme            = "scheme_mismatch"         // signed the way of another vendor
)

func malformed(code, detail string) error {
	return &dialect.MalformedError{Code: code, Detail: detail}
}
