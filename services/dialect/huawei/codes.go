package huawei

import "github.com/keyledger/keyledger/services/dialect"

// Codes of the [dialect.MalformedError] that the schemes and the front return. They
// are stable.
const (
	CodeTwoAuthorizations  = "two_authorization_headers"
	CodeAlgorithm          = "unsupported_algorithm"  // SDK-… or V11-… but neither of the two
	CodeAuthorization      = "bad_authorization"      // not name=value pairs, or an unknown name
	CodeDuplicateParameter = "duplicate_parameter"    // the same parameter twice
	CodeMissingParameter   = "missing_parameter"      // Access or Credential, SignedHeaders, Signature
	CodeCredential         = "bad_credential_scope"   // V11: not KEY/DAY/REGION/SERVICE
	CodeSignedHeaders      = "bad_signed_headers"     // not lower case, sorted, each once
	CodeSignature          = "bad_signature_form"     // not 64 lower-case hex digits
	CodeHeaderMissing      = "signed_header_missing"  // signed, but not there
	CodeDuplicateHeader    = "duplicate_header"       // a header that must be there once
	CodeMissingDate        = "missing_date"           // no X-Sdk-Date
	CodeDate               = "bad_date"               // not YYYYMMDDTHHMMSSZ
	CodeScopeDate          = "scope_date_mismatch"    // V11: the scope's day is not the date's
	CodeTarget             = "bad_target"             // the request target is not a path
	CodeEncoding           = "bad_encoding"           // a broken percent escape
	CodePayloadHash        = "bad_payload_hash"       // X-Sdk-Content-Sha256 is no hash and not UNSIGNED-PAYLOAD
	CodePayloadMismatch    = "payload_hash_mismatch"  // X-Sdk-Content-Sha256 is not the body's hash
	CodePayloadUnsigned    = "payload_not_signed"     // it would manage keys with a body that anyone can change
	CodePresigned          = "unsupported_presigned"  // presigned, and it would manage keys
	CodeScopeService       = "scope_service_mismatch" // made for another service than iam
)

func malformed(code, detail string) error {
	return &dialect.MalformedError{Code: code, Detail: detail}
}
