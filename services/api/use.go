package api

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/verify"
)

// Uses records what became of requests.
type Uses interface {
	// Submit has a record on its way when it returns; wait returns when it is
	// recorded as the ledger's mode promises.
	Submit(access.Record) (wait func(context.Context) error, err error)
	// Note has a record go with others, soon; nobody waits for it.
	Note(access.Record) error
	// Stranger counts a request that named no key of ours; wait returns when it would for one that did. The
	// error is why that could not be recorded now.
	Stranger(from netip.Addr) (wait func(context.Context) error, err error)
}

// serviceNative is the service that access records of the native API name.
const serviceNative = "keyledger"

// useOf is the record of a decision; none if the request named no key of ours.
func useOf(d verify.Decision, now time.Time) (rec access.Record, ours bool) {
	if d.Owner.Account == "" {
		return rec, false
	}
	outcome := access.Attempt
	switch {
	case d.Allowed:
		outcome = access.Allowed
	case d.Genuine:
		outcome = access.Denied
	}
	return access.Record{
		Time: now.UTC(), Key: d.Key, Account: d.Owner.Account, User: d.Owner.User, Outcome: outcome, Reason: d.Reason,
		Scheme: d.Claim.Scheme, Service: d.Claim.Service, Region: d.Claim.Region, Position: d.Position, Replay: d.Nonce,
	}, true
}

// A managementCall is a request to the ledger itself on its way into the access
// records. What becomes of it may depend on what it asks for: whoever signed it may be
// forbidden to do that.
type managementCall struct {
	server   *server
	decision verify.Decision
	record   access.Record
	ours     bool
	from     netip.Addr
	settled  bool
}

// managementCall is a request for an action of a service; where there is no such action, its method and path stand for one.
func (s *server) managementCall(r *http.Request, wire *dialect.Request, d verify.Decision, service, action string, id events.RequestID) *managementCall {
	m := &managementCall{server: s, decision: d, from: s.client(r)}
	m.record, m.ours = useOf(d, s.Now())
	m.record.Service, m.record.Action, m.record.RequestID, m.record.UserAgent = service, action, string(id), r.UserAgent()
	if action == "" {
		m.record.Action = wire.Method + " " + wire.Path()
	}
	m.record.SourceIP = m.from
	if !d.Allowed {
		m.settle()
	}
	return m
}

// forbid says that whoever signed may not do what the request asks for: it is a use
// that was denied. What the caller may not even know of is answered as what does not exist,
// and stands on record like it.
func (m *managementCall) forbid() {
	if m == nil || m.settled || !m.decision.Allowed {
		return
	}
	m.decision.Allowed, m.decision.Reason = false, verify.Forbidden
	m.record.Outcome, m.record.Reason = access.Denied, verify.Forbidden
}

// settle puts the call on record as it stands, once. Nobody waits for that: what the
// call changes is in the ledger's own log, and an operator has to get in while writes are
// off. The recorder counts and logs what it could not take. A nonce, which must not be taken for new
// after a crash, does not wait for company.
func (m *managementCall) settle() {
	if m == nil || m.settled {
		return
	}
	m.settled = true
	m.server.decided(m.decision, nil)
	if !m.ours {
		_, _ = m.server.stranger(m.decision, m.from)
		return
	}
	if m.record.Replay != [16]byte{} {
		_, _ = m.server.Uses.Submit(m.record)
		return
	}
	_ = m.server.Uses.Note(m.record)
}

// decided tells what was answered about a signed request: d or, if err is not nil, that
// there is no verdict.
func (c *Config) decided(d verify.Decision, err error) {
	if c.Decided != nil {
		c.Decided(d, err)
	}
}

// stranger counts a request that named a key, but none of ours. What it returns is as of Uses.Stranger.
func (c *Config) stranger(d verify.Decision, from netip.Addr) (wait func(context.Context) error, err error) {
	if d.Key == "" {
		return func(context.Context) error { return nil }, nil
	}
	return c.Uses.Stranger(from)
}

// operations are the IDs of all operations by the pattern of their route.
func operations(api huma.API) map[string]string {
	out := map[string]string{}
	for path, item := range api.OpenAPI().Paths {
		for method, o := range map[string]*huma.Operation{
			http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put, http.MethodPatch: item.Patch, http.MethodDelete: item.Delete,
		} {
			if o != nil {
				out[method+" "+path] = o.OperationID
			}
		}
	}
	return out
}

// operation is the ID of what a request to the native API asks for; empty if
// there is no such operation.
func (s *server) operation(r *http.Request) string {
	_, pattern := s.mux.Handler(r)
	return s.operations[pattern]
}
