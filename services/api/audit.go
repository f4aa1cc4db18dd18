package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/permission"
)

func (s *server) auditRoutes(api huma.API) {
	add(api, route{http.MethodGet, "/v1/keys/{access_key_id}/history", "show-key-history", "List everything that happened to a key, newest first", 200, "audit"}, s.keyHistory)
	add(api, route{http.MethodGet, "/v1/audit", "list-audit", "List the lifecycle events of an account, newest first", 200, "audit"}, s.listAudit)
}

type eventShape struct {
	Position uint64          `json:"position" doc:"of the log"`
	Event    json.RawMessage `json:"event" doc:"a CloudEvents 1.0 event in JSON, without what is sealed"`
}

func shapeEvent(e Event) eventShape { return eventShape{uint64(e.Position), e.JSON} }

type keyHistoryInput struct {
	KeyPath
	PageInput
}

func (s *server) keyHistory(ctx context.Context, in *keyHistoryInput) (*read[list[eventShape]], error) {
	if err := s.reached(ctx, in.MinPosition); err != nil {
		return nil, err
	}
	k, err := s.key(ctx, permission.KeyRead, in.AccessKeyID)
	if err != nil {
		return nil, err
	}
	return s.events(EventFilter{Account: k.Owner.Account, Key: k.ID}, in.page())
}

type listAuditInput struct {
	AccountInput
	PageInput
	PeriodInput
	Actor  string `query:"actor" maxLength:"64" doc:"<account>/<user>, or system:<part>"`
	UserID string `query:"user_id" pattern:"^[1-9][0-9]{17}$" doc:"only events about this user's keys"`
	Key    string `query:"access_key_id" maxLength:"128" doc:"only events about this key"`
	Action string `query:"action" maxLength:"64" doc:"only events of this name, e.g. key.created"`
}

func (s *server) listAudit(ctx context.Context, in *listAuditInput) (*read[list[eventShape]], error) {
	if err := s.reached(ctx, in.MinPosition); err != nil {
		return nil, err
	}
	a, err := s.account(ctx, permission.AuditRead, s.accountID(ctx, in.AccountID))
	if err != nil {
		return nil, err
	}
	if in.Action != "" && !knownAction(in.Action) {
		return nil, problem(http.StatusUnprocessableEntity, codeInvalid, "action: there is no event of that name; see docs/events.md")
	}
	return s.events(EventFilter{
		Account: a.ID, Actor: events.Actor(in.Actor), User: events.UserID(in.UserID), Key: events.AccessKeyID(in.Key),
		Action: in.Action, Since: in.Since, Until: in.Until,
	}, in.page())
}

func knownAction(name string) bool {
	return slices.ContainsFunc(events.Catalog(), func(e events.Entry) bool { return e.Name == name })
}

func (s *server) events(f EventFilter, p Page) (*read[list[eventShape]], error) {
	found, next, err := s.Queries.Events(f, p)
	if err != nil {
		return nil, err
	}
	return &read[list[eventShape]]{list[eventShape]{shapeAll(found, shapeEvent), next}}, nil
}
