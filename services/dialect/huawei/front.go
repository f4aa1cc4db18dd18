package huawei

import (
	"context"
	"net/http"
	"strings"

	"github.com/keyledger/keyledger/services/dialect"
)

// Front is the part of the IAM API that manages access keys, as a [dialect.Front].
type Front struct{}

// serviceIAM is what a V11 signature to this API is made for.
const serviceIAM = "iam"

// A call is a request to one of the routes.
type call struct {
	user, key string // of the path
	query     map[string]string
	body      []byte
	keys      dialect.Keys
}

// An operation carries out a call and returns its status and what is written as JSON,
// nil for nothing.
type operation func(ctx context.Context, c *call) (status int, answer any, err error)

// A route is an operation with the vendor's name for it. In a path, USER and KEY stand
// for one segment each.
type route struct {
	method, path, action string
	do                   operation
}

const (
	pathV3 = "/v3.0/OS-CREDENTIAL/credentials"
	pathV5 = "/v5/users/USER/access-keys"
)

// routes is every operation that is answered.
// https://support.huaweicloud.com/intl/en-us/api-iam/iam_03_0001.html
// https://support.huaweicloud.com/intl/en-us/api-iam5/CreateAccessKeyV5.html
var routes = []route{
	{http.MethodPost, pathV3, "CreatePermanentAccessKey", createPermanent},
	{http.MethodGet, pathV3, "ListPermanentAccessKeys", listPermanent},
	{http.MethodGet, pathV3 + "/KEY", "ShowPermanentAccessKey", showPermanent},
	{http.MethodPut, pathV3 + "/KEY", "UpdatePermanentAccessKey", updatePermanent},
	{http.MethodDelete, pathV3 + "/KEY", "DeletePermanentAccessKey", deletePermanent},
	{http.MethodPost, pathV5, "CreateAccessKeyV5", createV5},
	{http.MethodGet, pathV5, "ListAccessKeysV5", listV5},
	{http.MethodPut, pathV5 + "/KEY", "UpdateAccessKeyV5", updateV5},
	{http.MethodDelete, pathV5 + "/KEY", "DeleteAccessKeyV5", deleteV5},
	{http.MethodGet, pathV5 + "/KEY/last-used", "ShowAccessKeyLastUsedV5", showLastUsedV5},
	{http.MethodGet, "/v3/auth/domains", "KeystoneListAuthDomains", listDomains},
}

// find returns the route of a request and what its path names. byPath says that the path is
// known, if only with another method.
func find(r *dialect.Request) (found *route, c call, byPath bool) {
	path := r.Path()
	for i := range routes {
		named, ok := routes[i].match(path)
		if !ok {
			continue
		}
		byPath = true
		if routes[i].method == r.Method {
			return &routes[i], named, true
		}
	}
	return nil, call{}, byPath
}

func (t *route) match(path string) (c call, ok bool) {
	pattern := t.path
	if strings.Count(path, "/") != strings.Count(pattern, "/") {
		return c, false
	}
	for pattern != "" || path != "" {
		var want, got string
		want, pattern, _ = strings.Cut(pattern, "/")
		got, path, _ = strings.Cut(path, "/")
		switch {
		case want == "USER" && got != "":
			c.user = got
		case want == "KEY" && got != "":
			c.key = got
		case want != got:
			return c, false
		}
	}
	return c, true
}

// Recognise reports whether r wants to be a request to this vendor: one to a path of
// this API, or one that is signed the vendor's way. Paths under /v1/ are the native API's,
// whoever signs.
func (Front) Recognise(r *dialect.Request) bool {
	if _, _, byPath := find(r); byPath {
		return true
	}
	if strings.HasPrefix(r.Path()+"/", "/v1/") {
		return false
	}
	for _, value := range r.Values("Authorization") {
		value = strings.TrimLeft(value, " \t")
		if strings.HasPrefix(value, familySDK) || strings.HasPrefix(value, familyV11) {
			return true
		}
	}
	return false
}

// Action is the operation that r asks for.
func (Front) Action(r *dialect.Request) string {
	if t, _, _ := find(r); t != nil {
		return t.action
	}
	return ""
}

// Service is "iam" for a path of this API: a signature by SDK-HMAC-SHA256 has no scope.
func (Front) Service(r *dialect.Request) string {
	if _, _, byPath := find(r); byPath {
		return serviceIAM
	}
	return ""
}

// Identity returns "": the vendor's clients do not name their requests.
func (Front) Identity(*dialect.Request) string { return "" }

// CheckScope refuses a claim that was not made for this API: one for another
// service, a presigned one, and one that does not cover the body.
// It returns a [*dialect.MalformedError].
func (Front) CheckScope(_ *dialect.Request, c dialect.Claim) error {
	switch {
	case c.Service != "" && c.Service != serviceIAM:
		return malformed(CodeScopeService, "the signature must be made for the service iam")
	case c.Presigned:
		return malformed(CodePresigned, "a presigned request cannot manage access keys: sign it with an Authorization header")
	case !c.Covers.Has(dialect.Method | dialect.Path | dialect.Query | dialect.Body):
		return malformed(CodePayloadUnsigned, "the signature must cover the body: send JSON, or leave X-Sdk-Content-Sha256 out")
	}
	return nil
}

// Answer carries out r, which is authenticated and whose caller keys stands
// for, and writes the answer in one write. requestID is ours, for the answer.
func (f Front) Answer(ctx context.Context, w http.ResponseWriter, r *dialect.Request, requestID string, keys dialect.Keys) dialect.Outcome {
	t, c, _ := find(r)
	if t == nil {
		return f.Refuse(w, r, requestID, errNoAPI)
	}
	status, answer, err := t.carryOut(ctx, &c, r, keys)
	if err != nil {
		outcome := f.Refuse(w, r, requestID, c.named(err))
		outcome.Action = t.action
		return outcome
	}
	write(w, status, requestID, answer)
	return dialect.Outcome{Action: t.action, Status: status}
}

func (t *route) carryOut(ctx context.Context, c *call, r *dialect.Request, keys dialect.Keys) (status int, answer any, err error) {
	if c.query, err = readQuery(r.Query()); err != nil {
		return 0, nil, err
	}
	c.body, c.keys = r.Body, keys
	if c.key != "" && !isName(c.key) {
		return 0, nil, notFound("credential", "")
	}
	if c.user != "" && !isName(c.user) {
		return 0, nil, notFound("user", "")
	}
	return t.do(ctx, c)
}
