package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/keyledger/keyledger/aggregate/account"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/permission"
)

func (s *server) operatorRoutes(api huma.API) {
	add(api, route{http.MethodGet, "/v1/status", "show-status", "Show the state of the installation", 200, "operator"}, s.showStatus)
	add(api, route{http.MethodPost, "/v1/clock/confirm", "confirm-clock", "Confirm that the clock is right, so that purging goes on", 200, "operator"}, s.confirmClock)
	add(api, route{http.MethodPost, "/v1/projections/{name}/acknowledge", "acknowledge-record", "Let a projection pass a record that it could not apply, or access records what is lost of USED (records) or SUMMARY (summary)", 200, "operator"}, s.acknowledge)
	add(api, route{http.MethodPost, "/v1/projections/{name}/rebuild", "rebuild-projection", "Begin to build a projection anew beside the one in use, or access records (records) in its place; the status shows how far it is", 202, "operator"}, s.rebuild)
}

func (s *server) operate(ctx context.Context) error {
	return allow(ctx, permission.Operate, permission.Target{}, errNoAccount(""))
}

func (s *server) showStatus(ctx context.Context, _ *struct{}) (*read[Status], error) {
	if err := s.operate(ctx); err != nil {
		return nil, err
	}
	return &read[Status]{s.Operator.Status(ctx)}, nil
}

func (s *server) confirmClock(ctx context.Context, _ *struct{}) (*written[Status], error) {
	if err := s.operate(ctx); err != nil {
		return nil, err
	}
	out, err := s.Ledger.ConfirmClock(ctx, inboundOf(ctx).request, s.Operator.Account())
	if err != nil {
		return nil, err
	}
	if err := s.Operator.ClockConfirmed(ctx); err != nil {
		return nil, &events.UnavailableError{Reason: fmt.Sprintf("the confirmation is recorded and would not hold over a restart: send it again (%v)", err)}
	}
	return &written[Status]{Position: uint64(out.Position), Body: s.Operator.Status(ctx)}, nil
}

type acknowledgeInput struct {
	Name string `path:"name" maxLength:"64"`
	Body struct {
		Position uint64 `json:"position" minimum:"1" doc:"of the record"`
		Reason   string `json:"reason" doc:"why it may be passed; at most 256 characters"`
	}
}

func (s *server) acknowledge(ctx context.Context, in *acknowledgeInput) (*written[Status], error) {
	if err := s.operate(ctx); err != nil {
		return nil, err
	}
	at := events.Position(in.Body.Position)
	leave := account.Acknowledge{Projection: in.Name, Position: at, Reason: in.Body.Reason}
	if _, err := account.Decide(account.State{ID: s.Operator.Account(), Opened: true, Operator: true}, leave, s.Now()); err != nil {
		return nil, err // it would not do whatever has stopped
	}
	again, err := s.Ledger.Recorded(inboundOf(ctx).request, events.AccountSubject(s.Operator.Account()))
	if err == nil && !again {
		leave.Through, err = s.Operator.Stopped(in.Name, at)
	}
	if err != nil {
		return nil, err
	}
	out, err := s.Ledger.Acknowledge(ctx, inboundOf(ctx).request, s.Operator.Account(), leave)
	if err != nil {
		return nil, err
	}
	return &written[Status]{Position: uint64(out.Position), Body: s.Operator.Status(ctx)}, nil
}

type rebuildInput struct {
	Name string `path:"name" maxLength:"64"`
}

func (s *server) rebuild(ctx context.Context, in *rebuildInput) (*read[Status], error) {
	if err := s.operate(ctx); err != nil {
		return nil, err
	}
	if err := s.Operator.Rebuild(in.Name); err != nil {
		return nil, err
	}
	return &read[Status]{s.Operator.Status(ctx)}, nil
}

// livez says that the process runs and answers.
func (s *server) livez(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// readyz says whether commands and verification are served. It names parts,
// never accounts or keys, so that it needs no caller.
func (s *server) readyz(w http.ResponseWriter, r *http.Request) {
	status := s.Operator.Status(r.Context())
	status.Unknown = nil
	if !status.Whole {
		status.Log = "not whole; the status that an operator is shown says where and why"
	}
	code := http.StatusOK
	if !status.Ready {
		code = http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(status)
}
