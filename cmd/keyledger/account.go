package main

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
)

type accountCommands struct {
	Create    accountCreate    `cmd:"" help:"Open an account with its root user and the root user's first key (operator)."`
	List      accountList      `cmd:"" help:"List accounts, newest first (operator)."`
	Show      accountShow      `cmd:"" help:"Show an account and its policy."`
	SetPolicy accountSetPolicy `cmd:"" name:"set-policy" help:"Give an account another policy; overrides that are not named again are forgotten."`

	NetworkPolicy accountNetworkCommands `cmd:"" name:"network-policy" help:"From where an account's keys may be used."`
}

var accountColumns = []column{
	{"ACCOUNT ID", "account_id"}, {"NAME", "name"}, {"PRESET", "preset"}, {"ROOT USER ID", "root_user_id"}, {"CREATED", "created_at"},
}

var policyColumns = []column{
	{"OVERRIDES", "overrides"}, {"OPERATOR", "operator"},
	{"QUOTA", "policy.quota.max"}, {"QUOTA COUNTS", "policy.quota.counts"},
	{"DELETE NEEDS DISABLED", "policy.delete.requires_disabled"},
	{"RECYCLE BIN SECONDS", "policy.recycle.retention_seconds"}, {"RECYCLE BIN KEYS", "policy.recycle.max_per_user"},
	{"RECYCLE BIN OVERFLOW", "policy.recycle.overflow"},
	{"CONFIRM DISABLE", "policy.confirm.disable"}, {"CONFIRM ENABLE", "policy.confirm.enable"}, {"CONFIRM DELETE", "policy.confirm.delete"},
	{"NETWORK PRECEDENCE", "policy.network.precedence"},
	{"LEAK ACTION", "policy.leak.action"}, {"LEAK UNRESTRICT", "policy.leak.unrestrict"},
	{"SELF SERVICE", "policy.self_service"}, {"SIGNATURE SCHEMES", "policy.signature.schemes"},
}

var accountDetails = slices.Concat(accountColumns, policyColumns)

// shaping holds the flags that shape a policy.
type shaping struct {
	Preset        string   `predictor:"presets" placeholder:"PRESET" help:"${preset_help}"`
	Override      []string `sep:"none" xor:"overrides" placeholder:"FIELD=VALUE" help:"What differs from the preset, e.g. quota.max=5 or delete.min_idle_mode=block (docs/policies.md has the fields); may be repeated. A value is JSON, or else a text."`
	OverridesFile string   `name:"overrides-file" xor:"overrides" placeholder:"FILE" help:"JSON file of what differs from the preset."`
}

// body is the request's part that shapes the policy.
func (s shaping) body(body map[string]any) (map[string]any, error) {
	overrides, err := s.overrides()
	if err != nil {
		return nil, err
	}
	if s.Preset != "" {
		body["preset"] = s.Preset
	}
	if overrides != nil {
		body["overrides"] = overrides
	}
	return body, nil
}

type accountCreate struct {
	writing
	Name string `required:"" placeholder:"NAME" help:"1 to 128 printable characters."`
	shaping
	CredentialsOut string `name:"credentials-out" placeholder:"FILE" help:"Write the new root key's credentials to a file, ready for --credentials; never overwrites."`
}

func (a *accountCreate) Run(ctx context.Context, t *terminal, c *client) error {
	body, err := a.body(map[string]any{"name": a.Name})
	if err != nil {
		return err
	}
	var h handover
	defer h.abandon()
	if err := h.toCredentials(a.CredentialsOut, c.endpoint); err != nil {
		return err
	}
	c.warnInTheClear(t)
	answer, err := a.write(ctx, c, call{method: http.MethodPost, path: "/v1/accounts", body: body})
	if err != nil {
		return err
	}
	return h.give(t, answer, []column{
		{"ACCOUNT ID", "account_id"}, {"NAME", "name"}, {"PRESET", "preset"}, {"ROOT USER ID", "root_user_id"}, {"ACCESS KEY ID", "access_key_id"},
	})
}

// warnInTheClear warns of a secret that would be read on its way.
func (c *client) warnInTheClear(t *terminal) {
	if inTheClear(c.endpoint) {
		t.warn("%s is another machine and not encrypted; the new secret can be read on its way", c.endpoint)
	}
}

type accountList struct {
	paging
	Name string `placeholder:"NAME" help:"Only accounts of this name."`
}

func (a *accountList) Run(ctx context.Context, t *terminal, c *client) error {
	q := url.Values{}
	set(q, "name", a.Name)
	return a.list(ctx, t, c, "/v1/accounts", q, accountColumns)
}

type accountShow struct {
	ID string `arg:"" optional:"" help:"The account; the credentials' own if left out."`
}

func (a *accountShow) Run(ctx context.Context, t *terminal, c *client) error {
	answer, err := c.read(ctx, "/v1/accounts/"+url.PathEscape(cmp.Or(a.ID, c.credentials.AccountID)), nil)
	if err != nil {
		return err
	}
	return t.show(answer, accountDetails)
}

type accountSetPolicy struct {
	writing
	ID string `arg:"" help:"The account."`
	shaping
}

func (a *accountSetPolicy) Run(ctx context.Context, t *terminal, c *client) error {
	body, err := a.body(map[string]any{})
	if err != nil {
		return err
	}
	if len(body) == 0 {
		return usage("there is nothing to set: give --preset, --override or --overrides-file")
	}
	answer, err := a.write(ctx, c, call{method: http.MethodPut, path: "/v1/accounts/" + url.PathEscape(a.ID) + "/policy", body: body})
	if err != nil {
		return err
	}
	return t.show(answer, accountDetails)
}

// overrides is the partial policy that the flags describe; nil if there is none.
func (s shaping) overrides() (json.RawMessage, error) {
	if s.OverridesFile != "" {
		return overridesFile(s.OverridesFile)
	}
	if len(s.Override) == 0 {
		return nil, nil
	}
	return parseOverrides(s.Override)
}
