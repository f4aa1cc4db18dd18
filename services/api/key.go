package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/ledger"
	"github.com/keyledger/keyledger/services/permission"
)

func (s *server) keyRoutes(api huma.API) {
	add(api, route{http.MethodPost, "/v1/users/{user_id}/keys", "create-key", "Create an access key for a user", 201, "keys"}, s.createKey)
	add(api, route{http.MethodPost, "/v1/users/{user_id}/keys/import", "import-key", "Import a user's key that exists elsewhere, with its ID and secret", 201, "keys"}, s.importKey)
	add(api, route{http.MethodGet, "/v1/users/{user_id}/keys", "list-user-keys", "List a user's keys, newest first, now or at a past moment", 200, "keys"}, s.listUserKeys)
	add(api, route{http.MethodGet, "/v1/keys", "list-keys", "List the keys of an account, newest first", 200, "keys"}, s.listKeys)
	add(api, route{http.MethodGet, "/v1/keys/{access_key_id}", "show-key", "Show a key, now or at a past moment", 200, "keys"}, s.showKey)
	add(api, route{http.MethodPatch, "/v1/keys/{access_key_id}", "update-key", "Disable or enable a key, or describe it", 200, "keys"}, s.updateKey)
	add(api, route{http.MethodDelete, "/v1/keys/{access_key_id}", "delete-key", "Move a key to the recycle bin", 200, "keys"}, s.deleteKey)
	add(api, route{http.MethodPost, "/v1/keys/{access_key_id}/restore", "restore-key", "Restore a key from the recycle bin, disabled", 200, "keys"}, s.restoreKey)
	add(api, route{http.MethodPost, "/v1/keys/{access_key_id}/purge", "purge-key", "Purge a key in the recycle bin for ever", 200, "keys"}, s.purgeKey)
	add(api, route{http.MethodPost, "/v1/keys/{access_key_id}/restrict", "restrict-key", "Put a key under leak protection: somebody else may know its secret", 200, "keys"}, s.restrictKey)
	add(api, route{http.MethodPost, "/v1/keys/{access_key_id}/unrestrict", "unrestrict-key", "End the leak protection of a key, where the policy allows it", 200, "keys"}, s.unrestrictKey)
	add(api, route{http.MethodGet, "/v1/keys/{access_key_id}/network-policy", "show-key-network-policy", "Show a key's own network policy", 200, "keys"}, s.showKeyNetworkPolicy)
	add(api, route{http.MethodPut, "/v1/keys/{access_key_id}/network-policy", "set-key-network-policy", "Say from where a key may be used, as a policy of its own", 200, "keys"}, s.setKeyNetworkPolicy)
	add(api, route{http.MethodGet, "/v1/recycle-bin", "list-recycle-bin", "List the keys in the recycle bin, newest first", 200, "keys"}, s.listBin)
}

type createKeyInput struct {
	AccountInput
	UserID string `path:"user_id" pattern:"^[1-9][0-9]{17}$"`
	Body   *struct {
		Description string `json:"description,omitempty" doc:"at most 256 characters on one line"`
	}
}

type createdKey struct {
	AccessKeyID     string     `json:"access_key_id"`
	SecretAccessKey *string    `json:"secret_access_key" doc:"shown once; null when the request had been answered before"`
	UserID          string     `json:"user_id"`
	AccountID       string     `json:"account_id"`
	Status          string     `json:"status"`
	Description     string     `json:"description"`
	CreatedAt       *time.Time `json:"created_at"`
	Warnings        []string   `json:"warnings,omitempty" doc:"names of rules that would rather not"`
}

func (s *server) createKey(ctx context.Context, in *createKeyInput) (*written[createdKey], error) {
	u, err := s.userOrRepeat(ctx, permission.KeyWrite, in.AccountInput, in.UserID, func(u User) events.Subject { return events.KeyringSubject(u.Account, u.ID) })
	if err != nil {
		return nil, err
	}
	description := ""
	if in.Body != nil {
		description = in.Body.Description
	}
	k, err := s.Ledger.CreateKey(ctx, inboundOf(ctx).request, events.KeyringSubject(u.Account, u.ID), description)
	if err != nil {
		return nil, err
	}
	return &written[createdKey]{Position: uint64(k.Position), Body: createdKey{
		AccessKeyID: string(k.Key), SecretAccessKey: shownOnce(k.Secret), UserID: string(u.ID), AccountID: string(u.Account),
		Status: events.StatusActive, Description: k.Description, CreatedAt: instant(k.CreatedAt), Warnings: k.Warnings,
	}}, nil
}

