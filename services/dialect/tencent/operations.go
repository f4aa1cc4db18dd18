package tencent

import (
	"context"
	"errors"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
)

const (
	statusActive   = "Active"
	statusInactive = "Inactive"
)

// keyMember is a key as the answers show it.
type keyMember struct {
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string `json:",omitempty"`
	Status          string
	CreateTime      string // UTC; the vendor does not say
	Description     string
}

func member(k dialect.Key) keyMember {
	m := keyMember{AccessKeyID: k.AccessKeyID, Status: statusInactive, Description: k.Description}
	if k.Active {
		m.Status = statusActive
	}
	m.CreateTime = k.CreatedAt.UTC().Format(time.DateTime)
	return m
}

// https://www.tencentcloud.com/document/api/598/60618
func createAccessKey(ctx context.Context, p parameters, keys dialect.Keys) (answer, error) {
	of, err := p.owner()
	if err != nil {
		return nil, err
	}
	description, err := p.description()
	if err != nil {
		return nil, err
	}
	created, err := keys.Create(ctx, of, description)
	if err != nil {
		return nil, err
	}
	if created.Secret == "" { // a success without a secret would be kept as if it had one
		return nil, &refusal{codeFailed, "An earlier attempt of this request created the access key " + created.AccessKeyID +
			". Its secret was sent once and is not shown again; if it did not arrive, delete the key and create another."}
	}
	m := member(created.Key)
	m.SecretAccessKey = string(created.Secret)
	return answer{"AccessKey": m}, nil
}

// pageSize is how many keys are asked for at a time: the vendor's list has no pages.
const pageSize = 1000

// https://www.tencentcloud.com/document/api/598/34229
func listAccessKeys(ctx context.Context, p parameters, keys dialect.Keys) (answer, error) {
	of, err := p.owner()
	if err != nil {
		return nil, err
	}
	members := []keyMember{} // an empty list is [], not null
	for cursor, more := "", true; more; {
		page, err := keys.List(ctx, of, cursor, pageSize)
		if err != nil {
			return nil, err
		}
		for _, k := range page.Keys {
			members = append(members, member(k))
		}
		cursor, more = page.Next, page.Next != ""
	}
	return answer{"AccessKeys": members}, nil
}

// https://www.tencentcloud.com/document/api/598/60616
func updateAccessKey(ctx context.Context, p parameters, keys dialect.Keys) (answer, error) {
	of, id, err := p.ownedKey()
	if err != nil {
		return nil, err
	}
	active, err := p.active()
	if err != nil {
		return nil, err
	}
	return nil, keys.SetStatus(ctx, of, id, active)
}

// https://www.tencentcloud.com/document/api/598/60617
func deleteAccessKey(ctx context.Context, p parameters, keys dialect.Keys) (answer, error) {
	of, id, err := p.ownedKey()
	if err != nil {
		return nil, err
	}
	return nil, keys.Delete(ctx, of, id)
}

// lastUsedRow is one row of GetSecurityLastUsed; both times are null if the key was never used.
type lastUsedRow struct {
	SecretID           string  `json:"SecretId"`
	LastUsedDate       *string // UTC
	LastSecretUsedDate *int64  // milliseconds since 1970
}

// https://www.tencentcloud.com/document/api/598/41082
func getSecurityLastUsed(ctx context.Context, p parameters, keys dialect.Keys) (answer, error) {
	ids, err := p.secretIDs()
	if err != nil {
		return nil, err
	}
	rows := make([]lastUsedRow, len(ids))
	for i, id := range ids {
		last, err := keys.LastUsed(ctx, dialect.Anyone, id)
		if f, ok := errors.AsType[*dialect.Fault](err); ok && f.Kind == dialect.NotFound {
			return nil, &refusal{"FailedOperation", "The SecretId " + id + " does not exist."}
		}
		if err != nil {
			return nil, err
		}
		rows[i].SecretID = id
		if !last.Time.IsZero() {
			day, ms := last.Time.UTC().Format(time.DateOnly), last.Time.UnixMilli()
			rows[i].LastUsedDate, rows[i].LastSecretUsedDate = &day, &ms
		}
	}
	return answer{"SecretIdLastUsedRows": rows}, nil
}
