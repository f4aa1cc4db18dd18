package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/ledger"
	"github.com/keyledger/keyledger/services/permission"
	"github.com/keyledger/keyledger/services/vault"
)

func (s *server) accountRoutes(api huma.API) {
	add(api, route{http.MethodPost, "/v1/accounts", "open-account", "Open an account with its root user and the root user's first key", 201, "accounts"}, s.openAccount)
	add(api, route{http.MethodGet, "/v1/accounts", "list-accounts", "List accounts, newest first", 200, "accounts"}, s.listAccounts)
	add(api, route{http.MethodGet, "/v1/accounts/{account_id}", "show-account", "Show an account and its policy", 200, "accounts"}, s.showAccount)
	add(api, route{http.MethodPut, "/v1/accounts/{account_id}/policy", "set-policy", "Give an account another policy: a preset and what differs from it", 200, "accounts"}, s.setPolicy)
	add(api, route{http.MethodGet, "/v1/accounts/{account_id}/network-policy", "show-account-network-policy", "Show from where an account's keys may be used", 200, "accounts"}, s.showAccountNetworkPolicy)
	add(api, route{http.MethodPut, "/v1/accounts/{account_id}/network-policy", "set-account-network-policy", "Say from where an account's keys may be used", 200, "accounts"}, s.setAccountNetworkPolicy)
	add(api, route{http.MethodGet, "/v1/caller", "show-caller", "Show whose key signed the request", 200, "accounts"}, s.showCaller)
}

type openAccountInput struct {
	Body struct {
		Name      string          `json:"name" doc:"1 to 128 printable characters; need not be unique"`
		Preset    string          `json:"preset,omitempty" doc:"strict if left out"`
		Overrides json.RawMessage `json:"overrides,omitempty" doc:"a partial policy: what differs from the preset"`
	}
}

type openedAccount struct {
	AccountID       string  `json:"account_id"`
	RootUserID      string  `json:"root_user_id"`
	Name            string  `json:"name"`
	Preset          string  `json:"preset"`
	AccessKeyID     string  `json:"access_key_id" doc:"the root user's first key"`
	SecretAccessKey *string `json:"secret_access_key" doc:"shown once; null when the request had been answered before"`
}

func (s *server) openAccount(ctx context.Context, in *openAccountInput) (*written[openedAccount], error) {
	if err := allow(ctx, permission.AccountOpen, permission.Target{}, errNoAccount("")); err != nil {
		return nil, err
	}
	if err := s.knownSchemes(in.Body.Overrides); err != nil {
		return nil, err
	}
	o, err := s.Ledger.DrawOpening()
	if err != nil {
		return nil, err
	}
	req := inboundOf(ctx).request
	req.Scope = s.Operator.Account()
	spec := ledger.NewAccount{Name: in.Body.Name, Preset: in.Body.Preset, Overrides: in.Body.Overrides}
	opened, err := s.Ledger.OpenAccount(ctx, req, spec, o)
	if err != nil {
		return nil, err
	}
	a, _, err := s.Queries.Account(opened.Account)
	if err != nil {
		return nil, err
	}
	return &written[openedAccount]{Position: uint64(opened.Key.Position), Body: openedAccount{
		AccountID: string(a.ID), RootUserID: string(opened.Root), Name: a.Name, Preset: a.Preset,
		AccessKeyID: string(opened.Key.Key), SecretAccessKey: shownOnce(opened.Key.Secret),
	}}, nil
}

// shownOnce is the one place where a secret leaves. It is nil if it has left before.
func shownOnce(secret *vault.Secret) *string {
	if secret == nil {
		return nil
	}
	text := string(secret.Reveal())
	return &text
}

type listAccountsInput struct {
	PageInput
	Name string `query:"name" maxLength:"128" doc:"only accounts of this name"`
}

func (s *server) listAccounts(ctx context.Context, in *listAccountsInput) (*read[list[accountShape]], error) {
	if err := s.reached(ctx, in.MinPosition); err != nil {
		return nil, err
	}
	if err := allow(ctx, permission.AccountOpen, permission.Target{}, errNoAccount("")); err != nil {
		return nil, err
	}
	accounts, next, err := s.Queries.Accounts(in.Name, in.page())
	if err != nil {
		return nil, err
	}
	return &read[list[accountShape]]{list[accountShape]{shapeAll(accounts, shapeAccount), next}}, nil
}

