// Package objectstore is what the object stores of several vendors have in common on the
// wire: Signature Version 2, which Amazon S3 had first and Huawei OBS has under a word of its
// own, and answers that are errors in XML.
//
// The ways in: a [V2] reads signatures, and a [Front] answers requests. A vendor
// fills both in with its own words.
//
// Limits: there are no buckets here. A request is verified and then answered with what the
// vendor says of a bucket that does not exist, or of what it does not do. The Policy form of a
// signed URL is not read.
package objectstore

import "github.com/keyledger/keyledger/services/dialect"

// Codes of the [dialect.MalformedError] that [V2] returns. They are stable.
const (
	CodeTwoAuthorizations  = "two_authorization_headers"
	CodeTwoMethods         = "two_authentications"    // header and query at once
	CodeAuthorization      = "bad_authorization"      // not KEY:SIGNATURE
	CodeDuplicateParameter = "duplicate_parameter"    // the same signed parameter twice
	CodeMissingParameter   = "missing_parameter"      // of a signed URL: key, Expires or Signature
	CodePolicy             = "unsupported_policy"     // a signed URL with Policy instead of Expires
	CodeSignature          = "bad_signature_form"     // not the base64 of 20 bytes
	CodeDuplicateHeader    = "duplicate_header"       // a header that must be there once
	CodeMissingDate        = "missing_date"           // no date header
	CodeDate               = "bad_date"               // not a date of HTTP
	CodeExpires            = "bad_expires"            // not a number of seconds
	CodeTarget             = "bad_target"             // the request target is not a path
	CodeEncoding           = "bad_encoding"           // a broken percent escape
	CodeDigest             = "content_md5_mismatch"   // Content-MD5 is not the body's
	CodeDigestForm         = "bad_content_md5"        // Content-MD5 is not the base64 of 16 bytes
	CodeScopeService       = "scope_service_mismatch" // made for another service
)

func malformed(code, detail string) error {
	return &dialect.MalformedError{Code: code, Detail: detail}
}
