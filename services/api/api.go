// Package api is the ledger's HTTP face: the native API under /v1, its
// description at /openapi.json, the health of the process, and the doors through which
// vendors' own programs come in.
//
// The way in is [New], which gives an http.Handler. Every request but those for
// health and description is signed by an access key of the ledger; the signature is
// checked on the bytes as they came, before anything looks inside.
//
// The limits: it decides nothing. Who may do what is services/permission, what
// may happen is the aggregates', and every change goes through services/ledger.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/clientip"
	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/feed"
	"github.com/keyledger/keyledger/services/ledger"
	"github.com/keyledger/keyledger/services/permission"
	"github.com/keyledger/keyledger/services/verify"
)

// Headers of answers and requests. The prefix is the product's.
const (
	headerRequestID   = "X-Keyledger-Request-Id"
	headerPosition    = "X-Keyledger-Position"
	headerIdempotency = "Idempotency-Key"
)

// maxBody bounds a request's body in bytes.
const maxBody = 256 << 10

// Config is what the API stands on. All fields but Patience, Proxies, Observe, Decided and Metrics are required.
type Config struct {
	Ledger   *ledger.Ledger
	Queries  Queries
	Verifier *verify.Verifier
	Uses     Uses
	Records  Records
	Feed     *feed.Feed
	Patience Patience
	Dialects []dialect.Dialect // whose fronts are served
	Operator Operator
	Proxies  clientip.Proxies // who is believed about the addresses of others; the zero value is nobody
	Draw     interface {
		RequestID() (events.RequestID, error)
	}
	Now     func() time.Time
	Logger  *slog.Logger
	Version string
	// Observe is told of every request and gives the context it is served in; end is told
	// of its answer: the operation of the API description, or the door or path that it came
	// through, and the status. Nothing if it is nil.
	Observe func(*http.Request) (ctx context.Context, end func(operation string, status int))
	// Decided is told of every signed request what was answered about it: d, which is on
	// its way into the access records where they are not waited for and else is on record, or,
	// if err is not nil, that no verdict was given. Nothing if it is nil.
	Decided func(d verify.Decision, err error)
	// Metrics answers scrapes of /metrics; there is no such path if it is nil.
	Metrics http.Handler
}

type server struct {
	Config
	forward    *ForwardAuth
	doors      []door
	mux        *http.ServeMux
	open       map[string]http.HandlerFunc // by path: what needs no caller
	operations map[string]string           // by pattern
}

// New makes the handler.
func New(c Config) http.Handler {
	s := &server{Config: c, forward: NewForwardAuth(c), mux: http.NewServeMux()}
	for _, d := range c.Dialects {
		if d.Front != nil {
			s.doors = append(s.doors, door{s, d.Name, d.Front})
		}
	}
	native := humago.New(s.mux, s.describe())
	native.UseMiddleware(refuseBody)
	s.register(native)
	s.operations = operations(native)
	s.open = s.openPaths(native)
	describeForwardAuth(native)
	return s
}

// describe is the head of the OpenAPI document.
func (s *server) describe() huma.Config {
	c := huma.DefaultConfig("Keyledger", s.Version)
	c.Info.Description = "An event-sourced ledger of access keys. Requests are signed by an access key, for example with AWS Signature Version 4 (service \"keyledger\"). A member that may be left out may as well be null. Beside these paths the vendors' own APIs are answered, recognised by the shape of their requests."
	c.DocsPath, c.SchemasPath = "", ""
	c.CreateHooks = nil // no $schema fields and no Link headers
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"proxy":   {Type: "apiKey", In: "header", Name: headerGatewayToken, Description: "a gateway token (klgw_...), where a proxy asks"},
		"gateway": {Type: "http", Scheme: "bearer", Description: "a gateway token (klgw_...), where verification is asked for"},
		"sigv4":   {Type: "apiKey", In: "header", Name: "Authorization", Description: "AWS4-HMAC-SHA256 signature by an access key of the ledger"},
	}
	c.Security = []map[string][]string{{"sigv4": {}}}
	return c
}

