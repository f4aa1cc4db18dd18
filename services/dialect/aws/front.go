package aws

import (
	"context"
	"net/http"
	"strings"

	"github.com/keyledger/keyledger/services/dialect"
)

// The versions of the two Query APIs, and their namespaces.
const (
	versionIAM   = "2010-05-08"
	versionSTS   = "2011-06-15"
	namespaceIAM = "https://iam.amazonaws.com/doc/2010-05-08/"
	namespaceSTS = "https://sts.amazonaws.com/doc/2011-06-15/"
)

// Front is the IAM and STS Query APIs, and what S3 says where there are no buckets, as
// a [dialect.Front].
type Front struct{}

// Recognise reports whether r wants to be a request to the IAM or STS Query
// API, or is signed for S3.
func (Front) Recognise(r *dialect.Request) bool { return ofQueryAPI(r) || s3.Recognise(r) }

// ofQueryAPI reports whether r is a POST or GET of "/" with Action and a Version of the
// Query APIs, or with any Version if it is signed the AWS way. It does not say that r is
// right: also a request that will be refused should be refused in AWS's words.
func ofQueryAPI(r *dialect.Request) bool {
	if r.Path() != "/" {
		return false
	}
	version, ok := parameter(r, "Version")
	if _, action := parameter(r, "Action"); !ok || !action {
		return false
	}
	return version == versionIAM || version == versionSTS || signed(r)
}

// Action is the operation that r names.
func (Front) Action(r *dialect.Request) string {
	if ofS3(r) {
		return s3.Action(r)
	}
	action, _ := parameter(r, "Action")
	return action
}

// parameter returns a parameter of the form, wherever it is.
func parameter(r *dialect.Request, name string) (string, bool) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return "", false
	}
	value, ok := dialect.Peek(r.Query(), name)
	if !ok && r.Method == http.MethodPost {
		value, ok = dialect.Peek(string(r.Body), name)
	}
	if !ok {
		return "", false
	}
	return dialect.Unescape(value)
}

func signed(r *dialect.Request) bool {
	return signedByQuery(r.Query()) || strings.HasPrefix(r.Get("Authorization"), "AWS4-")
}

// Identity returns what the client calls this request, the same for
// each of its attempts, or "" if it does not say, as AWS CLI 2.9 does not. The
// vendor's clients send it as Amz-Sdk-Invocation-Id and do not all sign it.
func (Front) Identity(r *dialect.Request) string {
	id := r.Get("Amz-Sdk-Invocation-Id")
	if len(id) > 128 {
		return ""
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return ""
		}
	}
	return id
}

// CheckScope refuses a claim that was not made for this API: one scoped to
// another service than the one that r is for, one that does not cover the
// body, and a presigned one that would manage keys: it could be sent again for as
// long as it was signed for, up to seven days. Who somebody is (STS) may be asked so.
// It returns a [*dialect.MalformedError].
func (Front) CheckScope(r *dialect.Request, c dialect.Claim) error {
	if ofS3(r) {
		return s3.CheckScope(r, c)
	}
	version, _ := parameter(r, "Version")
	want := serviceIAM
	if version == versionSTS {
		want = serviceSTS
	}
	if c.Service != want {
		return malformed(CodeScopeService, "Credential should be scoped to correct service: '"+want+"'.")
	}
	if c.Presigned && want != serviceSTS {
		return malformed(CodePresignedUnsupported, "a presigned request cannot manage access keys: sign it with an Authorization header")
	}
	if !c.Covers.Has(dialect.Method | dialect.Path | dialect.Query | dialect.Body) {
		return malformed(CodePayloadUnsupported, "the signature must cover the body")
	}
	return nil
}

// An operation reads its parameters from f and returns the result element, nil
// if it has none.
type operation func(ctx context.Context, f form, keys dialect.Keys) (result any, err error)

// operations is every operation that is answered, by Version and Action.
var operations = map[[2]string]operation{
	{versionIAM, "CreateAccessKey"}:      createAccessKey,
	{versionIAM, "ListAccessKeys"}:       listAccessKeys,
	{versionIAM, "UpdateAccessKey"}:      updateAccessKey,
	{versionIAM, "DeleteAccessKey"}:      deleteAccessKey,
	{versionIAM, "GetAccessKeyLastUsed"}: getAccessKeyLastUsed,
	{versionSTS, "GetCallerIdentity"}:    getCallerIdentity,
}

// Answer carries out r, which is authenticated and whose caller keys stands
// for, and writes the answer in one write. Unknown parameters are passed over,
// as AWS does. requestID is ours, for the answer.
func (f Front) Answer(ctx context.Context, w http.ResponseWriter, r *dialect.Request, requestID string, keys dialect.Keys) dialect.Outcome {
	if ofS3(r) {
		return s3.Answer(ctx, w, r, requestID, keys)
	}
	form, err := readForm(r)
	if err != nil {
		return f.Refuse(w, r, requestID, err)
	}
	action := form["Action"]
	do, ok := operations[[2]string{form["Version"], action}]
	if !ok {
		return f.Refuse(w, r, requestID, &refusal{http.StatusBadRequest, "InvalidAction",
			"Could not find operation " + action + " for version " + form["Version"]})
	}
	result, err := do(ctx, form, keys)
	if err != nil {
		outcome := f.Refuse(w, r, requestID, err)
		outcome.Action = action
		return outcome
	}
	write(w, http.StatusOK, requestID, success(namespace(r), action, result, requestID))
	return dialect.Outcome{Action: action, Status: http.StatusOK}
}

func namespace(r *dialect.Request) string {
	if version, _ := parameter(r, "Version"); version == versionSTS {
		return namespaceSTS
	}
	return namespaceIAM
}
