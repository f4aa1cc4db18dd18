package tencent

import (
	"context"
	"net/http"
	"strings"

	"github.com/keyledger/keyledger/services/dialect"
)

// version is the one version of the CAM API.
const version = "2019-01-16"

// Front is the access-key operations of the CAM API, as a [dialect.Front].
type Front struct{}

// Recognise reports whether r wants to be a request to an API of this vendor: one that is signed by TC3 or has the
// parameters of signature v1, wherever it goes, or one of "/" that is not signed another vendor's way and has an
// X-TC-Action header or an Action and CAM's Version.
func (Front) Recognise(r *dialect.Request) bool {
	if r.Native() {
		return false
	}
	foreign := false
	for _, value := range r.Values("Authorization") {
		if strings.HasPrefix(value, "TC3-") {
			return true
		}
		foreign = true
	}
	return !foreign && (speaksV1(r) || r.Path() == "/" && (r.Values("X-TC-Action") != nil || namesCAM(r)))
}

// namesCAM reports whether a request names an operation of CAM by its form.
func namesCAM(r *dialect.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return false
	}
	text := formText(r)
	asked, _ := peek(text, "Version")
	action, _ := peek(text, "Action")
	return asked == version && action != ""
}

// Action is the operation that r names.
func (Front) Action(r *dialect.Request) string {
	if speaksV1(r) {
		action, _ := peek(formText(r), "Action")
		return action
	}
	return r.Get("X-TC-Action")
}

// Service is "cam": the scope of a signature has what its client took for the service, which may be part of
// an IP address.
func (Front) Service(*dialect.Request) string { return "cam" }

// Identity is the signature of a request signed by v1: it covers a nonce and the time, so that only a
// repetition has the same. TC3 gives a request no identity: two that are the same within one second have one
// signature.
func (Front) Identity(r *dialect.Request) string {
	if !speaksV1(r) {
		return ""
	}
	signature, _ := peek(formText(r), "Signature")
	if len(signature) > 64 || strings.ContainsFunc(signature, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return ""
	}
	return signature
}

// CheckScope refuses a claim that was not made by this vendor's schemes, and one that does not cover the
// body. It returns a [*dialect.MalformedError].
func (Front) CheckScope(_ *dialect.Request, c dialect.Claim) error {
	if c.Scheme != algorithm && !strings.HasPrefix(c.Scheme, "TC-V1-") {
		return malformed(CodeScheme, "a request to this API must be signed by TC3-HMAC-SHA256, HmacSHA256 or HmacSHA1")
	}
	if !c.Covers.Has(dialect.Method | dialect.Path | dialect.Query | dialect.Body) {
		return malformed(CodeBodyUnsigned, "a request that manages access keys must sign its body: send no X-TC-Content-SHA256")
	}
	return nil
}

// An operation reads its parameters from p and returns the members of the answer, nil if there are none.
type operation struct {
	takes []string // the names of its parameters
	do    func(ctx context.Context, p parameters, keys dialect.Keys) (answer, error)
}

// operations is every operation that is answered, by Action.
var operations = map[string]operation{
	"CreateAccessKey":     {[]string{"TargetUin", "Description"}, createAccessKey},
	"ListAccessKeys":      {[]string{"TargetUin"}, listAccessKeys},
	"UpdateAccessKey":     {[]string{"AccessKeyId", "Status", "TargetUin"}, updateAccessKey},
	"DeleteAccessKey":     {[]string{"AccessKeyId", "TargetUin"}, deleteAccessKey},
	"GetSecurityLastUsed": {[]string{"SecretIdList"}, getSecurityLastUsed},
}

// Answer carries out r, which is authenticated and whose caller keys stands for, and writes the answer in
// one write. Every answer has the status 200, as this vendor's clients want it.
func (f Front) Answer(ctx context.Context, w http.ResponseWriter, r *dialect.Request, requestID string, keys dialect.Keys) dialect.Outcome {
	action := f.Action(r)
	body, err := carryOut(ctx, r, action, keys)
	if err != nil {
		outcome := f.Refuse(w, r, requestID, err)
		if _, known := operations[action]; known {
			outcome.Action = action
		}
		return outcome
	}
	write(w, requestID, body)
	return dialect.Outcome{Action: action, Status: http.StatusOK}
}

func carryOut(ctx context.Context, r *dialect.Request, action string, keys dialect.Keys) (answer, error) {
	if r.Path() != "/" {
		return nil, &refusal{"InvalidAction", "CAM " + version + " is served at the path / only."}
	}
	c, err := readCall(r)
	if err != nil {
		return nil, err
	}
	if c.version != version {
		return nil, &refusal{"NoSuchVersion", "The version of the API must be " + version + "."}
	}
	op, known := operations[action]
	if !known {
		return nil, &refusal{"InvalidAction", "This operation is not one of CAM " + version + " that is served here."}
	}
	if err := c.parameters.only(op.takes); err != nil {
		return nil, err
	}
	return op.do(ctx, c.parameters, keys)
}