// AsOfInput is a past moment, by time or by position.
type AsOfInput struct {
	AsOf         time.Time `query:"as_of" doc:"as it was at this time (RFC 3339)"`
	AsOfPosition uint64    `query:"as_of_position" minimum:"1" doc:"as it was at this position of the log"`
}

// Resolve refuses the zero time, which would pass for none. It is huma's hook.
func (in *AsOfInput) Resolve(ctx huma.Context) []error {
	if in.AsOf.IsZero() && isTime(ctx.Query("as_of")) {
		return []error{&huma.ErrorDetail{Location: "query.as_of", Message: "want a time that a ledger can have been kept at"}}
	}
	return nil
}

// moment is the position asked for; past is false if it is now.
func (s *server) moment(in AsOfInput) (p events.Position, past bool, err error) {
	switch {
	case !in.AsOf.IsZero() && in.AsOfPosition != 0:
		return 0, false, problem(http.StatusUnprocessableEntity, codeInvalid, "give as_of or as_of_position, not both")
	case !in.AsOf.IsZero():
		p, err = s.Queries.PositionAt(in.AsOf)
		return p, true, err
	case in.AsOfPosition == 0:
		return 0, false, nil
	case events.Position(in.AsOfPosition) > s.Queries.Applied():
		return 0, false, problem(http.StatusUnprocessableEntity, codeInvalid, "as_of_position is beyond the end of the log as it is known here")
	}
	return events.Position(in.AsOfPosition), true, nil
}

type listUserKeysInput struct {
	AccountInput
	PageInput
	AsOfInput
	UserID string `path:"user_id" pattern:"^[1-9][0-9]{17}$"`
	Status string `query:"status" enum:"active,disabled,deleted,purged" doc:"only keys with this status; all but purged if left out"`
}

func (s *server) listUserKeys(ctx context.Context, in *listUserKeysInput) (*read[list[keyShape]], error) {
	if err := s.reached(ctx, in.MinPosition); err != nil {
		return nil, err
	}
	u, err := s.user(ctx, permission.KeyRead, in.AccountInput, in.UserID)
	if err != nil {
		return nil, err
	}
	p, past, err := s.moment(in.AsOfInput)
	if err != nil {
		return nil, err
	}
	if past && in.Cursor != "" {
		return nil, problem(http.StatusUnprocessableEntity, codeInvalid, "a past moment is listed on one page; it has no cursor")
	}
	if past {
		keys, err := s.Queries.KeysAsOf(events.KeyringSubject(u.Account, u.ID), p)
		return &read[list[keyShape]]{list[keyShape]{Items: shapeAll(withStatus(keys, in.Status), shapeKey)}}, err
	}
	return s.keys(KeyFilter{Account: u.Account, User: u.ID, Statuses: statuses(in.Status)}, in.page())
}

// withStatus is the keys with a status, or all but purged ones if it is empty.
func withStatus(keys []Key, status string) []Key {
	var out []Key
	for _, k := range keys {
		if k.Status == status || status == "" && k.Status != events.StatusPurged {
			out = append(out, k)
		}
	}
	return out
}

func statuses(one string) []string {
	if one == "" {
		return nil
	}
	return []string{one}
}

func (s *server) keys(f KeyFilter, p Page) (*read[list[keyShape]], error) {
	keys, next, err := s.Queries.Keys(f, p)
	if err != nil {
		return nil, err
	}
	return &read[list[keyShape]]{list[keyShape]{shapeAll(keys, shapeKey), next}}, nil
}

type listKeysInput struct {
	AccountInput
	PageInput
	Status string `query:"status" enum:"active,disabled,deleted,purged" doc:"only keys with this status; all but purged if left out"`
}

