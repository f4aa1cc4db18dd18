package aws

import "github.com/keyledger/keyledger/services/dialect"

// Codes of the [dialect.MalformedError] that [SigV4] returns. They are stable.
const (
	CodeTwoAuthorizations    = "two_authorization_headers"
	CodeTwoMethods           = "two_authentications"    // header and query at once
	CodeAlgorithm            = "unsupported_algorithm"  // AWS4-… but not AWS4-HMAC-SHA256
	CodeAuthorization        = "bad_authorization"      // not name=value pairs, or an unknown name
	CodeDuplicateParameter   = "duplicate_parameter"    // the same parameter twice
	CodeMissingParameter     = "missing_parameter"      // Credential, SignedHeaders or Signature
	CodeCredential           = "bad_credential_scope"   // not KEY/DAY/REGION/SERVICE/aws4_request
	CodeSignedHeaders        = "bad_signed_headers"     // not lower case, sorted, each once
	CodeSignature            = "bad_signature_form"     // not 64 lower-case hex digits
	CodeHostUnsigned         = "host_not_signed"        // host must be among SignedHeaders
	CodeHeaderUnsigned       = "header_not_signed"      // an x-amz- header that is not signed
	CodeHeaderMissing        = "signed_header_missing"  // signed, but not there
	CodeDuplicateHeader      = "duplicate_header"       // a header that must be there once
	CodeMissingDate          = "missing_date"           // neither X-Amz-Date nor Date
	CodeDate                 = "bad_date"               // not YYYYMMDDTHHMMSSZ
	CodeScopeDate            = "scope_date_mismatch"    // the scope's day is not the date's
	CodeExpires              = "bad_expires"            // X-Amz-Expires not 1 to 604800
	CodeTarget               = "bad_target"             // the request target is not a path
	CodeEncoding             = "bad_encoding"           // a broken percent escape
	CodePayloadHash          = "bad_payload_hash"       // x-amz-content-sha256 is no hash and no known word
	CodePayloadMismatch      = "payload_hash_mismatch"  // x-amz-content-sha256 is not the body's hash
	CodePayloadChunks        = "bad_chunks"             // a body in chunks that are not as they must be
	CodePresignedUnsupported = "unsupported_presigned"  // presigned, and it would manage keys
	CodePayloadUnsupported   = "unsupported_payload"    // a payload form that is not read here
	CodeScopeService         = "scope_service_mismatch" // scoped to another service; see CheckScope
)

func malformed(code, detail string) error {
	return &dialect.MalformedError{Code: code, Detail: detail}
}
