// Package aws speaks the dialect of Amazon Web Services: its request signature
// (Signature Version 4, from headers or a presigned query, and Version 2 of S3) and the part of its
// IAM and STS Query APIs that manages access keys.
//
// The ways in: [SigV4] reads signatures, [Sign] makes them, and [Front] is the
// Query API.
//
// Limits: of S3 every signature but SigV4A is read, and nothing is stored: what is genuine
// is told that there is no such bucket. Temporary credentials are not issued; a session
// token is read and passed on unjudged.
package aws

import (
	"time"

	"github.com/keyledger/keyledger/services/dialect"
)

// Dialect returns this vendor's line in the table of vendors.
func Dialect() dialect.Dialect {
	return dialect.Dialect{Name: "aws", Schemes: []dialect.Scheme{SigV4{}, V2}, Front: Front{}}
}

// Times of Signature Version 4.
const (
	// skew is how far a clock may be off for IAM, STS and services of our own.
	skew = 5 * time.Minute
	// skewS3 is S3's: it answers RequestTimeTooSkewed beyond 15 minutes.
	// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
	skewS3 = 15 * time.Minute
	// presignedLife is how long a presigned STS request lives if it does not
	// say: presigners for STS leave X-Amz-Expires out.
	presignedLife = 15 * time.Minute
	// presignedMax is the longest life that can be asked for, seven days.
	// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
	presignedMax = 7 * 24 * time.Hour
)

func skewOf(service string) time.Duration {
	if service == serviceS3 {
		return skewS3
	}
	return skew
}

// Services whose rules differ.
const (
	serviceS3  = "s3"
	serviceIAM = "iam"
	serviceSTS = "sts"
)
