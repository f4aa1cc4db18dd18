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
		Scheme: d.Claim.Scheme, Service: d.Claim.Service, Region: d.Claim.Region, Position: d.Position,
	}, true
}

// recorded is w, but nothing is answered through it before the management call is
// on record. A call whose record cannot be written is answered all the same: an
// operator has to get in while writes are off.
func (s *server) recorded(w http.ResponseWriter, r *http.Request, d verify.Decision, service, action string, id events.RequestID) http.ResponseWriter {
	rec, ours := useOf(d, s.Now())
	if !ours {
		return w
	}
	rec.Service, rec.Action, rec.RequestID, rec.UserAgent = service, action, string(id), r.UserAgent()
	rec.SourceIP, _ = netip.ParseAddr(sourceIP(r))
	wait, err := s.Uses.Submit(rec)
	if err != nil {
		return w // the recorder counts and logs what it could not take
	}
	return &recordedWriter{ResponseWriter: w, wait: func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), recordPatience)
		defer cancel()
		_ = wait(ctx) // the same
	}}
}

// recordPatience is how long the answer to a management call waits for its record.
const recordPatience = 2 * time.Second

// A recordedWriter waits before the first byte of an answer.
type recordedWriter struct {
	http.ResponseWriter
	wait func()
}

func (w *recordedWriter) ready() {
	if w.wait != nil {
		w.wait()
		w.wait = nil
	}
}

func (w *recordedWriter) WriteHeader(code int) {
	w.ready()
	w.ResponseWriter.WriteHeader(code)
}

func (w *recordedWriter) Write(b []byte) (int, error) {
	w.ready()
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *recordedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

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
