// Package obs speaks the dialect of Huawei's object storage, OBS: its signature, in the
// Authorization header and in signed URLs, and its errors.
//
// The ways in: [Scheme] reads signatures, and [Front] answers requests.
//
// Limits: its keys are those of Huawei Cloud's IAM, managed through package huawei. Its clients
// can be told, and without being told decide for some endpoints, to sign as clients of Amazon S3 do; what
// they send then is S3's, and package aws reads and answers it. There are no buckets.
package obs

import (
	"context"
	"net/http"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/objectstore"
)

// Scheme reads the vendor's signature.
// https://support.huaweicloud.com/intl/en-us/api-obs/obs_04_0010.html
var Scheme = objectstore.V2{
	Scheme: "OBS-HMAC-SHA1", Word: "OBS", Prefix: "x-obs-", KeyParameter: "AccessKeyId", Service: "obs",
}

// Dialect returns this vendor's line in the table of vendors.
func Dialect() dialect.Dialect {
	return dialect.Dialect{Name: "obs", Schemes: []dialect.Scheme{Scheme}, Front: Front{store}}
}

// store says that a signed URL has expired as OBS does: as of a clock that is wrong.
var store = objectstore.Front{Service: "obs", Prefix: "x-obs-", Expired: "RequestTimeTooSkewed", Signed: Scheme.Speaks}

// Front answers requests that are signed as OBS has it, as a [dialect.Front].
type Front struct{ objectstore.Front }

// Answer is as of [objectstore.Front]. Clients learn from x-obs-api that OBS is spoken.
func (f Front) Answer(ctx context.Context, w http.ResponseWriter, r *dialect.Request, requestID string, keys dialect.Keys) dialect.Outcome {
	w.Header().Set("X-Obs-Api", "3.0")
	return f.Front.Answer(ctx, w, r, requestID, keys)
}
