package cdnetworks

import (
	"context"
	"errors"
	"net/http"

	"github.com/keyledger/keyledger/services/dialect"
)

// A refusal is an error in this vendor's envelope. The vendor publishes no list of codes for authentication; these are
// ours. Its clients take any status but 2xx for an error and show the body.
type refusal struct {
	status  int // HTTP
	code    string
	message string
}

func (e *refusal) Error() string { return e.code + ": " + e.message }

var errNotServed = &refusal{http.StatusNotFound, "NotFound",
	"The signature is right, and nothing is served at this path: access keys are managed by the native API under /v1."}

// faults is how each kind of fault is answered, with the message for a fault that has none of its own.
var faults = map[dialect.Kind]refusal{
	dialect.Internal:    {http.StatusInternalServerError, "InternalError", "The request could not be processed because of an internal failure."},
	dialect.NotFound:    {http.StatusNotFound, "NotFound", "The access key cannot be found."},
	dialect.NoUser:      {http.StatusNotFound, "NotFound", "The user cannot be found."},
	dialect.Limit:       {http.StatusConflict, "LimitExceeded", "The user has as many access keys as it may have."},
	dialect.BinFull:     {http.StatusConflict, "LimitExceeded", "The user's recycle bin is full."},
	dialect.Denied:      {http.StatusForbidden, "AccessDenied", "The caller is not authorized to perform this operation."},
	dialect.Conflict:    {http.StatusConflict, "Conflict", "The access key must be disabled before it is deleted."},
	dialect.Invalid:     {http.StatusBadRequest, "InvalidRequest", "The request has a value that cannot be used here."},
	dialect.Reused:      {http.StatusConflict, "Conflict", "Another request had the same identity."},
	dialect.Unknown:     {http.StatusServiceUnavailable, "ServiceUnavailable", "It is not known whether the request was carried out. Send it again."},
	dialect.Unavailable: {http.StatusServiceUnavailable, "ServiceUnavailable", "The request was not carried out. Send it again."},
}

// Refuse writes err in the vendor's envelope, in one write, and returns what it wrote.
func (Front) Refuse(w http.ResponseWriter, _ *dialect.Request, requestID string, err error) dialect.Outcome {
	e := inWords(err)
	write(w, e.status, requestID, envelope{Code: e.code, Message: e.message})
	return dialect.Outcome{Status: e.status, Code: e.code}
}

// inWords is the one place where an error gets its words.
func inWords(err error) refusal {
	if e, ok := errors.AsType[*refusal](err); ok {
		return *e
	}
	if e, ok := errors.AsType[*dialect.Fault](err); ok {
		return faultInWords(e)
	}
	if e, ok := errors.AsType[*dialect.MalformedError](err); ok {
		return refusal{http.StatusBadRequest, "InvalidAuthentication", e.Detail + " (" + e.Code + ")"}
	}
	if e, ok := errors.AsType[*dialect.RefusedError](err); ok {
		return refusal{http.StatusUnauthorized, refusedCodes[e.Reason], e.Error()}
	}
	if e, ok := errors.AsType[*dialect.NetworkError](err); ok {
		return refusal{http.StatusForbidden, "AccessDenied", e.Error()}
	}
	switch {
	case errors.Is(err, dialect.ErrUnsigned):
		return refusal{http.StatusUnauthorized, "MissingAuthentication", "The request carries no signature: sign it by CNC-HMAC-SHA256."}
	case errors.Is(err, dialect.ErrKeyDisabled):
		return refusal{http.StatusForbidden, "AccessKeyDisabled", "The access key is disabled."}
	case errors.Is(err, dialect.ErrUnknownKey):
		return refusal{http.StatusForbidden, "InvalidAccessKey", "The access key is not valid."}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return faults[dialect.Unknown]
	}
	return faults[dialect.Internal]
}

var refusedCodes = map[string]string{
	dialect.SignatureMismatch:  "SignatureMismatch",
	dialect.RequestExpired:     "RequestExpired",
	dialect.RequestNotYetValid: "RequestNotYetValid",
	dialect.PresignedExpired:   "RequestExpired",
	dialect.Replayed:           "RequestReplayed",
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
