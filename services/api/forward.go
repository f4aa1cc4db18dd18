package api

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/verify"
)

// Where a proxy asks whether the request that it holds may go on.
//
// nginx (auth_request) says what it holds in X-Original-Method, X-Original-URI and
// X-Original-Host, and takes no answers but 2xx, 401 and 403. Traefik (forwardAuth) and
// others say it in X-Forwarded-Method, -Uri and -Host, and hand any answer on. Both send
// the client's headers along, and no body. Which of the two is meant is said by the
// path, which the proxy's configuration has: were it said by the headers, a client could send
// those that its proxy does not replace. docs/gateways.md has the configurations.
const (
	pathForward      = "/v1/forward-auth"
	pathForwardNginx = "/v1/forward-auth/nginx"
)

// What a proxy adds to a request, in lower case: none of it is the client's.
const (
	headerGatewayToken = "X-Keyledger-Gateway-Token"
	prefixOurs         = "x-keyledger-"
	prefixOriginal     = "x-original-"
	prefixForwarded    = "x-forwarded-"
)

// forwardAuth verifies the request that a proxy describes. It answers 204 with who
// signed it, 401 if it is not genuine, 403 if it is and may not go on, and
// fails closed: 503, or 403 to a proxy that knows no other.
func (s *server) forwardAuth(w http.ResponseWriter, r *http.Request, id events.RequestID) {
	w.Header().Set("Cache-Control", "no-store")
	d, err := s.forwarded(r, id)
	switch {
	case err != nil:
		s.forwardFault(w, r, err, id)
	case d.Allowed:
		h := w.Header()
		h.Set("X-Keyledger-Key-Id", string(d.Key))
		h.Set("X-Keyledger-Account-Id", string(d.Owner.Account))
		h.Set("X-Keyledger-User-Id", string(d.Owner.User))
		h.Set("X-Keyledger-Scheme", d.Claim.Scheme)
		h.Set("X-Keyledger-Position", strconv.FormatUint(uint64(d.Position), 10))
		w.WriteHeader(http.StatusNoContent)
	case d.Genuine:
		forwardRefusal(w, http.StatusForbidden, d.Reason)
	default:
		w.Header().Set("WWW-Authenticate", "Signature")
		forwardRefusal(w, http.StatusUnauthorized, d.Reason)
	}
}

func forwardRefusal(w http.ResponseWriter, status int, reason string) {
	w.Header().Set("X-Keyledger-Reason", reason)
	w.WriteHeader(status)
}

// forwardFault answers where nothing could be decided.
func (s *server) forwardFault(w http.ResponseWriter, r *http.Request, err error, id events.RequestID) {
	p := s.logged(err, id)
	status := p.Status
	if r.URL.Path == pathForwardNginx && status != http.StatusUnauthorized {
		status = http.StatusForbidden
	}
	forwardRefusal(w, status, p.Code)
}

// forwarded is the decision about the request that a proxy describes. It is on record.
func (s *server) forwarded(r *http.Request, id events.RequestID) (verify.Decision, error) {
	if err := s.Verifier.Fresh(r.Context()); err != nil {
		return verify.Decision{}, err
	}
	gateway, err := s.gatewayByHeader(r)
	if err != nil {
		return verify.Decision{}, err
	}
	wire, err := originalOf(r, s.Dialects)
	if err != nil {
		return verify.Decision{}, err
	}
	d, err := s.Verifier.Verify(r.Context(), wire)
	if err != nil {
		return d, err
	}
	if d, err = asked(inbound{gateway: &gateway}, d); err != nil {
		return d, err
	}
	rec, ours := useOf(d, s.Now())
	if !ours {
		s.stranger(d, clientOf(r))
		return d, nil
	}
	rec.SourceIP, rec.UserAgent, rec.RequestID = clientOf(r), r.UserAgent(), string(id)
	if r.URL.Path == pathForwardNginx { // its configuration sets both; elsewhere they would be the client's
		rec.Service, rec.Action = orElse(r.Header.Get("X-Keyledger-Service"), rec.Service), r.Header.Get("X-Keyledger-Action")
	}
	return d, s.onRecord(r, rec)
}

func (s *server) onRecord(r *http.Request, rec access.Record) error {
	wait, err := s.Uses.Submit(rec)
	if err == nil {
		err = wait(r.Context())
	}
	if err != nil {
		return notRecorded(err)
	}
	return nil
}

// gatewayByHeader is the gateway that asks. Authorization is the client's here.
func (s *server) gatewayByHeader(r *http.Request) (GatewayToken, error) {
	as := http.Header{}
	for _, token := range r.Header.Values(headerGatewayToken) {
		as.Add("Authorization", "Bearer "+token)
	}
	return GatewayOf(s.Queries, &http.Request{Header: as})
}

// originalOf is the request that a proxy holds, without what the proxy has added. Its
// body is not here: where a scheme signs it, the digest that the client has sent
// stands for it, and whoever gets the body has to hold it to that.
func originalOf(r *http.Request, dialects []dialect.Dialect) (*dialect.Request, error) {
	family := "X-Forwarded-"
	if r.URL.Path == pathForwardNginx {
		family = "X-Original-"
	}
	part := func(name string) string { return once(r.Header.Values(family + name)) }
	wire := &dialect.Request{Method: part("Method"), Target: part("Uri"), Host: part("Host"), Source: clientOf(r)}
	if wire.Method == "" || wire.Target == "" || wire.Host == "" {
		return nil, problem(http.StatusBadRequest, codeInvalid,
			"the proxy has to say, each once, what it holds: "+family+"Method, "+family+"Uri and "+family+"Host")
	}
	wire.Header = append(wire.Header, dialect.Field{Name: "Host", Value: wire.Host})
	for name, values := range r.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, prefixOurs) || strings.HasPrefix(lower, prefixOriginal) || strings.HasPrefix(lower, prefixForwarded) {
			continue
		}
		for _, v := range values {
			wire.Header = append(wire.Header, dialect.Field{Name: name, Value: v})
		}
	}
	if length := r.Header.Get("X-Original-Content-Length"); length != "" && r.Header.Get("Content-Length") == "" {
		wire.Header = append(wire.Header, dialect.Field{Name: "Content-Length", Value: length})
	}
	for _, scheme := range dialect.Schemes(dialects) {
		if d, ok := scheme.(dialect.Digester); ok && wire.BodySum == nil {
			wire.BodySum = d.Digest(wire)
		}
	}
	return wire, nil
}

// clientOf is who connected to the proxy, by what the proxy says: the last hop.
func clientOf(r *http.Request) netip.Addr {
	text := ""
	if r.URL.Path == pathForwardNginx {
		text = once(r.Header.Values("X-Real-Ip"))
	} else {
		hops := strings.Split(once(r.Header.Values("X-Forwarded-For")), ",")
		text = strings.TrimSpace(hops[len(hops)-1])
	}
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.Zone() != "" {
		return netip.Addr{}
	}
	return ip.Unmap()
}

// once is the only value of a header; empty if there is none or more than one.
func once(values []string) string {
	if len(values) != 1 {
		return ""
	}
	return values[0]
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
