package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/identity"
	"github.com/keyledger/keyledger/services/permission"
)

func (s *server) gatewayRoutes(api huma.API) {
	add(api, route{http.MethodPost, "/v1/gateway-tokens", "create-gateway-token", "Create a token by which a gateway asks for verification", 201, "gateways"}, s.createGatewayToken)
	add(api, route{http.MethodGet, "/v1/gateway-tokens", "list-gateway-tokens", "List the gateway tokens of an account, newest first, revoked ones too", 200, "gateways"}, s.listGatewayTokens)
	add(api, route{http.MethodDelete, "/v1/gateway-tokens/{token_id}", "revoke-gateway-token", "Revoke a gateway token for good", 200, "gateways"}, s.revokeGatewayToken)
}

type createGatewayTokenInput struct {
	AccountInput
	Body struct {
		Name         string `json:"name" doc:"1 to 64 printable characters; need not be unique"`
		Installation bool   `json:"installation,omitempty" doc:"for every account of the installation, not this one alone; the operator's account only"`
	}
}

type createdGatewayToken struct {
	TokenID      string     `json:"token_id"`
	Name         string     `json:"name"`
	AccountID    string     `json:"account_id"`
	Installation bool       `json:"installation"`
	Token        *string    `json:"token" doc:"shown once; null when the request had been answered before"`
	CreatedAt    *time.Time `json:"created_at"`
}

func (s *server) createGatewayToken(ctx context.Context, in *createGatewayTokenInput) (*written[createdGatewayToken], error) {
	a, err := s.account(ctx, permission.GatewayWrite, s.accountID(ctx, in.AccountID))
	if err != nil {
		return nil, err
	}
	c, err := s.Ledger.CreateGatewayToken(ctx, inboundOf(ctx).request, a.ID, in.Body.Name, in.Body.Installation)
	if err != nil {
		return nil, err
	}
	return &written[createdGatewayToken]{Position: uint64(c.Position), Body: createdGatewayToken{
		TokenID: string(c.ID), Name: c.Name, AccountID: string(c.Account), Installation: c.Installation,
		Token: shownOnce(c.Token), CreatedAt: instant(c.CreatedAt),
	}}, nil
}

type listGatewayTokensInput struct {
	AccountInput
	PageInput
}

func (s *server) listGatewayTokens(ctx context.Context, in *listGatewayTokensInput) (*read[list[gatewayTokenShape]], error) {
	if err := s.reached(ctx, in.MinPosition); err != nil {
		return nil, err
	}
	a, err := s.account(ctx, permission.GatewayList, s.accountID(ctx, in.AccountID))
	if err != nil {
		return nil, err
	}
	tokens, next, err := s.Queries.GatewayTokens(a.ID, in.page())
	if err != nil {
		return nil, err
	}
	return &read[list[gatewayTokenShape]]{list[gatewayTokenShape]{shapeAll(tokens, shapeGatewayToken), next}}, nil
}

type revokeGatewayTokenInput struct {
	AccountInput
	TokenID string `path:"token_id" pattern:"^KLGT[0-9A-HJKMNP-TV-Z]{16}$"`
}

func (s *server) revokeGatewayToken(ctx context.Context, in *revokeGatewayTokenInput) (*written[gatewayTokenShape], error) {
	a, id := events.AccountID(s.accountID(ctx, in.AccountID)), events.GatewayTokenID(in.TokenID)
	unknown := aggregate.Refuse(aggregate.NotFound, "gateway_token.not_found", "the account has no gateway token %q", in.TokenID)
	if err := allow(ctx, permission.GatewayWrite, permission.Target{Account: a}, unknown); err != nil {
		return nil, err
	}
	out, err := s.Ledger.RevokeGatewayToken(ctx, inboundOf(ctx).request, a, id)
	if err != nil {
		return nil, err
	}
	token, _, err := s.Queries.GatewayToken(a, id)
	return &written[gatewayTokenShape]{Position: uint64(out.Position), Body: shapeGatewayToken(token)}, err
}

// gatewayOf is the gateway that sends a request, by its values of Authorization: one that says
// "Bearer klgw_...". It tells a stranger nothing about tokens: unknown and revoked ones are one answer. The
// error is a *Problem or a fault.
func gatewayOf(q interface {
	Gateway(token string) (GatewayToken, bool, error)
}, authorization []string) (GatewayToken, error) {
	token := bearer(authorization)
	if token == "" {
		return GatewayToken{}, problem(http.StatusUnauthorized, codeNoGateway,
			"the request must carry a gateway token once: Authorization: Bearer klgw_...")
	}
	g, found, err := q.Gateway(token)
	if err == nil && !found {
		err = problem(http.StatusUnauthorized, codeBadGateway, "the gateway token is not valid; it may have been revoked")
	}
	return g, err
}

// bearer is the gateway token of a request; empty if it has none, has more than
// one Authorization, or has there what no token of ours looks like: that depends on the
// request alone.
func bearer(authorization []string) string {
	if len(authorization) != 1 {
		return ""
	}
	scheme, token, _ := strings.Cut(authorization[0], " ")
	if !strings.EqualFold(scheme, "Bearer") || !identity.CheckGatewayToken([]byte(token)) {
		return ""
	}
	return token
}
