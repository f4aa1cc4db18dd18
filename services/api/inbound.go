package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/ledger"
	"github.com/keyledger/keyledger/services/permission"
	"github.com/keyledger/keyledger/services/verify"
)

// inbound is a request whose caller is known.
type inbound struct {
	caller  permission.Caller
	gateway *GatewayToken // if it is a gateway that asks, and no caller
	request ledger.Request
	body    bool            // there is one
	call    *managementCall // nil if it is a gateway that asks
	log     *slog.Logger
}

type inboundKey struct{}

func inboundOf(ctx context.Context) inbound {
	in, _ := ctx.Value(inboundKey{}).(inbound)
	if in.log == nil {
		in.log = slog.New(slog.DiscardHandler)
	}
	return in
}

// ServeHTTP answers a request and tells of it.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.Observe == nil {
		s.answer(w, r)
		return
	}
	o := &observed{ResponseWriter: w, status: http.StatusOK, operation: "none"}
	ctx, end := s.Observe(r)
	defer func() { end(o.operation, o.status) }()
	s.answer(o, r.WithContext(ctx))
}

// answer reads the whole request, finds out who sends it, and passes it on.
func (s *server) answer(w http.ResponseWriter, r *http.Request) {
	id, err := s.Draw.RequestID()
	if err != nil {
		s.Logger.Error("no randomness for a request ID", "error", err)
		writeProblem(w, problem(http.StatusInternalServerError, codeInternal, "something went wrong on our side; it has been logged"), "")
		return
	}
	w.Header().Set(headerRequestID, string(id))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if answer := s.open[r.URL.Path]; answer != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		operation(w, strings.TrimPrefix(r.URL.Path, "/"))
		answer(w, r)
		return
	}
	if r.URL.Path == pathForward || r.URL.Path == pathForwardNginx {
		operation(w, "forward-auth")
		s.forwardAuth(w, r, id)
		return
	}
	body, p := readBody(w, r)
	wire := dialect.FromHTTP(r, body)
	wire.Source = s.client(r)
	for _, d := range s.doors {
		if d.front.Recognise(wire) {
			operation(w, d.name)
			d.open(w, r, wire, id, p)
			return
		}
	}
	if p != nil {
		writeProblem(w, p, id)
		return
	}
	name := s.operation(r)
	if name != "" {
		operation(w, name)
	}
	s.native(w, r, wire, id, name)
}

// mostBodies is the size, in bytes, up to which memory is given for a body because its length is announced.
const mostBodies = 16 << 10

// readBody is the whole body, or what could be read of it and why there is no more.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *Problem) {
	if n := r.ContentLength; n >= 0 && n <= mostBodies { // net/http lets no more through
		body := make([]byte, n)
		n, err := io.ReadFull(r.Body, body)
		if err != nil {
			return body[:n], problem(http.StatusBadRequest, codeMalformed, "the body could not be read to its end")
		}
		return body, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return body, problem(http.StatusRequestEntityTooLarge, codeTooLarge, fmt.Sprintf("the body is larger than %d bytes", maxBody))
	case err != nil:
		return body, problem(http.StatusBadRequest, codeMalformed, "the body could not be read to its end")
	}
	return body, nil
}

// native serves a request to the native API, to the operation of that name, if it is one.
func (s *server) native(w http.ResponseWriter, r *http.Request, wire *dialect.Request, id events.RequestID, name string) {
	in, p := s.enter(r, wire, id, name)
	if p != nil {
		writeProblem(w, p, id)
		return
	}
	defer in.call.settle()
	w.Header().Set(headerRequestID, string(in.request.ID))
	w.Header().Set("Cache-Control", "no-store")
	if name == "" || !straight(r.URL.Path) {
		s.notFound(w, r, in.request.ID)
		return
	}
	if name == verifyOne && s.answerVerify(w, r, wire.Body, in) {
		return
	}
	if p := wellFormed(r, wire.Body); p != nil {
		writeProblem(w, p, in.request.ID)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(wire.Body))
	s.mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), inboundKey{}, in)))
}

// enter finds out who sends a request to the native API: whoever signed it or, where
// verification is asked for, a gateway.
func (s *server) enter(r *http.Request, wire *dialect.Request, id events.RequestID, name string) (inbound, *Problem) {
	if verifications[name] && offersToken(r) {
		return s.inboundGateway(r, wire, id)
	}
	d, err := s.Verifier.Verify(r.Context(), wire)
	if err != nil {
		s.decided(d, err)
		return inbound{}, s.logged(err, id)
	}
	if d.Allowed && !complete(d.Claim) {
		d.Allowed, d.Reason = false, reasonIncomplete
	}
	call := s.managementCall(r, wire, d, serviceNative, name, id)
	in, p := s.inboundNative(r, wire, d, id)
	if p != nil {
		call.settle()
		return in, p
	}
	call.record.RequestID, in.call = string(in.request.ID), call
	return in, nil
}

// offersToken says whether a request has a token in the place of a signature.
func offersToken(r *http.Request) bool {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "Bearer")
}

// inboundGateway is a request of a gateway.
func (s *server) inboundGateway(r *http.Request, wire *dialect.Request, id events.RequestID) (inbound, *Problem) {
	g, p := s.forward.Gateway(r.Context(), id, r.Header.Values("Authorization"))
	if p != nil {
		return inbound{}, p
	}
	named, p := requestID(r)
	if p != nil {
		return inbound{}, p
	}
	if named != "" {
		id = named
	}
	return inbound{gateway: &g, log: s.Logger, body: len(wire.Body) > 0, request: ledger.Request{ID: id}}, nil
}

