package api

import (
	"encoding/json"
	"time"

	"github.com/keyledger/keyledger/events"
)

// PageInput is what every list takes. It is exported for huma alone, which sees no
// fields in unexported structs; so are the others that inputs embed.
type PageInput struct {
	Cursor      string `query:"cursor" maxLength:"1024" doc:"next_cursor of the page before"`
	Limit       int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"how many at most"`
	MinPosition uint64 `query:"min_position" doc:"answer only when this position of the log is known"`
}

func (p PageInput) page() Page { return Page{Cursor: p.Cursor, Limit: p.Limit} }

// AccountInput is the account a request is about.
type AccountInput struct {
	AccountID string `query:"account_id" pattern:"^[1-9][0-9]{11}$" doc:"the account; the caller's own if left out"`
}

// list is a page of a list.
type list[T any] struct {
	Items      []T    `json:"items" nullable:"false"`
	NextCursor string `json:"next_cursor,omitempty" doc:"of the next page; absent at the end. A page may hold fewer than limit, even none, and have one: go on until it is absent"`
}

// written is the answer to a command that changed something.
type written[T any] struct {
	Position uint64 `header:"X-Keyledger-Position" doc:"of the log, at which the answer is true"`
	Body     T
}

// read is the answer to a question.
type read[T any] struct {
	Body T
}

// instant is a time as the API writes it: RFC 3339, UTC; nil if there is none.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	u := t.UTC()
	return &u
}

type accountShape struct {
	AccountID  string          `json:"account_id"`
	Name       string          `json:"name"`
	Operator   bool            `json:"operator"`
	Preset     string          `json:"preset"`
	Overrides  json.RawMessage `json:"overrides,omitempty" doc:"what differs from the preset"`
	Policy     events.Policy   `json:"policy" doc:"the whole policy in force"`
	RootUserID string          `json:"root_user_id"`
	CreatedAt  *time.Time      `json:"created_at"`
}

func shapeAccount(a Account) accountShape {
	return accountShape{
		AccountID: string(a.ID), Name: a.Name, Operator: a.Operator, Preset: a.Preset, Overrides: a.Overrides,
		Policy: a.Policy, RootUserID: string(a.Root), CreatedAt: instant(a.OpenedAt),
	}
}

type userShape struct {
	UserID    string     `json:"user_id"`
	AccountID string     `json:"account_id"`
	Name      string     `json:"name"`
	Kind      string     `json:"kind" enum:"root,user,collaborator"`
	Role      string     `json:"role" enum:"admin,user,auditor"`
	Grants    []string   `json:"grants" nullable:"false"`
	CreatedAt *time.Time `json:"created_at"`
}

func shapeUser(u User) userShape {
	s := userShape{
		UserID: string(u.ID), AccountID: string(u.Account), Name: u.Name, Kind: u.Kind, Role: u.Role,
		Grants: []string{}, CreatedAt: instant(u.AddedAt),
	}
	s.Grants = append(s.Grants, u.Grants...)
	return s
}

type keyShape struct {
	AccessKeyID      string     `json:"access_key_id"`
	AccountID        string     `json:"account_id"`
	UserID           string     `json:"user_id"`
	Status           string     `json:"status" enum:"active,disabled,deleted,purged" doc:"deleted: in the recycle bin"`
	Description      string     `json:"description"`
	CreatedAt        *time.Time `json:"created_at"`
	StatusChangedAt  *time.Time `json:"status_changed_at"`
	DeletedAt        *time.Time `json:"deleted_at,omitempty"`
	PurgeAt          *time.Time `json:"purge_at,omitempty" doc:"when a key in the recycle bin is gone for ever"`
	PurgedAt         *time.Time `json:"purged_at,omitempty"`
	RestrictedAt     *time.Time `json:"restricted_at,omitempty" doc:"since when it is under leak protection, whatever its status; absent if it is not"`
	RestrictedReason string     `json:"restricted_reason,omitempty" doc:"why it is"`
	FoundIn          string     `json:"found_in,omitempty" doc:"where its secret was seen"`
	Warnings         []string   `json:"warnings,omitempty" doc:"names of rules that would rather not have had what was asked"`
}

func shapeKey(k Key) keyShape {
	return keyShape{
		AccessKeyID: string(k.ID), AccountID: string(k.Owner.Account), UserID: string(k.Owner.User), Status: k.Status,
		Description: k.Description, CreatedAt: instant(k.CreatedAt), StatusChangedAt: instant(k.ChangedAt),
		DeletedAt: instant(k.DeletedAt), PurgeAt: instant(k.PurgeAt), PurgedAt: instant(k.PurgedAt),
		RestrictedAt: instant(k.Restriction.Since), RestrictedReason: k.Restriction.Reason, FoundIn: k.Restriction.FoundIn,
	}
}

type gatewayTokenShape struct {
	TokenID      string     `json:"token_id"`
	Name         string     `json:"name"`
	AccountID    string     `json:"account_id"`
	Installation bool       `json:"installation" doc:"whether it is for every account of the installation"`
	CreatedAt    *time.Time `json:"created_at"`
	RevokedAt    *time.Time `json:"revoked_at,omitempty" doc:"absent while the token is live"`
}

func shapeGatewayToken(g GatewayToken) gatewayTokenShape {
	return gatewayTokenShape{
		TokenID: string(g.ID), Name: g.Name, AccountID: string(g.Account), Installation: g.Installation,
		CreatedAt: instant(g.CreatedAt), RevokedAt: instant(g.RevokedAt),
	}
}

func shapeAll[A, B any](in []A, shape func(A) B) []B {
	out := make([]B, len(in))
	for i, a := range in {
		out[i] = shape(a)
	}
	return out
}
