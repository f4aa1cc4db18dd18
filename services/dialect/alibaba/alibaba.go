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

// parseStamp reads a time of signing: a fixed form, which takes a fifth of the time that
// time.Parse needs for it.
func parseStamp(text string) (time.Time, bool) {
	var n [6]int // year, month, day, hour, minute, second
	part := 0
	for i := range len(stampLayout) {
		switch want := stampLayout[i]; {
		case i >= len(text):
			return time.Time{}, false
		case want < '0' || want > '9':
			if text[i] != want {
				return time.Time{}, false
			}
			part++
		case text[i] < '0' || text[i] > '9':
			return time.Time{}, false
		default:
			n[part] = n[part]*10 + int(text[i]-'0')
		}
	}
	at := time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], 0, time.UTC)
	y, m, d := at.Date() // what is no date, as a 31st of June, has become another
	same := y == n[0] && int(m) == n[1] && d == n[2] && at.Hour() == n[3] && at.Minute() == n[4] && at.Second() == n[5]
	return at, same && len(text) == len(stampLayout)
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
