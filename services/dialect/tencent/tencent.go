// Package tencent speaks the dialect of Tencent Cloud: its request signatures
// (TC3-HMAC-SHA256, and the older HmacSHA1 and HmacSHA256) and the operations of its
// CAM API, version 2019-01-16, that manage access keys.
//
// The ways in: [TC3] and [V1] read signatures, and [Front] is the API.
//
// Limits: the API is served at the path "/" only, where every client of this vendor
// sends. Temporary credentials are not issued; their token is read and passed on unjudged.
// TC3 signs neither the operation nor the version unless the client says so (no SDK does), so that
// whoever holds a captured request may ask for another operation with it until its window ends.
package tencent

import (
	"strconv"
	"strings"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
)

// Dialect returns this vendor's line in the table of vendors.
func Dialect() dialect.Dialect {
	return dialect.Dialect{Name: "tencent", Schemes: []dialect.Scheme{TC3{}, V1{SHA256: true}, V1{}}, Front: Front{}}
}

// skew is how far a clock may be off: AuthFailure.SignatureExpire comes beyond five minutes.
// https://www.tencentcloud.com/document/api/598/33163
const skew = 5 * time.Minute

// unixTime reads the seconds since 1970 that both signatures carry.
func unixTime(text string) (time.Time, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || len(text) > 11 || text[0] < '1' || text[0] > '9' {
		return time.Time{}, malformed(CodeTimestamp, "the timestamp must be the seconds since 1970, UTC, in decimal digits")
	}
	return time.Unix(n, 0).UTC(), nil
}

// header returns the value of a header that may be there once, without the space around it.
func header(r *dialect.Request, name string) (value string, there bool, err error) {
	for i := range r.Header {
		f := &r.Header[i]
		if !f.Named(name) {
			continue
		}
		if there {
			return "", true, malformed(CodeDuplicateHeader, "the request has "+quoted(name)+" more than once; send it once")
		}
		value, there = strings.Trim(f.Value, " \t"), true
	}
	return value, there, nil
}

// quoted returns a header name fit for a message, whatever the caller sent.
func quoted(name string) string {
	if len(name) > 64 {
		return "a header"
	}
	return strconv.Quote(strings.ToLower(name))
}
