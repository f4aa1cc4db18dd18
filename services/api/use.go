package api

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/services/verify"
)

// Uses records what became of requests.
type Uses interface {
	// Submit has a record on its way when it returns; wait returns when it is
	// recorded as the ledger's mode promises.
	Submit(access.Record) (wait func(context.Context) error, err error)
	// Note has a record go with others, soon; nobody waits for it.
	Note(access.Record) error
	// Stranger counts a request that named no key of ours.
	Stranger(from netip.Addr)
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

// record puts a management call on its way into the access records. Nobody waits
// for it: what the call changes is in the ledger's own log, and an operator has to get in
// while writes are off. The recorder counts and logs what it could not take.
func (s *server) record(r *http.Request, d verify.Decision, service, action string, id events.RequestID) {
	from := s.client(r)
	rec, ours := useOf(d, s.Now())
	if !ours {
		s.stranger(d, from)
		return
	}
	rec.Service, rec.Action, rec.RequestID, rec.UserAgent = service, action, string(id), r.UserAgent()
	rec.SourceIP = from
	_ = s.Uses.Note(rec)
}

// stranger counts a request that named a key, but none of ours.
func (c *Config) stranger(d verify.Decision, from netip.Addr) {
	if d.Key != "" {
		c.Uses.Stranger(from)
	}
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
