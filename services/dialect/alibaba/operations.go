package alibaba

import (
	"context"
	"net/http"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
)

type keyElement struct {
	AccessKeyID     string `json:"AccessKeyId" xml:"AccessKeyId"`
	AccessKeySecret string `json:",omitempty" xml:",omitempty"`
	Status          string
	CreateDate      string
	UpdateDate      string `json:",omitempty" xml:",omitempty"` // IMS only
}

func (p parameters) element(k dialect.Key) keyElement {
	e := keyElement{AccessKeyID: k.AccessKeyID, Status: statusInactive, CreateDate: stamp(k.CreatedAt)}
	if k.Active {
		e.Status = statusActive
	}
	if p.ims {
		e.UpdateDate = stamp(k.ChangedAt)
	}
	return e
}

// stamp is a time as the vendor writes it; empty if there is none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(stampLayout)
}

type createResult struct{ AccessKey keyElement }

func createAccessKey(ctx context.Context, p parameters, keys dialect.Keys) (any, error) {
	of, err := p.owner(ctx, keys)
	if err != nil {
		return nil, err
	}
	created, err := keys.Create(ctx, of, "")
	if err != nil {
		return nil, err
	}
	if created.Secret == "" { // a success without a secret would be kept as if it had one
		return nil, &refusal{http.StatusConflict, "EntityAlreadyExists.User.AccessKey", "An earlier attempt of this request created the AccessKey " + created.AccessKeyID +
			". Its secret was sent once and is not shown again; if it did not arrive, delete the AccessKey and create another."}
	}
	e := p.element(created.Key)
	e.UpdateDate, e.AccessKeySecret = "", string(created.Secret)
	return createResult{e}, nil
}

type listResult struct{ AccessKeys keyElements }

type keyElements struct {
	AccessKey []keyElement
}

func listAccessKeys(ctx context.Context, p parameters, keys dialect.Keys) (any, error) {
	of, err := p.owner(ctx, keys)
	if err != nil {
		return nil, err
	}
	result := listResult{keyElements{[]keyElement{}}} // there even if empty: clients look into it
	err = pages(func(cursor string) (string, error) {
		page, err := keys.List(ctx, of, cursor, pageSize)
		for _, k := range page.Keys {
			result.AccessKeys.AccessKey = append(result.AccessKeys.AccessKey, p.element(k))
		}
		return page.Next, err
	})
	return result, err
}

const pageSize = 1000

// pages gets all pages of a list: the vendor's have but one.
func pages(next func(cursor string) (string, error)) error {
	for cursor := ""; ; {
		var err error
		if cursor, err = next(cursor); err != nil || cursor == "" {
			return err
		}
	}
}

func updateAccessKey(ctx context.Context, p parameters, keys dialect.Keys) (any, error) {
	of, id, err := p.ownerAndKey(ctx, keys)
	if err != nil {
		return nil, err
	}
	active, err := p.active()
	if err != nil {
		return nil, err
	}
	return nil, keys.SetStatus(ctx, of, id, active)
}

func deleteAccessKey(ctx context.Context, p parameters, keys dialect.Keys) (any, error) {
	of, id, err := p.ownerAndKey(ctx, keys)
	if err != nil {
		return nil, err
	}
	return nil, keys.Delete(ctx, of, id)
}

type lastUsedResult struct{ AccessKeyLastUsed lastUsed }

type lastUsed struct {
	LastUsedDate string // empty if it was never used
	ServiceName  string `json:",omitempty" xml:",omitempty"` // IMS only
}

func getAccessKeyLastUsed(ctx context.Context, p parameters, keys dialect.Keys) (any, error) {
	of, id, err := p.ownerAndKey(ctx, keys)
	if err != nil {
		return nil, err
	}
	last, err := keys.LastUsed(ctx, of, id)
	if err != nil {
		return nil, err
	}
	out := lastUsed{LastUsedDate: stamp(last.Time)}
	if p.ims {
		out.ServiceName = last.Service
	}
	return lastUsedResult{out}, nil
}

type binnedElement struct {
	AccessKeyID string `json:"AccessKeyId" xml:"AccessKeyId"`
	CreateDate  string
	RecycleDate string
	DeleteDate  string // when it is gone for ever
}

func binned(k dialect.BinnedKey) binnedElement {
	return binnedElement{AccessKeyID: k.AccessKeyID, CreateDate: stamp(k.CreatedAt), RecycleDate: stamp(k.DeletedAt), DeleteDate: stamp(k.PurgeAt)}
}

type binResult struct{ AccessKeys binnedElements }

type binnedElements struct {
	AccessKey []binnedElement
}

func listAccessKeysInRecycleBin(ctx context.Context, p parameters, keys dialect.Keys) (any, error) {
	of, err := p.ownerID()
	if err != nil {
		return nil, err
	}
	result := binResult{binnedElements{[]binnedElement{}}}
	err = pages(func(cursor string) (string, error) {
		page, err := keys.Bin(ctx, of, cursor, pageSize)
		for _, k := range page.Keys {
			result.AccessKeys.AccessKey = append(result.AccessKeys.AccessKey, binned(k))
		}
		return page.Next, err
	})
	return result, err
}

type infoResult struct{ AccessKey binnedInfo }

type binnedInfo struct {
	UserID            string `json:"UserId" xml:"UserId"`
	UserPrincipalName string
	UserRecycled      bool // users are not recycled here
	binnedElement
}

func getAccessKeyInfoInRecycleBin(ctx context.Context, p parameters, keys dialect.Keys) (any, error) {
	id, err := p.key()
	if err != nil {
		return nil, err
	}
	k, err := keys.Binned(ctx, dialect.Anyone, id)
	if err != nil {
		return nil, err
	}
	return infoResult{binnedInfo{
		UserID: k.UserID, UserPrincipalName: logonName(k.UserName, keys.Caller(ctx).Account), binnedElement: binned(k),
	}}, nil
}

func restoreAccessKeyFromRecycleBin(ctx context.Context, p parameters, keys dialect.Keys) (any, error) {
	of, id, err := p.ownerIDAndKey()
	if err != nil {
		return nil, err
	}
	return nil, keys.Restore(ctx, of, id)
}

func deleteAccessKeyInRecycleBin(ctx context.Context, p parameters, keys dialect.Keys) (any, error) {
	of, id, err := p.ownerIDAndKey()
	if err != nil {
		return nil, err
	}
	return nil, keys.Purge(ctx, of, id)
}

type summaryResult struct{ SummaryMap summary }

type summary struct {
	AccessKeysPerUserQuota int
}

func getAccountSummary(ctx context.Context, _ parameters, keys dialect.Keys) (any, error) {
	quota, err := keys.Quota(ctx)
	return summaryResult{summary{quota}}, err
}