type accountPath struct {
	AccountID   string `path:"account_id" pattern:"^[1-9][0-9]{11}$"`
	MinPosition uint64 `query:"min_position" doc:"answer only when this position of the log is known"`
}

func (s *server) showAccount(ctx context.Context, in *accountPath) (*read[accountShape], error) {
	if err := s.reached(ctx, in.MinPosition); err != nil {
		return nil, err
	}
	a, err := s.account(ctx, permission.AccountRead, in.AccountID)
	if err != nil {
		return nil, err
	}
	return &read[accountShape]{shapeAccount(a)}, nil
}

type setPolicyInput struct {
	AccountID string `path:"account_id" pattern:"^[1-9][0-9]{11}$"`
	Body      struct {
		Preset    string          `json:"preset,omitempty" doc:"the preset in force if left out"`
		Overrides json.RawMessage `json:"overrides,omitempty" doc:"a partial policy: what differs from the preset; earlier overrides are forgotten"`
	}
}

func (s *server) setPolicy(ctx context.Context, in *setPolicyInput) (*written[accountShape], error) {
	a, err := s.account(ctx, permission.AccountPolicy, in.AccountID)
	if err != nil {
		return nil, err
	}
	if err := s.knownSchemes(in.Body.Overrides); err != nil {
		return nil, err
	}
	out, err := s.Ledger.SetPolicy(ctx, inboundOf(ctx).request, a.ID, in.Body.Preset, in.Body.Overrides)
	if err != nil {
		return nil, err
	}
	a, _, err = s.Queries.Account(a.ID)
	if err != nil {
		return nil, err
	}
	return &written[accountShape]{Position: uint64(out.Position), Body: shapeAccount(a)}, nil
}

// account is an account that exists and to which the caller may do op.
func (s *server) account(ctx context.Context, op permission.Operation, id string) (Account, error) {
	unknown := errNoAccount(id)
	if err := allow(ctx, op, permission.Target{Account: events.AccountID(id)}, unknown); err != nil {
		return Account{}, err
	}
	a, found, err := s.Queries.Account(events.AccountID(id))
	if err == nil && !found {
		err = unknown
	}
	return a, err
}

func errNoAccount(id string) error {
	return aggregate.Refuse(aggregate.NotFound, "account.not_found", "there is no account %q", id)
}

type callerShape struct {
	AccountID   string `json:"account_id"`
	UserID      string `json:"user_id"`
	UserName    string `json:"user_name"`
	AccessKeyID string `json:"access_key_id"`
	Kind        string `json:"kind"`
	Role        string `json:"role"`
	Operator    bool   `json:"operator"`
	// Confirm is what a program that acts for a person has to ask him. The
	// account's policy as a whole may be hidden from him.
	Confirm  events.Confirm `json:"confirm" doc:"what the account's policy wants a person to confirm: none, click, type:DELETE or type:key_id"`
	Position uint64         `json:"position" doc:"of the log, up to which this node knows it"`
}

func (s *server) showCaller(ctx context.Context, _ *struct{}) (*read[callerShape], error) {
	c, position := inboundOf(ctx).caller, s.Queries.Applied()
	a, _, err := s.Queries.Account(c.Account)
	if err != nil {
		return nil, err
	}
	return &read[callerShape]{callerShape{
		AccountID: string(c.Account), UserID: string(c.User), UserName: c.Name, AccessKeyID: string(c.Key),
		Kind: c.Kind, Role: c.Role, Operator: c.Operator, Confirm: a.Policy.Confirm, Position: uint64(position),
	}}, nil
}

// reached waits until position p is known, for a moment.
func (s *server) reached(ctx context.Context, p uint64) error {
	if p == 0 || events.Position(p) <= s.Queries.Applied() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, minPositionPatience)
	defer cancel()
	if err := s.Queries.Wait(ctx, events.Position(p)); err != nil {
		return problem(http.StatusServiceUnavailable, "position.not_reached", "the position asked for is not known here yet; try again")
	}
	return nil
}
