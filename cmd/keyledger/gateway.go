package main

import (
	"context"
	"net/http"
	"net/url"
	"slices"
)

type gatewayCommands struct {
	Token tokenCommands `cmd:"" help:"The tokens by which gateways ask for verification."`
}

type tokenCommands struct {
	Create tokenCreate `cmd:"" help:"Create a gateway token; it is shown this once."`
	List   tokenList   `cmd:"" help:"List the gateway tokens of an account, newest first, revoked ones too."`
	Revoke tokenRevoke `cmd:"" help:"Revoke a gateway token for good."`
}

var tokenColumns = []column{
	{"TOKEN ID", "token_id"}, {"NAME", "name"}, {"INSTALLATION", "installation"}, {"CREATED", "created_at"}, {"REVOKED", "revoked_at"},
}

var tokenDetails = slices.Concat(tokenColumns, []column{{"ACCOUNT ID", "account_id"}})

type tokenCreate struct {
	writing
	tenancy
	Name         string `required:"" placeholder:"NAME" help:"1 to 64 printable characters; two tokens may have the same."`
	Installation bool   `help:"For every account of the installation, not for one alone (operator)."`
	TokenOut     string `name:"token-out" placeholder:"FILE" help:"Write the token to a file; never overwrites."`
}

func (g *tokenCreate) Run(ctx context.Context, t *terminal, c *client) error {
	var h handover
	defer h.abandon()
	if err := h.toFile(g.TokenOut, func(_ issued, s secret) ([]byte, error) { return []byte(s.reveal() + "\n"), nil }); err != nil {
		return err
	}
	c.warnInTheClear(t)
	body := map[string]any{"name": g.Name}
	if g.Installation {
		body["installation"] = true
	}
	answer, err := g.write(ctx, c, call{method: http.MethodPost, path: "/v1/gateway-tokens", query: g.query(), body: body})
	if err != nil {
		return err
	}
	return h.give(t, answer, tokenDetails)
}

type tokenList struct {
	tenancy
	paging
}

func (g *tokenList) Run(ctx context.Context, t *terminal, c *client) error {
	return g.list(ctx, t, c, "/v1/gateway-tokens", g.query(), tokenColumns)
}

type tokenRevoke struct {
	writing
	asking
	tenancy
	ID string `arg:"" help:"The gateway token's ID."`
}

func (g *tokenRevoke) Run(ctx context.Context, t *terminal, c *client) error {
	if err := g.likeDeletion(ctx, t, c, g.tenancy, "Revoke the gateway token", g.ID); err != nil {
		return err
	}
	answer, err := g.write(ctx, c, call{method: http.MethodDelete, path: "/v1/gateway-tokens/" + url.PathEscape(g.ID), query: g.query()})
	if err != nil {
		return err
	}
	return t.show(answer, tokenDetails)
}
