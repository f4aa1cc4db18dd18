package alibaba

import (
	"context"
	"errors"
	"net/http"

	"github.com/keyledger/keyledger/services/dialect"
)

// A refusal is an error as the vendor words it.
type refusal struct {
	status  int // HTTP
	code    string
	message string
}

func (e *refusal) Error() string { return e.code + ": " + e.message }

// faults is how each kind of fault is answered, with the message for a fault that has none
// of its own. Where the vendor's pages name no code, docs/vendors/alibaba.md says so.
var faults = map[dialect.Kind]refusal{
	dialect.Internal:    {http.StatusInternalServerError, "InternalError", "The request processing has failed due to some unknown error, exception or failure."},
	dialect.NotFound:    {http.StatusNotFound, "EntityNotExist.User.AccessKey", "The AccessKey does not exist."},
	dialect.NoUser:      {http.StatusNotFound, "EntityNotExist.User", "The user does not exist."},
	dialect.Limit:       {http.StatusConflict, "LimitExceeded.User.AccessKey", "The number of AccessKeys of the user is beyond the limit."},
	dialect.BinFull:     {http.StatusConflict, "LimitExceeded.User.AccessKeyInRecycleBin", "The number of AccessKeys of the user in the recycle bin is beyond the limit."},
	dialect.Denied:      {http.StatusForbidden, "NoPermission", "You are not authorized to do this action."},
	dialect.Conflict:    {http.StatusConflict, "DeleteConflict.AccessKey.Active", "The AccessKey is Active. Make it Inactive before it is deleted."},
	dialect.Invalid:     {http.StatusBadRequest, "InvalidParameter", "A specified parameter is not valid."},
	dialect.Reused:      {http.StatusBadRequest, "IdempotentParameterMismatch", "The nonce was used before with another request."},
	dialect.Unknown:     {http.StatusServiceUnavailable, "ServiceUnavailable", "It is not known whether the request was carried out. List the AccessKeys before you send another."},
	dialect.Unavailable: {http.StatusServiceUnavailable, "ServiceUnavailable", "The request was not carried out. Send it again."},
}

// Messages of a request from where the AccessKey may not be used: of the AccessKey's own
// policy, and of the account's. They are the two that the vendor tells its users to look for.
const (
	messageKeyPolicy     = `The specified parameter "AccessKeyId.AccessPolicyDenied" is not valid.`
	messageAccountPolicy = `code: 400, Specified access key denied due to access policy.`
)

// messageRestricted is what the vendor tells whoever uses an AccessKey under restrictive protection.
// https://www.alibabacloud.com/help/en/ram/use-cases/accesskey-restrictive-protection-description
const messageRestricted = "There is a risk of leakage of this AccessKey."

// failure is an error answer. All are texts: the vendor's client for Go relies on it.
type failure struct {
	HostID    string `json:"HostId" xml:"HostId"`
	Code      string
	Message   string
	Recommend string
}

// Refuse writes err in the vendor's form, in one write, and returns what it wrote. It
// takes [dialect.ErrUnsigned], [dialect.ErrUnknownKey], a [*dialect.NetworkError], a
// [*dialect.MalformedError], a [*dialect.RefusedError] and a [*dialect.Fault]; of any
// other error nothing is shown but that there was one.
func (Front) Refuse(w http.ResponseWriter, r *dialect.Request, requestID string, err error) dialect.Outcome {
	e := inWords(r, err)
	write(w, e.status, formatOf(r), requestID, "Error", failure{
		HostID: r.Host, Code: e.code, Message: e.message,
	})
	return dialect.Outcome{Status: e.status, Code: e.code}
}

// inWords is the one place where an error becomes the vendor's.
func inWords(r *dialect.Request, err error) refusal {
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
		return refusedInWords(r, e)
	}
	if e, ok := errors.AsType[*dialect.NetworkError](err); ok {
		if e.Key {
			return refusal{http.StatusBadRequest, "InvalidParameter", messageKeyPolicy}
		}
		return refusal{http.StatusBadRequest, "InvalidAccessKeyId.AccessPolicyDenied", messageAccountPolicy}
	}
	switch {
	case errors.Is(err, dialect.ErrUnsigned):
		return refusal{http.StatusBadRequest, "IncompleteSignature", "The request is not signed."}
	case errors.Is(err, dialect.ErrKeyRestricted):
		return refusal{http.StatusForbidden, "Forbidden", messageRestricted}
	case errors.Is(err, dialect.ErrKeyDisabled):
		return refusal{http.StatusBadRequest, "InvalidAccessKeyId.Inactive", "Specified access key is disabled."}
	case errors.Is(err, dialect.ErrUnknownKey):
		return refusal{http.StatusNotFound, "InvalidAccessKeyId.NotFound", "Specified access key is not found."}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return faults[dialect.Unknown]
	}
	return faults[dialect.Internal]
}

func faultInWords(f *dialect.Fault) refusal {
	e, ok := faults[f.Kind]
	if !ok || f.Kind == dialect.Internal {
		return faults[dialect.Internal]
	}
	if f.Detail != "" {
		e.message = f.Detail
	}
	return e
}

const codeMismatch = "SignatureDoesNotMatch"

func malformedInWords(e *dialect.MalformedError) refusal {
	code := "IncompleteSignature"
	switch e.Code {
	case CodePayloadMismatch:
		code = codeMismatch
	case CodeDate:
		code = "InvalidTimeStamp.Format"
	case CodeAlgorithm, CodeSignatureVersion:
		code = "InvalidSignatureMethod"
	case CodeMissingParameter:
		code = "MissingParameter"
	case CodeParameters, CodeDuplicateParameter, CodeEncoding:
		code = "InvalidParameter"
	}
	return refusal{http.StatusBadRequest, code, e.Detail + " (" + e.Code + ")"}
}

func refusedInWords(r *dialect.Request, e *dialect.RefusedError) refusal {
	switch e.Reason {
	case dialect.RequestExpired, dialect.RequestNotYetValid:
		return refusal{http.StatusBadRequest, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired: signed at " +
			stamp(e.SignedAt) + ", received at " + stamp(e.Now) + "."}
	case dialect.Replayed:
		return refusal{http.StatusBadRequest, "SignatureNonceUsed", "Specified signature nonce was used already."}
	}
	return refusal{http.StatusBadRequest, codeMismatch, "Specified signature is not matched with our calculation." + ours(r)}
}

// maxOurs bounds the string to sign that an answer shows, in bytes.
const maxOurs = 8 << 10

// ours says what should have been signed: the vendor's client for Go compares that with its
// own, and says whether the secret or the request is wrong. It depends on the request alone.
func ours(r *dialect.Request) string {
	claims, err := dialect.Read(r, Dialect().Schemes)
	if err != nil || len(claims[0].StringToSign) > maxOurs {
		return ""
	}
	return " server string to sign is:" + string(claims[0].StringToSign)
}
