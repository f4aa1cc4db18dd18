package tencent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
)

// A refusal is an error as Tencent Cloud words it.
type refusal struct {
	code    string
	message string
}

func (e *refusal) Error() string { return e.code + ": " + e.message }

// codeFailed is spelled as the vendor spells it.
const codeFailed = "FailedOperation.Accesskey"

// faults is how each kind of fault is answered, with the message for a fault that has none of its own. A key
// that does not exist and one that is somebody else's get one answer: the vendor lists no other
// code for these operations.
// https://www.tencentcloud.com/document/api/598/33163
var faults = map[dialect.Kind]refusal{
	dialect.Internal:    {"InternalError", "The request could not be processed because of an internal failure."},
	dialect.NotFound:    {"OperationDenied.UinNotMatch", "The access key does not exist or is not the user's."},
	dialect.NoUser:      {"InvalidParameter.UserNotExist", "The user does not exist."},
	dialect.Limit:       {"OperationDenied.AccessKeyOverLimit", "The user has as many access keys as it may have."},
	dialect.BinFull:     {"OperationDenied.AccessKeyOverLimit", "The user's recycle bin is full."},
	dialect.Denied:      {"AuthFailure.UnauthorizedOperation", "The caller is not authorized to perform this operation."},
	dialect.Conflict:    {codeFailed, "The access key must be made Inactive before it is deleted."},
	dialect.Invalid:     {"InvalidParameter.ParamError", "A parameter has a value that cannot be used here."},
	dialect.Reused:      {"InvalidParameter.ParamError", "Another request was made under the same signature."},
	dialect.Unknown:     {"InternalError", "It is not known whether the request was carried out. List the access keys before you send it again."},
	dialect.Unavailable: {"ServiceUnavailable", "The request was not carried out. Send it again."},
}

// Refuse writes err in the vendor's form, in one write, and returns what it wrote.
func (Front) Refuse(w http.ResponseWriter, r *dialect.Request, requestID string, err error) dialect.Outcome {
	e := inWords(err)
	if errors.Is(err, dialect.ErrUnknownKey) && sendsToken(r) {
		e = refusal{"AuthFailure.TokenFailure", "The token is not valid: there are no temporary credentials here."}
	}
	write(w, requestID, answer{"Error": map[string]string{"Code": e.code, "Message": e.message}})
	return dialect.Outcome{Status: http.StatusOK, Code: e.code}
}

// sendsToken reports whether r wants to be signed by temporary credentials.
func sendsToken(r *dialect.Request) bool {
	if !speaksV1(r) {
		return r.Get("X-TC-Token") != ""
	}
	token, _ := peek(formText(r), "Token")
	return token != ""
}

// inWords is the one place where an error becomes Tencent Cloud's.
func inWords(err error) refusal {
	if e, ok := errors.AsType[*refusal](err); ok {
		return *e
	}
	if e, ok := errors.AsType[*dialect.Fault](err); ok {
		return faultInWords(e)
	}
	if e, ok := errors.AsType[*dialect.MalformedError](err); ok {
		return refusal{malformedCode(e.Code), e.Detail + " (" + e.Code + ")"}
	}
	if e, ok := errors.AsType[*dialect.RefusedError](err); ok {
		return refusedInWords(e)
	}
	if e, ok := errors.AsType[*dialect.NetworkError](err); ok {
		return refusal{"IpNotInWhitelist", e.Error()}
	}
	switch {
	case errors.Is(err, dialect.ErrUnsigned):
		return refusal{codeAuthorization, "The request carries no signature: sign it by TC3-HMAC-SHA256."}
	case errors.Is(err, dialect.ErrUnknownKey):
		return refusal{"AuthFailure.SecretIdNotFound", "The SecretId does not exist, or is disabled or deleted."}
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

const (
	codeAuthorization = "AuthFailure.InvalidAuthorization"
	codeSignature     = "AuthFailure.SignatureFailure"
)

// malformedCode is what the vendor calls a request that is not signed as its scheme demands.
func malformedCode(code string) string {
	switch code {
	case CodeHeaderMissing, CodeDuplicateHeader, CodeQueryUnsigned, CodeBodyUnsigned, CodePayload, CodeSignature, CodeAmbiguous:
		return codeSignature
	case CodeMissingTimestamp, CodeMissingParameter:
		return "MissingParameter"
	case CodeTimestamp, CodeNonce, CodeEncoding, CodeParameterName, CodeDuplicateParameter, CodeTooMany:
		return "InvalidParameter"
	case CodeMethod:
		return "UnsupportedProtocol"
	}
	return codeAuthorization
}

func refusedInWords(e *dialect.RefusedError) refusal {
	switch e.Reason {
	case dialect.RequestExpired, dialect.RequestNotYetValid, dialect.PresignedExpired:
		return refusal{"AuthFailure.SignatureExpire", fmt.Sprintf("The timestamp %s is more than %s away from the server's time, %s.",
			e.SignedAt.UTC().Format(time.RFC3339), e.Window, e.Now.UTC().Format(time.RFC3339))}
	case dialect.Replayed:
		return refusal{codeSignature, "The request has been made before: sign each with a nonce of its own."}
	}
	return refusal{codeSignature, "The provided credentials could not be validated. Please check your signature is correct."}
}
