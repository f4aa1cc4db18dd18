package api

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/clientip"
	"github.com/keyledger/keyledger/services/dialect"
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
	a, p := s.forwarded(r, id)
	if p != nil {
		a = Refusal(forwardStatus(r, p.Status), p.Code)
		if p.Status == http.StatusBadRequest { // whoever configures the proxy is to learn what it leaves out
			a.Header = append(a.Header, dialect.Field{Name: headerDetail, Value: p.Detail})
		}
	}
	for _, f := range a.Header {
		w.Header().Set(f.Name, f.Value)
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(a.Status)
}

// forwardStatus is the status where nothing could be decided: nginx makes 500 of any
// that it does not know.
func forwardStatus(r *http.Request, status int) int {
	if r.URL.Path == pathForwardNginx && status != http.StatusUnauthorized {
		return http.StatusForbidden
	}
	return status
}

// forwarded is the answer about the request that a proxy describes.
func (s *server) forwarded(r *http.Request, id events.RequestID) (Answer, *Problem) {
	g, p := s.forward.Gateway(r.Context(), id, asAuthorization(r.Header.Values(headerGatewayToken)))
	if p != nil {
		return Answer{}, p
	}
	wire, p := originalOf(r)
	if p != nil {
		return Answer{}, p
	}
	h := Held{ID: id, Request: wire, Bodiless: true, Client: clientOf(s.Proxies, r)}
	if r.URL.Path == pathForwardNginx { // its configuration sets both; elsewhere they would be the client's
		h.Service, h.Action = r.Header.Get("X-Keyledger-Service"), r.Header.Get("X-Keyledger-Action")
	}
	return s.forward.Decide(r.Context(), g, h)
}

// asAuthorization is the gateway's tokens as Authorization says them, which is the
// client's here.
func asAuthorization(tokens []string) []string {
	var out []string
	for _, token := range tokens {
		out = append(out, "Bearer "+token)
	}
	return out
}

// originalOf is the request that a proxy holds, without what the proxy has added. Its
// body is not here.
func originalOf(r *http.Request) (*dialect.Request, *Problem) {
	family := "X-Forwarded-"
	if r.URL.Path == pathForwardNginx {
		family = "X-Original-"
	}
	var wrong []string
	part := func(name string) string {
		value := once(r.Header.Values(family + name))
		if value == "" {
			wrong = append(wrong, family+name)
		}
		return value
	}
	wire := &dialect.Request{Method: part("Method"), Target: part("Uri"), Host: part("Host")}
	if len(wrong) > 0 {
		return nil, problem(http.StatusBadRequest, codeInvalid, "the proxy has to say what it holds; missing, empty or there more than once: "+strings.Join(wrong, ", "))
	}
	wire.Header = append(wire.Header, dialect.Field{Name: "Host", Value: wire.Host})
	for name, values := range r.Header {
		if !OfClient(name) {
			continue
		}
		for _, v := range values {
			wire.Header = append(wire.Header, dialect.Field{Name: name, Value: v})
		}
	}
	if length := r.Header.Get("X-Original-Content-Length"); length != "" && r.Header.Get("Content-Length") == "" {
		wire.Header = append(wire.Header, dialect.Field{Name: "Content-Length", Value: length})
	}
	return wire, nil
}

// clientOf is who sent the request that a proxy holds. The proxy is believed for its
// token, so what it says it spoke with is the peer: X-Real-IP says so for nginx,
// and the last of X-Forwarded-For for others.
func clientOf(p clientip.Proxies, r *http.Request) netip.Addr {
	hops := r.Header.Values("X-Forwarded-For")
	if r.URL.Path != pathForwardNginx {
		return p.Behind(hops)
	}
	peer, _ := clientip.Hop(once(r.Header.Values("X-Real-Ip")))
	return p.Client(peer, hops)
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
