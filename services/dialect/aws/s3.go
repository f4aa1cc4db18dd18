package aws

import (
	"strings"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/objectstore"
)

// V2 reads Signature Version 2 of S3, which "aws s3 presign" of today's CLI still writes.
// https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
var V2 = objectstore.V2{
	Scheme: "AWS-V2-HMAC-SHA1", Word: "AWS", Prefix: "x-amz-", KeyParameter: "AWSAccessKeyId", Service: serviceS3,
}

// s3 answers what is signed for S3.
var s3 = objectstore.Front{Service: serviceS3, Prefix: "x-amz-", Expired: "AccessDenied", Signed: signedForS3}

// ofS3 reports whether r is for S3, not for the Query API.
func ofS3(r *dialect.Request) bool { return !ofQueryAPI(r) && s3.Recognise(r) }

// signedForS3 looks for the scope of Signature Version 4, or for Version 2, which is
// S3's alone.
func signedForS3(r *dialect.Request) bool {
	const scope = "/" + serviceS3 + "/" + terminator
	if value := strings.TrimLeft(r.Get("Authorization"), " \t"); strings.HasPrefix(value, "AWS4-") {
		return strings.Contains(value, scope)
	}
	if signedByQuery(r.Query()) {
		credential, ok := dialect.Peek(r.Query(), "X-Amz-Credential")
		credential, decoded := dialect.Unescape(credential)
		return ok && decoded && strings.HasSuffix(credential, scope)
	}
	return V2.Speaks(r)
}
