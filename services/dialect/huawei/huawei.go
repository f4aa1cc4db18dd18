// Package huawei speaks the dialect of Huawei Cloud: its two request signatures
// (SDK-HMAC-SHA256, and V11-HMAC-SHA256 with a key derived for a region and a
// service) and the part of its IAM API that manages access keys, versions 3 and 5.
//
// The ways in: [SDKHMAC] and [V11HMAC] read signatures, and [Front] is the API.
//
// Limits: the SM3, SM2 and ECDSA variants of the signature are not read, tokens
// (X-Auth-Token) are not issued or taken, and of IAM nothing but access keys and the
// list of the caller's domains is answered.
package huawei

import (
	"time"

	"github.com/keyledger/keyledger/services/dialect"
)

// Dialect returns this vendor's line in the table of vendors.
func Dialect() dialect.Dialect {
	return dialect.Dialect{
		Name: "huawei", Schemes: []dialect.Scheme{SDKHMAC{}, V11HMAC{}}, Front: Front{},
		Lockout: dialect.Lockout{Failures: 5, For: 5 * time.Minute}, // as the pages of API Gateway on errors have it
	}
}

// skew is how far a clock may be off.
// https://support.huaweicloud.com/api-apig/apig-api-180713006.html
const skew = 15 * time.Minute
