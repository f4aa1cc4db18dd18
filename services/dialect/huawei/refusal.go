package huawei

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/keyledger/keyledger/services/dialect"
)

// A refusal is an error as the vendor words it.
type refusal struct {
	status  int // HTTP
	code    string
	message string
}

func (e *refusal) Error() string { return e.code + ": " + e.message }

// faults is how each kind of fault is answered, with the message for a fault
// that has none of its own.
// https://support.huaweicloud.com/intl/en-us/api-iam/iam_02_0006.html
var faults = map[dialect.Kind]refusal{
	dialect.Internal:    {http.StatusInternalServerError, "IAM.0006", "An unexpected error prevented the server from fulfilling your request."},
	dialect.NotFound:    {http.StatusNotFound, "IAM.0004", "Could not find credential."},
	dialect.NoUser:      {http.StatusNotFound, "IAM.0004", "Could not find user."},
	dialect.BinFull:     {http.StatusConflict, "IAM.0005", "The user's recycle bin is full."},
	dialect.Limit:       {http.StatusBadRequest, codeQuota, "akSkNumExceed"},
	dialect.Denied:      {http.StatusForbidden, "IAM.0003", "Policy doesn't allow this operation to be performed."},
	dialect.Conflict:    {http.StatusConflict, "IAM.0005", "Conflict occurred attempting to store credential: it must be made inactive before it is deleted."},
	dialect.Invalid:     {http.StatusBadRequest, codeInvalid, "Invalid input."},
	dialect.Reused:      {http.StatusConflict, "IAM.0005", "Conflict occurred attempting to store credential: another request had the same identity."},
	dialect.Unknown:     {http.StatusServiceUnavailable, "IAM.0006", "It is not known whether the request was carried out. Look before you send it again."},
	dialect.Unavailable: {http.StatusServiceUnavailable, "IAM.0006", "The request was not carried out. Send it again."},
}

const (
	codeInvalid = "IAM.0073"
	// codeQuota is the vendor's word for a user with as many keys as it may have. In version 3 it is
	// a message beside a number; version 5's code for it is on no page that we know.
	codeQuota = "akSkNumExceed"
	// codeDeniedV5 is Denied in version 5.
	codeDeniedV5 = "PAP5.0001"
	// codeGateway is any failure of a signature.
	codeGateway = "APIGW.0301"
)

var (
	errNoAPI  = &refusal{http.StatusNotFound, "APIGW.0101", "The API does not exist or has not been published in the environment."}
	errMarker = &refusal{http.StatusBadRequest, "PAP5.0010", "The marker is not one that this service gave."}
)

func badBody(why string) error {
	return &refusal{http.StatusBadRequest, "IAM.0011", "Request body is invalid: " + why + "."}
}

func required(member string) error {
	return &refusal{http.StatusBadRequest, "IAM.0072", "'" + member + "' is a required property."}
}

func invalid(member, why string) error {
	return &refusal{http.StatusBadRequest, codeInvalid, "Invalid input for field '" + member + "': " + why + "."}
}

func conflict(why string) error {
	return &refusal{http.StatusConflict, "IAM.0005", "Conflict occurred attempting to store credential: " + why + "."}
}

// notFound names what is not there; id is "" where it cannot be shown.
func notFound(target, id string) error {
	if id != "" {
		id = ": " + id
	}
	return &refusal{http.StatusNotFound, "IAM.0004", "Could not find " + target + id + "."}
}

// named puts what the call named into an error that says it is not there.
func (c *call) named(err error) error {
	f, ok := errors.AsType[*dialect.Fault](err)
	switch {
	case ok && f.Kind == dialect.NotFound:
		return notFound("credential", c.key)
	case ok && f.Kind == dialect.NoUser:
		return notFound("user", c.user)
	}
	return err
}

// Refuse writes err in the vendor's form, in one write, and returns what it wrote. It
// takes what [dialect.Front] names; of any other error nothing is shown but that
// there was one.
func (Front) Refuse(w http.ResponseWriter, r *dialect.Request, requestID string, err error) dialect.Outcome {
	v5 := strings.HasPrefix(r.Path(), "/v5/")
	e := inWords(err)
	if v5 && e.code == faults[dialect.Denied].code {
		e.code = codeDeniedV5
	}
	if e.code == codeQuota && !v5 {
		write(w, e.status, requestID, newQuotaAnswer(e))
	} else {
		write(w, e.status, requestID, failure{Code: e.code, Message: e.message, RequestID: requestID})
	}
	return dialect.Outcome{Status: e.status, Code: e.code}
}

// inWords is the one place where an error becomes the vendor's.
func inWords(err error) refusal {
	if e, ok := errors.AsType[*refusal](err); ok {
		return *e
	}
	if f, ok := errors.AsType[*dialect.Fault](err); ok {
		return faultInWords(f)
	}
	if e, ok := errors.AsType[*dialect.MalformedError](err); ok {
		return unauthenticated(e.Detail + " (" + e.Code + ")")
	}
	if e, ok := errors.AsType[*dialect.RefusedError](err); ok {
		return unauthenticated(refusedReason(e))
	}
	if e, ok := errors.AsType[*dialect.NetworkError](err); ok {
		return refusal{http.StatusForbidden, "IAM.0003", "Policy doesn't allow this operation to be performed: " + e.Error() + "."}
	}
	switch {
	case errors.Is(err, dialect.ErrUnsigned):
		return refusal{http.StatusUnauthorized, "IAM.0001", "The request you have made requires authentication."}
	case errors.Is(err, dialect.ErrKeyLocked):
		return unauthenticated("AK access failed to reach the limit,forbidden")
	case errors.Is(err, dialect.ErrKeyDisabled):
		return refusal{http.StatusBadRequest, "IAM.1107", "The access key is inactive."}
	case errors.Is(err, dialect.ErrUnknownKey):
		return unauthenticated("Get secretKey failed,err:ak not exist")
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
	if f.Detail != "" && f.Kind != dialect.Limit { // whose message is a word that programs look for
		e.message = f.Detail
	}
	return e
}

// https://support.huaweicloud.com/intl/en-us/apig_faq/apig-faq-0003.html
func unauthenticated(reason string) refusal {
	return refusal{http.StatusUnauthorized, codeGateway, "Incorrect IAM authentication information: " + reason}
}

func refusedReason(e *dialect.RefusedError) string {
	switch e.Reason {
	case dialect.RequestExpired, dialect.PresignedExpired:
		return "calc ak sk signature fail:signature expired, signed at " + e.SignedAt.UTC().Format(stampLayout) + ", now " + e.Now.UTC().Format(stampLayout)
	case dialect.RequestNotYetValid:
		return "calc ak sk signature fail:signature is not valid yet, signed at " + e.SignedAt.UTC().Format(stampLayout) + ", now " + e.Now.UTC().Format(stampLayout)
	case dialect.Replayed:
		return "the request has been made before"
	}
	return "verify aksk signature fail"
}
