package tencent

import "github.com/keyledger/keyledger/services/dialect"

// Codes of the [dialect.MalformedError] that [TC3], [V1] and [Front.CheckScope] return. They are stable.
const (
	CodeTwoAuthorizations  = "two_authorization_headers"
	CodeAlgorithm          = "unsupported_algorithm" // TC3-… or a SignatureMethod that is not known
	CodeAuthorization      = "bad_authorization"     // not name=value pairs, or an unknown name
	CodeDuplicateParameter = "duplicate_parameter"   // the same parameter twice
	CodeMissingParameter   = "missing_parameter"     // one of the signature is not there, or empty
	CodeCredential         = "bad_credential_scope"  // not KEY/YYYY-MM-DD/SERVICE/tc3_request
	CodeSignedHeaders      = "bad_signed_headers"    // not lower case, sorted, each once
	CodeHeaderUnsigned     = "header_not_signed"     // content-type and host must be signed
	CodeHeaderMissing      = "signed_header_missing" // signed, but not there
	CodeDuplicateHeader    = "duplicate_header"      // a header that must be there once
	CodeSignature          = "bad_signature_form"    // not hex, or not base64, of the right length
	CodeMissingTimestamp   = "missing_timestamp"     // no X-TC-Timestamp
	CodeTimestamp          = "bad_timestamp"         // not seconds since 1970
	CodeScopeDate          = "scope_date_mismatch"   // the scope's day is not the timestamp's
	CodePayload            = "bad_payload_hash"      // X-TC-Content-SHA256 is not UNSIGNED-PAYLOAD
	CodeTarget             = "bad_target"            // the request target is not a path
	CodeQueryUnsigned      = "query_not_signed"      // a POST with a query
	CodeBodyUnsigned       = "body_not_signed"       // a GET with a body, or UNSIGNED-PAYLOAD where keys are managed
	CodeMethod             = "unsupported_method"    // signature v1 is for GET and POST
	CodeHost               = "bad_host"              // none, or one that no host can be
	CodeEncoding           = "bad_encoding"          // a broken percent escape
	CodeParameterName      = "bad_parameter_name"    // not letters, digits, '.', '_' and '-'
	CodeAmbiguous          = "ambiguous_parameters"  // a value that reads like a further parameter
	CodeTooMany            = "too_many_parameters"   // more than 1024
	CodeNonce              = "bad_nonce"             // not a number
	CodeScheme             = "scheme_mismatch"       // signed the way of another vendor
)

func malformed(code, detail string) error {
	return &dialect.MalformedError{Code: code, Detail: detail}
}
