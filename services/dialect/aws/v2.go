package aws

import "github.com/keyledger/keyledger/services/dialect/objectstore"

// V2 reads Signature Version 2 of S3, which "aws s3 presign" of today's CLI still writes.
// https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
var V2 = objectstore.V2{
	Scheme: "AWS-V2-HMAC-SHA1", Word: "AWS", Prefix: "x-amz-", KeyParameter: "AWSAccessKeyId", Service: serviceS3,
}
