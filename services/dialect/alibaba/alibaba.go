// Package alibaba speaks the dialect of Alibaba Cloud: its request signatures
// (ACS3-HMAC-SHA256, which the vendor calls V3, and the RPC signature of version 1.0,
// HMAC-SHA1) and the part of its RAM and IMS APIs that manages access keys.
//
// The ways in: [ACS3] and [RPC] read signatures, and [Front] is the API.
//
// Limits: the algorithms ACS3-HMAC-SM3 and ACS3-RSA-SHA256, and HMAC-SHA256 under
// version 1.0, are refused. Temporary credentials are not issued; a session token is read
// and passed on unjudged. Of RAM and IMS only what concerns access keys is answered.
package alibaba

import (
	"time"

	"github.com/keyledger/keyledger/services/dialect"
)

// Dialect returns this vendor's line in the table of vendors.
func Dialect() dialect.Dialect {
	return dialect.Dialect{Name: "alibaba", Schemes: []dialect.Scheme{ACS3{}, RPC{}}, Front: Front{}}
}

const (
	// skew is how far a clock may be off, for either signature.
	skew = 15 * time.Minute
	// stampLayout is how the vendor writes times: UTC, whole seconds.
	stampLayout = "2006-01-02T15:04:05Z"
	// maxNonce is how long a nonce may be. The vendor's clients send 32 to 64 characters.
	maxNonce = 256
	// maxParameters bounds the parameters of a request, where a signature has them sorted.
	maxParameters = 512
)

// The two APIs, by their versions.
const (
	versionRAM = "2015-05-01"
	versionIMS = "2019-08-15"
)

// serviceOf is the service of the API with the version, as the vendor spells it where it
// tells what a key was last used for; empty for other versions.
func serviceOf(version string) string {
	switch version {
	case versionRAM:
		return "Ram"
	case versionIMS:
		return "Ims"
	}
	return ""
}

// goodNonce says whether a nonce can be told from others: 1 to 256 printable ASCII characters.
func goodNonce(text string) bool {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return false
		}
	}
	return text != "" && len(text) <= maxNonce
}
