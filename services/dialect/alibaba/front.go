package alibaba

import (
	"context"
	"net/http"
	"strings"

	"github.com/keyledger/keyledger/services/dialect"
)

// Front is the part of the RAM and IMS APIs that manages access keys, as a
// [dialect.Front]. Both are called at "/", the operation named in a header or a parameter.
type Front struct{}

// Recognise reports whether r wants to be a request to one of the vendor's APIs: one that is signed the vendor's way,
// wherever it goes, or a GET or POST of "/" that is not signed at all and names an operation of RAM or IMS.
func (Front) Recognise(r *dialect.Request) bool {
	switch {
	case r.Native():
		return false
	case byHeader(r):
		return true
	case r.Get("Authorization") != "":
		return false
	}
	return isRPC(r) || served(r) && serviceOf(operationOf(r).version) != "" && operationOf(r).action != ""
}

// served says whether r goes where both APIs are.
func served(r *dialect.Request) bool {
	return r.Path() == "/" && (r.Method == http.MethodGet || r.Method == http.MethodPost)
}

// byHeader says whether the request is signed in its Authorization header.
func byHeader(r *dialect.Request) bool {
	for i := range r.Header {
		f := &r.Header[i]
		if strings.EqualFold(f.Name, "Authorization") && strings.HasPrefix(f.Value, "ACS3-") {
			return true
		}
	}
	return false
}

// An api names an operation of an API.
type api struct{ version, action string }

// operationOf is the operation that r asks for: named in headers, unless it is signed by
// parameters, which the headers are not part of, or has no such headers.
func operationOf(r *dialect.Request) api {
	named := api{r.Get(headerAPI), r.Get(headerAction)}
	if byHeader(r) || named.action != "" && !isRPC(r) {
		return named
	}
	return api{parameterOf(r, paramAPI), parameterOf(r, paramAction)}
}

func parameterOf(r *dialect.Request, name string) string {
	value, ok := peek(r.Query(), name)
	if !ok && isForm(r) {
		value, _ = peek(string(r.Body), name)
	}
	return value
}

// Action is the operation that r names.
func (Front) Action(r *dialect.Request) string { return operationOf(r).action }

// Identity is the nonce that r is signed with: a request that is sent again as it was, by
// whoever, is the same.
func (Front) Identity(r *dialect.Request) string {
	nonce := parameterOf(r, paramNonce)
	if byHeader(r) {
		nonce = r.Get(headerNonce)
	}
	if len(nonce) > 128 || !goodNonce(nonce) {
		return ""
	}
	return nonce
}

// CheckScope refuses a claim that does not cover what the request is understood by.
// It returns a [*dialect.MalformedError].
func (Front) CheckScope(r *dialect.Request, c dialect.Claim) error {
	if c.Scheme != acs3 && c.Scheme != rpc {
		return malformed(CodeNotThisAPI, "the request must be signed by "+acs3+" or "+rpcMethod)
	}
	if len(r.Body) > 0 && !c.Covers.Has(dialect.Body) {
		return malformed(CodeBodyUnsigned, "a body that is no form is not signed by "+rpcMethod+"; send a form, or sign by "+acs3)
	}
	return nil
}

// An operation reads its parameters from p and returns what it answers with, nil if that is
// nothing but that it is done.
type operation func(ctx context.Context, p parameters, keys dialect.Keys) (result any, err error)

// operations is every operation that is answered.
var operations = map[api]operation{
	{versionRAM, "CreateAccessKey"}:      createAccessKey,
	{versionRAM, "ListAccessKeys"}:       listAccessKeys,
	{versionRAM, "UpdateAccessKey"}:      updateAccessKey,
	{versionRAM, "DeleteAccessKey"}:      deleteAccessKey,
	{versionRAM, "GetAccessKeyLastUsed"}: getAccessKeyLastUsed,

	{versionIMS, "CreateAccessKey"}:                createAccessKey,
	{versionIMS, "ListAccessKeys"}:                 listAccessKeys,
	{versionIMS, "UpdateAccessKey"}:                updateAccessKey,
	{versionIMS, "DeleteAccessKey"}:                deleteAccessKey,
	{versionIMS, "GetAccessKeyLastUsed"}:           getAccessKeyLastUsed,
	{versionIMS, "ListAccessKeysInRecycleBin"}:     listAccessKeysInRecycleBin,
	{versionIMS, "GetAccessKeyInfoInRecycleBin"}:   getAccessKeyInfoInRecycleBin,
	{versionIMS, "RestoreAccessKeyFromRecycleBin"}: restoreAccessKeyFromRecycleBin,
	{versionIMS, "DeleteAccessKeyInRecycleBin"}:    deleteAccessKeyInRecycleBin,
	{versionIMS, "SetAccessKeyPolicy"}:             setAccessKeyPolicy,
	{versionIMS, "GetAccessKeyPolicy"}:             getAccessKeyPolicy,
	{versionIMS, "SetAccessKeyPolicyForAccount"}:   setAccessKeyPolicyForAccount,
	{versionIMS, "GetAccessKeyPolicyForAccount"}:   getAccessKeyPolicyForAccount,
	{versionIMS, "GetAccountSummary"}:              getAccountSummary,
}

// Answer carries out r, which is authenticated and whose caller keys stands
// for, and writes the answer in one write. Unknown parameters are passed over,
// as the vendor does. requestID is ours, for the answer.
func (f Front) Answer(ctx context.Context, w http.ResponseWriter, r *dialect.Request, requestID string, keys dialect.Keys) dialect.Outcome {
	named := operationOf(r)
	result, err := perform(ctx, r, named, keys)
	if err != nil {
		outcome := f.Refuse(w, r, requestID, err)
		if _, known := operations[named]; known {
			outcome.Action = named.action
		}
		return outcome
	}
	write(w, http.StatusOK, formatOf(r), requestID, named.action+"Response", result)
	return dialect.Outcome{Action: named.action, Status: http.StatusOK}
}

func perform(ctx context.Context, r *dialect.Request, named api, keys dialect.Keys) (any, error) {
	p, err := readParameters(r)
	if err != nil {
		return nil, err
	}
	do, known := operations[named]
	switch {
	case !served(r):
		return nil, &refusal{http.StatusNotFound, "InvalidAction.NotFound", "The specified API is not found: RAM and IMS are at the path / and take GET and POST."}
	case p.format != "" && !strings.EqualFold(p.format, formatJSON) && !strings.EqualFold(p.format, formatXML):
		return nil, &refusal{http.StatusBadRequest, "InvalidParameter.Format", "The parameter Format must be JSON or XML."}
	case serviceOf(named.version) == "":
		return nil, &refusal{http.StatusBadRequest, "InvalidVersion", "The specified version is not known here; RAM is " + versionRAM + ", IMS is " + versionIMS + "."}
	case !known:
		return nil, &refusal{http.StatusNotFound, "InvalidAction.NotFound", "The specified action is not found here for the version " + named.version + "."}
	}
	p.ims = named.version == versionIMS
	return do(ctx, p, keys)
}
