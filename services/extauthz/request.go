package extauthz

import (
	"net/netip"
	"strings"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/keyledger/keyledger/services/api"
	"github.com/keyledger/keyledger/services/clientip"
	"github.com/keyledger/keyledger/services/dialect"
)

// Names of context_extensions, which an Envoy's configuration has for each route.
const (
	extensionService = "service" // what the route is for
	extensionAction  = "action"  // what its requests want to do
	extensionBody    = "body"    // bodyDigest, or nothing
	// bodyDigest says that bodies are not sent here, so that the digest that
	// the client has sent stands for them. It has to be said: that no body came could
	// as well mean that somebody on the way has taken it off a signed request.
	bodyDigest = "digest"
)

// headerPartial is how Envoy says that the body it sends is not all of it.
const headerPartial = "x-envoy-auth-partial-body"

// A request is what Envoy says about a request that it holds.
type request struct {
	http       *auth.AttributeContext_HttpRequest
	extensions map[string]string
	peer       netip.Addr // who Envoy spoke with; invalid if that has no address
	lines      []dialect.Field
	cut        bool // Envoy says that the body is not all of it
}

// read reads a message. The error is INVALID_ARGUMENT and says what Envoy's configuration
// would have to be.
func read(in *auth.CheckRequest) (request, error) {
	attributes := in.GetAttributes()
	r := request{http: attributes.GetRequest().GetHttp(), extensions: attributes.GetContextExtensions()}
	if r.http.GetMethod() == "" || r.http.GetPath() == "" || r.http.GetHost() == "" {
		return r, status.Error(codes.InvalidArgument, "the message has to name the method, the path and the host of an HTTP request")
	}
	if body := r.extensions[extensionBody]; body != "" && body != bodyDigest {
		return r, status.Error(codes.InvalidArgument, `the context extension "body" is "digest" where bodies are not sent, and is left out where they are`)
	}
	if r.http.GetBody() != "" {
		return r, status.Error(codes.InvalidArgument, "the body came as text, which is not always what the client has sent: set pack_as_bytes: true in with_request_body")
	}
	r.peer, _ = clientip.Hop(attributes.GetSource().GetAddress().GetSocketAddress().GetAddress())
	r.readLines()
	return r, nil
}

// readLines takes the header as Envoy has it: line by line (encode_raw_headers), or
// with the values of one name joined.
func (r *request) readLines() {
	if raw := r.http.GetHeaderMap().GetHeaders(); len(raw) > 0 {
		for _, h := range raw {
			value := h.GetValue()
			if value == "" {
				value = string(h.GetRawValue())
			}
			r.readLine(h.GetKey(), value)
		}
		return
	}
	for name, value := range r.http.GetHeaders() {
		r.readLine(name, value)
	}
}

// readLine leaves out the pseudo headers of HTTP/2, which are in fields of their own.
func (r *request) readLine(name, value string) {
	switch {
	case strings.HasPrefix(name, ":") || strings.EqualFold(name, "Host"):
	case strings.EqualFold(name, headerPartial):
		r.cut = r.cut || !strings.EqualFold(strings.TrimSpace(value), "false")
	default:
		r.lines = append(r.lines, dialect.Field{Name: name, Value: value})
	}
}

// bodiless says that the client's own digest has to stand for the body.
func (r *request) bodiless() bool {
	return r.extensions[extensionBody] == bodyDigest && (r.cut || len(r.http.GetRawBody()) == 0)
}

// partial says that a part of the body came where all of it is needed. A client can
// say so too, and gets no further by it.
func (r *request) partial() bool { return r.cut && !r.bodiless() && len(r.http.GetRawBody()) > 0 }

// held is the request as it came off the wire at Envoy.
func (r *request) held(proxies clientip.Proxies) api.Held {
	wire := &dialect.Request{Method: r.http.GetMethod(), Target: r.http.GetPath(), Host: r.http.GetHost(), Body: r.http.GetRawBody()}
	wire.Header = append(wire.Header, dialect.Field{Name: "Host", Value: wire.Host})
	var hops []string
	for _, f := range r.lines {
		if strings.EqualFold(f.Name, "X-Forwarded-For") {
			hops = append(hops, f.Value)
		}
		if api.OfClient(f.Name) {
			wire.Header = append(wire.Header, f)
		}
	}
	return api.Held{
		Request: wire, Bodiless: r.bodiless(), Client: proxies.Client(r.peer, hops),
		Service: r.extensions[extensionService], Action: r.extensions[extensionAction],
	}
}
