package aws

import (
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
)

type keyElement struct {
	UserName        string
	AccessKeyID     string `xml:"AccessKeyId"`
	Status          string
	SecretAccessKey string `xml:",omitempty"`
	CreateDate      string
}

func element(k dialect.Key) keyElement {
	e := keyElement{UserName: k.UserName, AccessKeyID: k.AccessKeyID, Status: "Inactive"}
	if k.Active {
		e.Status = "Active"
	}
	e.CreateDate = k.CreatedAt.UTC().Format(time.RFC3339)
	return e
}

type createResult struct {
	XMLName   xml.Name   `xml:"CreateAccessKeyResult"`
	AccessKey keyElement `xml:"AccessKey"`
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateAccessKey.html
func createAccessKey(ctx context.Context, f form, keys dialect.Keys) (any, error) {
	user, err := f.userName()
	if err != nil {
		return nil, err
	}
	created, err := keys.Create(ctx, dialect.Owner{Name: user}, "")
	if err != nil {
		return nil, err
	}
	if created.Secret == "" { // a success without a secret would be kept as if it had one
		return nil, &refusal{http.StatusConflict, "EntityAlreadyExists", "An earlier attempt of this request created the access key " + created.AccessKeyID +
			". Its secret was sent once and is not shown again; if it did not arrive, delete the key and create another."}
	}
	e := element(created.Key)
	e.SecretAccessKey = string(created.Secret)
	return createResult{AccessKey: e}, nil
}

type listResult struct {
	XMLName           xml.Name `xml:"ListAccessKeysResult"`
	AccessKeyMetadata members  // there even if empty: clients look into it
	IsTruncated       bool
	Marker            string `xml:",omitempty"`
}

type members struct {
	Member []keyElement `xml:"member"`
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccessKeys.html
func listAccessKeys(ctx context.Context, f form, keys dialect.Keys) (any, error) {
	user, err := f.userName()
	if err != nil {
		return nil, err
	}
	marker, err := f.marker()
	if err != nil {
		return nil, err
	}
	limit, err := f.limit()
	if err != nil {
		return nil, err
	}
	page, err := keys.List(ctx, dialect.Owner{Name: user}, marker, limit)
	if fault, ok := errors.AsType[*dialect.Fault](err); ok && fault.Kind == dialect.Invalid && marker != "" {
		return nil, &dialect.Fault{Kind: dialect.Invalid, Detail: "Marker is not one that this service gave for this list."}
	}
	if err != nil {
		return nil, err
	}
	result := listResult{IsTruncated: page.Next != "", Marker: page.Next}
	for _, k := range page.Keys {
		result.AccessKeyMetadata.Member = append(result.AccessKeyMetadata.Member, element(k))
	}
	return result, nil
}

type lastUsedResult struct {
	XMLName           xml.Name `xml:"GetAccessKeyLastUsedResult"`
	UserName          string
	AccessKeyLastUsed struct {
		LastUsedDate string `xml:",omitempty"` // left out if the key was never used
		ServiceName  string
		Region       string
	}
}

// notApplicable is what AWS says of a key that was never used.
const notApplicable = "N/A"

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccessKeyLastUsed.html
func getAccessKeyLastUsed(ctx context.Context, f form, keys dialect.Keys) (any, error) {
	id, err := f.accessKeyID()
	if err != nil {
		return nil, err
	}
	last, err := keys.LastUsed(ctx, dialect.Anyone, id)
	if err != nil {
		return nil, err
	}
	out := lastUsedResult{UserName: last.UserName}
	out.AccessKeyLastUsed.ServiceName = cmp.Or(last.Service, notApplicable)
	out.AccessKeyLastUsed.Region = cmp.Or(last.Region, notApplicable)
	if !last.Time.IsZero() {
		out.AccessKeyLastUsed.LastUsedDate = last.Time.UTC().Format(time.RFC3339)
	}
	return out, nil
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccessKey.html
func updateAccessKey(ctx context.Context, f form, keys dialect.Keys) (any, error) {
	user, id, err := f.userAndKey()
	if err != nil {
		return nil, err
	}
	active, err := f.active()
	if err != nil {
		return nil, err
	}
	return nil, keys.SetStatus(ctx, dialect.Owner{Name: user}, id, active)
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteAccessKey.html
func deleteAccessKey(ctx context.Context, f form, keys dialect.Keys) (any, error) {
	user, id, err := f.userAndKey()
	if err != nil {
		return nil, err
	}
	return nil, keys.Delete(ctx, dialect.Owner{Name: user}, id)
}

type identityResult struct {
	XMLName xml.Name `xml:"GetCallerIdentityResult"`
	ARN     string   `xml:"Arn"`
	UserID  string   `xml:"UserId"`
	Account string
}

// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
func getCallerIdentity(ctx context.Context, _ form, keys dialect.Keys) (any, error) {
	who := keys.Caller(ctx)
	return identityResult{ARN: arn(who), UserID: who.UserID, Account: who.Account}, nil
}