func (s *server) listKeys(ctx context.Context, in *listKeysInput) (*read[list[keyShape]], error) {
	if err := s.reached(ctx, in.MinPosition); err != nil {
		return nil, err
	}
	a, err := s.account(ctx, permission.KeyList, s.accountID(ctx, in.AccountID))
	if err != nil {
		return nil, err
	}
	return s.keys(KeyFilter{Account: a.ID, Statuses: statuses(in.Status)}, in.page())
}

type listBinInput struct {
	AccountInput
	PageInput
	UserID string `query:"user_id" pattern:"^[1-9][0-9]{17}$" doc:"only this user's keys"`
}

func (s *server) listBin(ctx context.Context, in *listBinInput) (*read[list[keyShape]], error) {
	if err := s.reached(ctx, in.MinPosition); err != nil {
		return nil, err
	}
	if in.UserID != "" {
		u, err := s.user(ctx, permission.KeyRead, in.AccountInput, in.UserID)
		if err != nil {
			return nil, err
		}
		return s.keys(KeyFilter{Account: u.Account, User: u.ID, Statuses: statuses(events.StatusDeleted)}, in.page())
	}
	a, err := s.account(ctx, permission.KeyList, s.accountID(ctx, in.AccountID))
	if err != nil {
		return nil, err
	}
	return s.keys(KeyFilter{Account: a.ID, Statuses: statuses(events.StatusDeleted)}, in.page())
}

// KeyPath is the key a request is about.
type KeyPath struct {
	AccessKeyID string `path:"access_key_id" minLength:"1" maxLength:"128"`
}

type showKeyInput struct {
	KeyPath
	AsOfInput
	MinPosition uint64 `query:"min_position" doc:"answer only when this position of the log is known"`
}

func (s *server) showKey(ctx context.Context, in *showKeyInput) (*read[keyShape], error) {
	if err := s.reached(ctx, in.MinPosition); err != nil {
		return nil, err
	}
	k, err := s.key(ctx, permission.KeyRead, in.AccessKeyID)
	if err != nil {
		return nil, err
	}
	p, past, err := s.moment(in.AsOfInput)
	if err != nil {
		return nil, err
	}
	if past {
		k, err = s.keyAsOf(k, p)
	}
	return &read[keyShape]{shapeKey(k)}, err
}

func (s *server) keyAsOf(k Key, p events.Position) (Key, error) {
	keys, err := s.Queries.KeysAsOf(k.Owner, p)
	if err != nil {
		return Key{}, err
	}
	for _, then := range keys {
		if then.ID == k.ID {
			return then, nil
		}
	}
	return Key{}, aggregate.Refuse(aggregate.NotFound, "key.not_found", "there was no access key %q at that moment", k.ID)
}

func errNoKey(id string) error {
	return aggregate.Refuse(aggregate.NotFound, "key.not_found", "there is no access key %q", id)
}

// key is a key that exists, purged ones included, and to which the caller may
// do op.
func (s *server) key(ctx context.Context, op permission.Operation, id string) (Key, error) {
	unknown := errNoKey(id)
	k, found, err := s.Queries.Key(events.AccessKeyID(id))
	if err != nil {
		return Key{}, err
	}
	if !found {
		return Key{}, unknown
	}
	return k, allow(ctx, op, permission.Target{Account: k.Owner.Account, User: k.Owner.User}, unknown)
}

type updateKeyInput struct {
	KeyPath
	Body struct {
		Status      *string `json:"status,omitempty" enum:"active,disabled"`
		Description *string `json:"description,omitempty" doc:"at most 256 characters on one line; empty removes it"`
		Reason      string  `json:"reason,omitempty" doc:"why it is disabled; at most 256 characters"`
	}
}

