package huawei

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strconv"

	"github.com/keyledger/keyledger/services/dialect"
)

// timeV5 is how version 5 writes a time: UTC, three digits of a second.
const timeV5 = "2006-01-02T15:04:05.000Z"

// Bounds of a page of version 5.
// https://support.huaweicloud.com/intl/en-us/api-iam5/ListAccessKeysV5.html
const (
	maxLimit     = 200
	defaultLimit = 100
)

var markerShape = regexp.MustCompile(`^[A-Za-z0-9+/=_-]{4,400}$`)

// An accessKey is a key as version 5 shows it.
type accessKey struct {
	UserID          string `json:"user_id"`
	AccessKeyID     string `json:"access_key_id"`
	CreatedAt       string `json:"created_at"`
	SecretAccessKey string `json:"secret_access_key,omitempty"` // once
	Status          string `json:"status"`
}

type accessKeyAnswer struct {
	AccessKey accessKey `json:"access_key"`
}

type accessKeyList struct {
	AccessKeys []accessKey `json:"access_keys"`
	PageInfo   pageInfo    `json:"page_info"`
}

type pageInfo struct {
	NextMarker   string `json:"next_marker,omitempty"` // not there on the last page
	CurrentCount int    `json:"current_count"`
}

func accessKeyOf(k dialect.Key) accessKey {
	return accessKey{
		UserID: k.UserID, AccessKeyID: k.AccessKeyID, CreatedAt: k.CreatedAt.UTC().Format(timeV5), Status: status(k.Active),
	}
}

// https://support.huaweicloud.com/intl/en-us/api-iam5/CreateAccessKeyV5.html
func createV5(ctx context.Context, c *call) (int, any, error) {
	created, err := create(ctx, c, "")
	if err != nil {
		return 0, nil, err
	}
	out := accessKeyOf(created.Key)
	out.SecretAccessKey = string(created.Secret)
	return http.StatusCreated, accessKeyAnswer{out}, nil
}

// https://support.huaweicloud.com/intl/en-us/api-iam5/ListAccessKeysV5.html
func listV5(ctx context.Context, c *call) (int, any, error) {
	marker, given := c.query["marker"]
	if given && !markerShape.MatchString(marker) {
		return 0, nil, errMarker
	}
	limit, err := c.limit()
	if err != nil {
		return 0, nil, err
	}
	page, err := c.keys.List(ctx, dialect.Owner{ID: c.user}, marker, limit)
	if f, ok := errors.AsType[*dialect.Fault](err); ok && f.Kind == dialect.Invalid && given {
		return 0, nil, errMarker
	}
	if err != nil {
		return 0, nil, err
	}
	out := accessKeyList{AccessKeys: []accessKey{}, PageInfo: pageInfo{NextMarker: page.Next, CurrentCount: len(page.Keys)}}
	for _, k := range page.Keys {
		out.AccessKeys = append(out.AccessKeys, accessKeyOf(k))
	}
	return http.StatusOK, out, nil
}

func (c *call) limit() (int, error) {
	text, given := c.query["limit"]
	if !given {
		return defaultLimit, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxLimit {
		return 0, invalid("limit", "it must be a number from 1 to "+strconv.Itoa(maxLimit))
	}
	return n, nil
}

// https://support.huaweicloud.com/intl/en-us/api-iam5/UpdateAccessKeyV5.html
func updateV5(ctx context.Context, c *call) (int, any, error) {
	body, err := readObject(c.body)
	if err != nil {
		return 0, nil, err
	}
	active, err := body.active()
	if err != nil {
		return 0, nil, err
	}
	of := dialect.Owner{ID: c.user}
	if err := c.keys.SetStatus(ctx, of, c.key, active); err != nil {
		return 0, nil, err
	}
	k, err := c.keys.Show(ctx, of, c.key)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, accessKeyAnswer{accessKeyOf(k)}, nil
}

// deleteV5 answers as version 3 does: the vendor's pages do not show the status.
func deleteV5(ctx context.Context, c *call) (int, any, error) {
	return http.StatusNoContent, nil, c.keys.Delete(ctx, dialect.Owner{ID: c.user}, c.key)
}

type lastUsed struct {
	LastUsedAt string `json:"last_used_at,omitempty"` // not there if the key was never used
}

// https://support.huaweicloud.com/intl/en-us/api-iam5/ShowAccessKeyLastUsedV5.html
func showLastUsedV5(ctx context.Context, c *call) (int, any, error) {
	of := dialect.Owner{ID: c.user}
	if _, err := c.keys.Show(ctx, of, c.key); err != nil { // a deleted key is not there
		return 0, nil, err
	}
	last, err := c.keys.LastUsed(ctx, of, c.key)
	if err != nil {
		return 0, nil, err
	}
	var out struct {
		AccessKeyLastUsed lastUsed `json:"access_key_last_used"`
	}
	if !last.Time.IsZero() {
		out.AccessKeyLastUsed.LastUsedAt = last.Time.UTC().Format(timeV5)
	}
	return http.StatusOK, out, nil
}