// register lists every route. Each names the operation of the permission table
// that it is.
func (s *server) register(api huma.API) {
	s.accountRoutes(api)
	s.userRoutes(api)
	s.keyRoutes(api)
	s.gatewayRoutes(api)
	s.auditRoutes(api)
	s.operatorRoutes(api)
	s.recordRoutes(api)
	s.eventRoutes(api)
	s.verifyRoutes(api)
	s.explainRoutes(api)
}

// A route is one line of the API.
type route struct {
	method, path string
	id, summary  string
	status       int
	tag          string
}

func add[I, O any](api huma.API, r route, h func(context.Context, *I) (*O, error)) {
	register(api, describeRoute(r), h)
}

// describeRoute is what the OpenAPI document says of a route before its input and
// output are known.
func describeRoute(r route) huma.Operation {
	return huma.Operation{
		Parameters: parameters(r), Security: security(r), Description: description(r),
		OperationID: r.id, Method: r.method, Path: r.path, Summary: r.summary, Tags: []string{r.tag},
		DefaultStatus: r.status, MaxBodyBytes: maxBody + 1, // huma refuses what is as large
		RejectUnknownQueryParameters: true,
		Errors:                       []int{400, 401, 403, 404, 409, 410, 413, 415, 422, 500, 503},
	}
}

func register[I, O any](api huma.API, o huma.Operation, h func(context.Context, *I) (*O, error)) {
	huma.Register(api, o, func(ctx context.Context, in *I) (*O, error) {
		out, err := h(ctx, in)
		if err != nil {
			return nil, faultOf(ctx, err)
		}
		return out, nil
	})
}

// security is what an operation may be authenticated by besides the usual; nil if
// there is nothing.
func security(r route) []map[string][]string {
	if !verifications[r.id] {
		return nil
	}
	return []map[string][]string{{"sigv4": {}}, {"gateway": {}}}
}

// parameters are those of every operation of a kind: what changes something can be
// sent again under the same name.
func parameters(r route) []*huma.Param {
	if r.method == http.MethodGet || r.tag == tagVerification {
		return nil
	}
	longest, shortest := 130, 1
	return []*huma.Param{{
		Name: headerIdempotency, In: "header", Schema: &huma.Schema{Type: "string", MinLength: &shortest, MaxLength: &longest},
		Description: "names the request, 1 to 128 printable ASCII characters other than '#': sent again with the same body it is answered as it was, and acts once; with another it is refused (request.reused)",
	}}
}

// description is what there is to say of an operation beside its summary.
func description(r route) string {
	switch {
	case verifications[r.id]:
		return "Nothing is remembered of an answer: a request that is sent again is decided about anew, and recorded again. The request_id of a verdict is for the caller to keep: it stands in the access record."
	case r.tag == tagVerification:
		return "Nothing is recorded of the request in question: one that is sent again is explained anew."
	}
	return ""
}

// tagVerification is of the operations that decide about requests and change nothing.
const tagVerification = "verification"

// refuseBody refuses a body that an operation would not read: whoever sends one
// expects something of it.
func refuseBody(ctx huma.Context, next func(huma.Context)) {
	if in := inboundOf(ctx.Context()); in.body && ctx.Operation().RequestBody == nil {
		p := problem(http.StatusUnprocessableEntity, codeInvalid, "this operation takes no body; send none")
		_, w := humago.Unwrap(ctx)
		writeProblem(w, p, in.request.ID)
		return
	}
	next(ctx)
}

// faultOf is the problem for err; a fault of ours is logged here and nowhere else.
func faultOf(ctx context.Context, err error) error {
	p := problemOf(err)
	in := inboundOf(ctx)
	p.RequestID = string(in.request.ID)
	if p.Status == http.StatusForbidden {
		in.call.forbid()
	}
	if p.Code == codeInternal {
		in.log.Error("a request failed", "request_id", p.RequestID, "error", err)
	}
	return p
}

// allow is nil if the caller may do op to t. What it may not even see is answered by
// hidden, as an unknown one would be.
func allow(ctx context.Context, op permission.Operation, t permission.Target, hidden error) error {
	switch inboundOf(ctx).caller.May(op, t) {
	case permission.Allowed:
		return nil
	case permission.Hidden:
		return hidden
	}
	return problem(http.StatusForbidden, codeDenied, "the caller's role does not allow "+string(op))
}