func (s *server) updateKey(ctx context.Context, in *updateKeyInput) (*written[keyShape], error) {
	b := in.Body
	if (b.Status == nil) == (b.Description == nil) {
		return nil, problem(http.StatusUnprocessableEntity, codeInvalid, "the body must hold either status or description")
	}
	if b.Reason != "" && (b.Status == nil || *b.Status != events.StatusDisabled) {
		return nil, problem(http.StatusUnprocessableEntity, codeInvalid, "reason goes with the status disabled only")
	}
	return s.changeKey(ctx, in.AccessKeyID, func(req ledger.Request, k events.AccessKeyID) (ledger.Outcome, error) {
		switch {
		case b.Description != nil:
			return s.Ledger.DescribeKey(ctx, req, k, *b.Description)
		case *b.Status == events.StatusDisabled:
			return s.Ledger.DisableKey(ctx, req, k, b.Reason)
		}
		return s.Ledger.EnableKey(ctx, req, k)
	})
}

func (s *server) deleteKey(ctx context.Context, in *KeyPath) (*written[keyShape], error) {
	return s.changeKey(ctx, in.AccessKeyID, func(req ledger.Request, k events.AccessKeyID) (ledger.Outcome, error) {
		return s.Ledger.DeleteKey(ctx, req, k)
	})
}

func (s *server) restoreKey(ctx context.Context, in *KeyPath) (*written[keyShape], error) {
	return s.changeKey(ctx, in.AccessKeyID, func(req ledger.Request, k events.AccessKeyID) (ledger.Outcome, error) {
		return s.Ledger.RestoreKey(ctx, req, k)
	})
}

func (s *server) purgeKey(ctx context.Context, in *KeyPath) (*written[keyShape], error) {
	return s.changeKey(ctx, in.AccessKeyID, func(req ledger.Request, k events.AccessKeyID) (ledger.Outcome, error) {
		return s.Ledger.PurgeKey(ctx, req, k, events.CauseRequested)
	})
}

type restrictKeyInput struct {
	KeyPath
	Body *struct {
		Reason  string `json:"reason,omitempty" doc:"why; at most 256 characters on one line"`
		FoundIn string `json:"found_in,omitempty" doc:"where the secret was seen, such as a URL; at most 1024 characters on one line"`
	}
}

func (s *server) restrictKey(ctx context.Context, in *restrictKeyInput) (*written[keyShape], error) {
	var reason, foundIn string
	if in.Body != nil {
		reason, foundIn = in.Body.Reason, in.Body.FoundIn
	}
	return s.changeKeyAs(ctx, permission.KeyRestrict, in.AccessKeyID, func(req ledger.Request, k events.AccessKeyID) (ledger.Outcome, error) {
		return s.Ledger.RestrictKey(ctx, req, k, reason, foundIn)
	})
}

type unrestrictKeyInput struct {
	KeyPath
	Body *struct {
		Reason string `json:"reason,omitempty" doc:"why; at most 256 characters on one line"`
	}
}

func (s *server) unrestrictKey(ctx context.Context, in *unrestrictKeyInput) (*written[keyShape], error) {
	reason := ""
	if in.Body != nil {
		reason = in.Body.Reason
	}
	return s.changeKeyAs(ctx, permission.KeyRestrict, in.AccessKeyID, func(req ledger.Request, k events.AccessKeyID) (ledger.Outcome, error) {
		return s.Ledger.UnrestrictKey(ctx, req, k, reason)
	})
}

// changeKey carries out a command on a key and answers with the key as it is
// afterwards.
func (s *server) changeKey(ctx context.Context, id string, do func(ledger.Request, events.AccessKeyID) (ledger.Outcome, error)) (*written[keyShape], error) {
	return s.changeKeyAs(ctx, permission.KeyWrite, id, do)
}

// changeKeyAs is changeKey for another operation of the permission table.
func (s *server) changeKeyAs(ctx context.Context, op permission.Operation, id string,
	do func(ledger.Request, events.AccessKeyID) (ledger.Outcome, error)) (*written[keyShape], error) {
	k, err := s.key(ctx, op, id)
	if err != nil {
		return nil, err
	}
	out, err := do(inboundOf(ctx).request, k.ID)
	if err != nil {
		return nil, err
	}
	k, _, err = s.Queries.Key(k.ID)
	shape := shapeKey(k)
	for _, e := range out.Events {
		if deleted, ok := e.(events.KeyDeleted); ok && deleted.Key == k.ID {
			shape.Warnings = deleted.Warnings
		}
	}
	return &written[keyShape]{Position: uint64(out.Position), Body: shape}, err
}
