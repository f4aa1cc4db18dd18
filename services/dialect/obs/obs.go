// Package obs speaks the dialect of Huawei's object storage, OBS: its signature, in the
// Authorization header and in signed URLs, and its errors.
//
// The ways in: [Scheme] reads signatures, and [Front] answers requests.
//
// Limits: its keys are those of Huawei Cloud's IAM, managed through package huawei. Its clients
// can be told, and without being told decide for some endpoints, to sign as clients of Amazon S3 do; what
// they send then is S3's, and package aws reads it. There are no buckets.
package obs

import (
	"strings"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/objectstore"
)

// Scheme reads the vendor's signature.
// https://support.huaweicloud.com/intl/en-us/api-obs/obs_04_0010.html
var Scheme = objectstore.V2{
	Scheme: "OBS-HMAC-SHA1", Word: "OBS", Prefix: "x-obs-", KeyParameter: "AccessKeyId", Service: "obs",
}

var _ = strings.TrimSpace

// Dialect returns this vendor's line in the table of vendors.
func Dialect() dialect.Dialect {
	return dialect.Dialect{Name: "obs", Schemes: []dialect.Scheme{Scheme}}
}