// notFound answers for a path or a method that is none of ours, as ServeMux
// tells them apart.
func (s *server) notFound(w http.ResponseWriter, r *http.Request, id events.RequestID) {
	p := problem(http.StatusNotFound, codeNotFound, "there is nothing at this path; see /openapi.json")
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if s.takes(r, method) {
			p = problem(http.StatusMethodNotAllowed, codeNotAllowed, "this path does not take "+r.Method+"; see /openapi.json")
			w.Header().Add("Allow", method)
		}
	}
	writeProblem(w, p, id)
}

// takes says whether the path of r is one of ours for another method.
func (s *server) takes(r *http.Request, method string) bool {
	if s.open[r.URL.Path] != nil {
		return method == http.MethodGet
	}
	other := r.Clone(r.Context())
	other.Method = method
	return s.operation(other) != "" && straight(r.URL.Path)
}

// reasonIncomplete says that a genuine signature does not cover enough of a
// request to the native API.
const reasonIncomplete = "signature_incomplete"

func complete(c dialect.Claim) bool {
	return !c.Presigned && c.Covers.Has(dialect.Method|dialect.Path|dialect.Query|dialect.Body)
}

// inboundNative finds out who sends a request to the native API. One that is
// not genuine gets the same answer whatever is wrong with its key.
func (s *server) inboundNative(r *http.Request, wire *dialect.Request, d verify.Decision, id events.RequestID) (inbound, *Problem) {
	if !d.Allowed {
		p := refusedProblem(d)
		if p.Code == codeUnsigned && verifications[s.operation(r)] {
			p.Detail += "; a gateway sends its token, Authorization: Bearer klgw_..."
		}
		return inbound{}, p
	}
	named, p := requestID(r)
	if p != nil {
		return inbound{}, p
	}
	if named != "" {
		id = named
	}
	in, err := s.inbound(r, wire, d, id, "native")
	if err != nil {
		return inbound{}, s.logged(err, id)
	}
	return in, nil
}

func (c *Config) logged(err error, id events.RequestID) *Problem {
	p := problemOf(err)
	if p.Code == codeInternal {
		c.Logger.Error("a request failed", "request_id", id, "error", err)
	}
	return p
}

// refusedProblem tells a stranger nothing about keys: what is malformed and what is
// out of time depends on the request alone, all else is one answer.
func refusedProblem(d verify.Decision) *Problem {
	switch {
	case d.Reason == reasonIncomplete:
		return problem(http.StatusUnauthorized, "signature.incomplete",
			"the signature must cover the method, the path, the query and the body, and may not be presigned")
	case d.Reason == verify.Unsigned:
		return problem(http.StatusUnauthorized, codeUnsigned, "the request must be signed by an access key, for example with AWS Signature Version 4")
	case d.Malformed != nil:
		return problem(http.StatusUnauthorized, "signature."+d.Malformed.Code, d.Malformed.Detail)
	case d.Refused != nil && d.Refused.Reason != dialect.SignatureMismatch:
		return problem(http.StatusUnauthorized, "signature."+d.Refused.Reason, d.Refused.Error())
	case d.Reason == verify.KeyRestricted:
		return problem(http.StatusForbidden, "key.restricted", d.Detail+"; ask an admin of the account for another")
	case d.Network != nil:
		return problem(http.StatusForbidden, "network_policy.denied", d.Detail)
	}
	return problem(http.StatusUnauthorized, codeBadSignature, "the access key is not valid or the signature does not match the request")
}

// inbound puts together what is known of a genuine request.
func (s *server) inbound(r *http.Request, wire *dialect.Request, d verify.Decision, id events.RequestID, dialectName string) (inbound, error) {
	caller, err := s.Queries.Caller(d.Owner)
	if err != nil {
		return inbound{}, err
	}
	caller.Key = d.Key
	return inbound{
		caller: caller,
		log:    s.Logger,
		body:   len(wire.Body) > 0,
		request: ledger.Request{
			ID: id, Actor: events.UserActor(caller.Account, caller.User), ActorKey: d.Key,
			SourceIP: address(s.client(r)), Dialect: dialectName, Digest: digest(wire),
		},
	}, nil
}

// requestID is the Idempotency-Key, with or without the quotes that its
// draft asks for; empty if there is none.
func requestID(r *http.Request) (events.RequestID, *Problem) {
	values := r.Header.Values(headerIdempotency)
	if len(values) == 0 {
		return "", nil
	}
	text := values[0]
	if len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"' {
		text = text[1 : len(text)-1]
	}
	id := events.RequestID(text)
	if len(values) > 1 || id.Valid() != nil || strings.Contains(text, "#") {
		return "", problem(http.StatusBadRequest, "idempotency_key.invalid",
			"the Idempotency-Key header must stand once and hold 1 to 128 printable ASCII characters other than space and '#'")
	}
	return id, nil
}

// digest is what a request ID stands for: sent again with another body, path
// or query, it is another request.
func digest(wire *dialect.Request) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n", wire.Method, wire.Target)
	h.Write(wire.Body)
	return hex.EncodeToString(h.Sum(nil))
}

// client is who sent a request, for records and network policies: the peer, or whoever a trusted proxy says it asks
// for.
func (c *Config) client(r *http.Request) netip.Addr {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr)
	return c.Proxies.Client(peer.Addr(), r.Header.Values("X-Forwarded-For"))
}
