package alibaba

import "github.com/keyledger/keyledger/services/dialect"

// Codes of the [dialect.MalformedError] that [ACS3] and [RPC] return. They are stable.
const (
	CodeTwoAuthorizations  = "two_authorization_headers"
	CodeTwoMethods         = "two_authentications"    // an Authorization header and a Signature parameter
	CodeAlgorithm          = "unsupported_algorithm"  // ACS3-... but not ACS3-HMAC-SHA256, or another SignatureMethod
	CodeSignatureVersion   = "unsupported_version"    // SignatureVersion is not 1.0
	CodeAuthorization      = "bad_authorization"      // not Credential, SignedHeaders and Signature, each once
	CodeCredential         = "bad_credential"         // not an access key ID
	CodeSignedHeaders      = "bad_signed_headers"     // not lower case, sorted, each once
	CodeSignature          = "bad_signature_form"     // not hexadecimal, or not base64
	CodeHeaderUnsigned     = "header_not_signed"      // one that must be is not
	CodeHeaderMissing      = "signed_header_missing"  // signed, but not there
	CodeDuplicateHeader    = "duplicate_header"       // a header that must be there once
	CodeMissingParameter   = "missing_parameter"      // a common parameter of the RPC signature
	CodeDuplicateParameter = "duplicate_parameter"    // the same parameter twice
	CodeParameters         = "too_many_parameters"    // more than 512
	CodeDate               = "bad_date"               // not YYYY-MM-DDTHH:MM:SSZ
	CodeNonce              = "bad_nonce"              // none, or not 1 to 256 printable characters
	CodeTarget             = "bad_target"             // the request target is not a path
	CodeEncoding           = "bad_encoding"           // a broken percent escape
	CodePayloadHash        = "bad_payload_hash"       // x-acs-content-sha256 is no SHA-256
	CodePayloadMismatch    = "payload_hash_mismatch"  // x-acs-content-sha256 is not the body's
	CodeBodyUnsigned       = "body_not_signed"        // a body that the RPC signature does not cover; see CheckScope
	CodeNotThisAPI         = "signature_of_other_api" // see CheckScope
)

func malformed(code, detail string) error {
	return &dialect.MalformedError{Code: code, Detail: detail}
}
