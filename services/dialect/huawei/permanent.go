package huawei

import (
	"context"
	"net/http"

	"github.com/keyledger/keyledger/services/dialect"
)

// timeV3 is how version 3 writes a time: UTC, six digits of a second.
const timeV3 = "2006-01-02T15:04:05.000000Z"

// A permanent is a key as version 3 shows it.
type permanent struct {
	UserID      string `json:"user_id"`
	Access      string `json:"access"`
	Secret      string `json:"secret,omitempty"` // once
	Status      string `json:"status"`
	CreateTime  string `json:"create_time"`
	LastUseTime string `json:"last_use_time,omitempty"` // if one key is shown
	Description string `json:"description"`
}

type permanentAnswer struct {
	Credential permanent `json:"credential"`
}

type permanentList struct {
	Credentials []permanent `json:"credentials"`
}

func permanentOf(k dialect.Key) permanent {
	return permanent{
		UserID: k.UserID, Access: k.AccessKeyID, Status: status(k.Active),
		CreateTime: k.CreatedAt.UTC().Format(timeV3), Description: k.Description,
	}
}

func status(active bool) string {
	if active {
		return "active"
	}
	return "inactive"
}

// https://support.huaweicloud.com/intl/en-us/api-iam/iam_03_0001.html
func createPermanent(ctx context.Context, c *call) (int, any, error) {
	body, err := credential(c.body)
	if err != nil {
		return 0, nil, err
	}
	c.user, err = body.text("user_id")
	switch {
	case err != nil:
		return 0, nil, err
	case c.user == "":
		return 0, nil, required("user_id")
	case !isName(c.user):
		return 0, nil, notFound("user", "")
	}
	description, err := body.text("description")
	if err != nil {
		return 0, nil, err
	}
	created, err := create(ctx, c, description)
	if err != nil {
		return 0, nil, err
	}
	out := permanentOf(created.Key)
	out.Secret = string(created.Secret)
	return http.StatusCreated, permanentAnswer{out}, nil
}

// create makes a key for the user of the call. A success without a secret would be kept
// as if it had one.
func create(ctx context.Context, c *call, description string) (dialect.CreatedKey, error) {
	created, err := c.keys.Create(ctx, dialect.Owner{ID: c.user}, description)
	if err == nil && created.Secret == "" {
		err = conflict("an earlier attempt of this request created the access key " + created.AccessKeyID +
			", and its secret is not shown again; delete it and create another")
	}
	return created, err
}

// listPermanent lists all keys of a user, whose number the quota bounds: this version knows
// no pages.
// https://support.huaweicloud.com/intl/en-us/api-iam/iam_03_0002.html
func listPermanent(ctx context.Context, c *call) (int, any, error) {
	c.user = c.query["user_id"]
	if c.user != "" && !isName(c.user) {
		return 0, nil, notFound("user", "")
	}
	out := permanentList{Credentials: []permanent{}}
	for cursor, more := "", true; more; {
		page, err := c.keys.List(ctx, dialect.Owner{ID: c.user}, cursor, 1000)
		if err != nil {
			return 0, nil, err
		}
		for _, k := range page.Keys {
			out.Credentials = append(out.Credentials, permanentOf(k))
		}
		cursor, more = page.Next, page.Next != ""
	}
	return http.StatusOK, out, nil
}

// showPermanent shows one key. Of a key that was never used the vendor says that it
// was used when it was created.
// https://support.huaweicloud.com/intl/en-us/api-iam/iam_03_0003.html
func showPermanent(ctx context.Context, c *call) (int, any, error) {
	k, err := c.keys.Show(ctx, dialect.Anyone, c.key)
	if err != nil {
		return 0, nil, err
	}
	last, err := c.keys.LastUsed(ctx, dialect.Anyone, c.key)
	if err != nil {
		return 0, nil, err
	}
	out := permanentOf(k)
	out.LastUseTime = out.CreateTime
	if !last.Time.IsZero() {
		out.LastUseTime = last.Time.UTC().Format(timeV3)
	}
	return http.StatusOK, permanentAnswer{out}, nil
}

// https://support.huaweicloud.com/intl/en-us/api-iam/iam_03_0004.html
func updatePermanent(ctx context.Context, c *call) (int, any, error) {
	change, err := readChange(c.body)
	if err != nil {
		return 0, nil, err
	}
	if err := c.keys.Update(ctx, dialect.Anyone, c.key, change); err != nil {
		return 0, nil, err
	}
	k, err := c.keys.Show(ctx, dialect.Anyone, c.key)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, permanentAnswer{permanentOf(k)}, nil
}

func readChange(body []byte) (change dialect.Change, err error) {
	o, err := credential(body)
	if err != nil {
		return change, err
	}
	if o.has("status") {
		active, err := o.active()
		if err != nil {
			return change, err
		}
		change.Active = &active
	}
	if o.has("description") {
		text, err := o.text("description")
		if err != nil {
			return change, err
		}
		change.Description = &text
	}
	if change == (dialect.Change{}) {
		return change, required("status")
	}
	return change, nil
}

// https://support.huaweicloud.com/intl/en-us/api-iam/iam_03_0005.html
func deletePermanent(ctx context.Context, c *call) (int, any, error) {
	return http.StatusNoContent, nil, c.keys.Delete(ctx, dialect.Anyone, c.key)
}

type domain struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Enabled     bool   `json:"enabled"`
}

// listDomains says which account the caller is of: SDKs ask it when they are not told, and send
// the ID along in X-Domain-Id from then on.
// https://support.huaweicloud.com/intl/en-us/api-iam/iam_07_0001.html
func listDomains(ctx context.Context, c *call) (int, any, error) {
	who := c.keys.Caller(ctx)
	return http.StatusOK, struct {
		Domains []domain `json:"domains"`
	}{[]domain{{ID: who.Account, Name: who.Account, Enabled: true}}}, nil
}
