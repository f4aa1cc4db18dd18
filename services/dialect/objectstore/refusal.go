package objectstore

import (
	"context"
	"errors"
	"net/http"

	"github.com/keyledger/keyledger/services/dialect"
)

// A refusal is an error as the vendors word it.
type refusal struct {
	status  int // HTTP
	code    string
	message string
}

func (e *refusal) Error() string { return e.code + ": " + e.message }

var (
	errInternal    = refusal{http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again."}
	errUnavailable = refusal{http.StatusServiceUnavailable, "ServiceUnavailable", "The service is not available now. Send the request again."}
)

// inWords is the one place where an error becomes the vendor's.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
// https://support.huaweicloud.com/intl/en-us/api-obs/obs_04_0115.html
func (f Front) inWords(err error) refusal {
	if e, ok := errors.AsType[*refusal](err); ok {
		return *e
	}
	if e, ok := errors.AsType[*dialect.Fault](err); ok {
		return faultInWords(e)
	}
	if e, ok := errors.AsType[*dialect.MalformedError](err); ok {
		return malformedInWords(e)
	}
	if e, ok := errors.AsType[*dialect.RefusedError](err); ok {
		return f.refusedInWords(e)
	}
	if e, ok := errors.AsType[*dialect.NetworkError](err); ok {
		return refusal{http.StatusForbidden, "AccessDenied", "Access Denied: " + e.Error() + "."}
	}
	switch {
	case errors.Is(err, dialect.ErrUnsigned):
		return refusal{http.StatusForbidden, "AccessDenied", "Access Denied"}
	case errors.Is(err, dialect.ErrUnknownKey):
		return refusal{http.StatusForbidden, "InvalidAccessKeyId", "The access key ID you provided does not exist in our records."}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return errUnavailable
	}
	return errInternal
}

// faultInWords knows only the kinds that come before anything is carried out.
func faultInWords(f *dialect.Fault) refusal {
	switch f.Kind {
	case dialect.Invalid:
		return refusal{http.StatusBadRequest, "InvalidRequest", f.Detail}
	case dialect.Denied:
		return refusal{http.StatusForbidden, "AccessDenied", "Access Denied"}
	case dialect.Unknown, dialect.Unavailable:
		return errUnavailable
	}
	return errInternal
}

func malformedInWords(e *dialect.MalformedError) refusal {
	switch e.Code {
	case CodeDigest:
		return refusal{http.StatusBadRequest, "BadDigest", "The Content-MD5 you specified did not match what we received."}
	case CodeDigestForm:
		return refusal{http.StatusBadRequest, "InvalidDigest", "The Content-MD5 you specified is not valid."}
	case CodeMissingDate, CodeDate:
		return refusal{http.StatusForbidden, "AccessDenied", e.Detail + " (" + e.Code + ")"}
	case "payload_hash_mismatch":
		return refusal{http.StatusBadRequest, "XAmzContentSHA256Mismatch", e.Detail}
	}
	return refusal{http.StatusBadRequest, "InvalidArgument", e.Detail + " (" + e.Code + ")"}
}

func (f Front) refusedInWords(e *dialect.RefusedError) refusal {
	switch e.Reason {
	case dialect.RequestExpired, dialect.RequestNotYetValid:
		return refusal{http.StatusForbidden, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."}
	case dialect.PresignedExpired:
		return refusal{http.StatusForbidden, f.Expired, "Request has expired."}
	case dialect.Replayed:
		return refusal{http.StatusForbidden, "AccessDenied", "The request has been made before."}
	}
	return refusal{http.StatusForbidden, "SignatureDoesNotMatch",
		"The request signature we calculated does not match the signature you provided. Check your key and signing method."}
}
