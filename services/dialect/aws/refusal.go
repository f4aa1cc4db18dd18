package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
)

// A refusal is an error as AWS words it.
type refusal struct {
	status  int // HTTP
	code    string
	message string
}

func (e *refusal) Error() string { return e.code + ": " + e.message }

// faults is how each kind of fault is answered, with the message for a fault
// that has none of its own.
// https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
var faults = map[dialect.Kind]refusal{
	dialect.Internal:    {http.StatusInternalServerError, "ServiceFailure", "The request could not be processed because of an internal failure."},
	dialect.NotFound:    {http.StatusNotFound, "NoSuchEntity", "The user or the access key cannot be found."},
	dialect.NoUser:      {http.StatusNotFound, "NoSuchEntity", "The user cannot be found."},
	dialect.BinFull:     {http.StatusConflict, "LimitExceeded", "The user's recycle bin is full."},
	dialect.Limit:       {http.StatusConflict, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser."},
	dialect.Denied:      {http.StatusForbidden, "AccessDenied", "The caller is not authorized to perform this operation."},
	dialect.Conflict:    {http.StatusConflict, "DeleteConflict", "The access key must be made Inactive before it is deleted."},
	dialect.Invalid:     {http.StatusBadRequest, "InvalidInput", "A parameter has a value that cannot be used here."},
	dialect.Reused:      {http.StatusBadRequest, "IdempotentParameterMismatch", "Another request was made under the same invocation ID."},
	dialect.Unknown:     {http.StatusServiceUnavailable, "ServiceUnavailable", "It is not known whether the request was carried out. Send it again with the same invocation ID."},
	dialect.Unavailable: {http.StatusServiceUnavailable, "ServiceUnavailable", "The request was not carried out. Send it again."},
}

// Refuse writes err in AWS's form, in one write, and returns what it wrote. It
// takes [dialect.ErrUnsigned], [dialect.ErrUnknownKey], a [*dialect.NetworkError], a
// [*dialect.MalformedError], a [*dialect.RefusedError] and a [*dialect.Fault]; of any
// other error nothing is shown but that there was one.
func (Front) Refuse(w http.ResponseWriter, r *dialect.Request, requestID string, err error) dialect.Outcome {
	if ofS3(r) {
		return s3.Refuse(w, r, requestID, err)
	}
	e := inWords(err)
	write(w, e.status, requestID, failure(namespace(r), e, requestID))
	return dialect.Outcome{Status: e.status, Code: e.code}
}

// inWords is the one place where an error becomes AWS's.
func inWords(err error) refusal {
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
		return refusal{http.StatusForbidden, codeMismatch, refusedMessage(e)}
	}
	if e, ok := errors.AsType[*dialect.NetworkError](err); ok {
		return refusal{http.StatusForbidden, "AccessDenied", e.Error() + "."}
	}
	switch {
	case errors.Is(err, dialect.ErrUnsigned):
		return refusal{http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token"}
	case errors.Is(err, dialect.ErrUnknownKey):
		return refusal{http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid."}
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

// codeMismatch is also what a wrong clock and a wrong body are to AWS.
const codeMismatch = "SignatureDoesNotMatch"

const messageMismatch = "The request signature we calculated does not match the signature you provided. Check your secret access key and signing method."

func malformedInWords(e *dialect.MalformedError) refusal {
	switch e.Code {
	case CodePayloadMismatch, CodeScopeService:
		return refusal{http.StatusForbidden, codeMismatch, e.Detail}
	}
	return refusal{http.StatusBadRequest, "IncompleteSignature", e.Detail + " (" + e.Code + ")"}
}

func refusedMessage(e *dialect.RefusedError) string {
	at, now := e.SignedAt.UTC().Format(stampLayout), e.Now.UTC()
	minutes := fmt.Sprintf("%.f min.", e.Window.Minutes())
	switch e.Reason {
	case dialect.RequestExpired:
		return fmt.Sprintf("Signature expired: %s is now earlier than %s (%s - %s)",
			at, now.Add(-e.Window).Format(stampLayout), now.Format(stampLayout), minutes)
	case dialect.RequestNotYetValid:
		return fmt.Sprintf("Signature not yet current: %s is still later than %s (%s + %s)",
			at, now.Add(e.Window).Format(stampLayout), now.Format(stampLayout), minutes)
	case dialect.PresignedExpired:
		return fmt.Sprintf("Signature expired: the request was presigned at %s for %d seconds and it is %s.",
			at, int(e.Window/time.Second), now.Format(stampLayout))
	}
	return messageMismatch
}
