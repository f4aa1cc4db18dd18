package sdk

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/global"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/region"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/request"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"
	iam3 "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/iam/v3"
	model3 "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/iam/v3/model"
	iam5 "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/iam/v5"
	model5 "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/iam/v5/model"

	"github.com/keyledger/keyledger/cmd/keyledger/testdata/sdk/ledger"
)

// wants holds that err is the vendor's error with the code or, where the SDK reads none, the
// text; no error if code is "".
func wants(t *testing.T, what string, err error, status int, code string) {
	t.Helper()
	if code == "" && err == nil {
		return
	}
	var said *sdkerr.ServiceResponseError
	if errors.As(err, &said) && said.StatusCode == status && said.RequestId != "" &&
		(said.ErrorCode == code || said.ErrorCode == "" && strings.Contains(said.ErrorMessage, code)) {
		return
	}
	t.Errorf("%s: got %v, want %d %s", what, err, status, code)
}

func (a account) v3(k ledger.Pair) *iam3.IamClient {
	c, err := global.NewCredentialsBuilder().WithAk(k.ID).WithSk(k.Secret).WithDomainId("domain").SafeBuild()
	if err != nil {
		a.t.Fatal(err)
	}
	h, err := iam3.IamClientBuilder().WithEndpoint(a.URL).WithCredential(c).SafeBuild()
	if err != nil {
		a.t.Fatal(err)
	}
	return iam3.NewIamClient(h)
}

func (a account) v5(k ledger.Pair) *iam5.IamClient {
	c, err := global.NewCredentialsBuilder().WithAk(k.ID).WithSk(k.Secret).WithDomainId("domain").SafeBuild()
	if err != nil {
		a.t.Fatal(err)
	}
	h, err := iam5.IamClientBuilder().WithEndpoint(a.URL).WithCredential(c).SafeBuild()
	if err != nil {
		a.t.Fatal(err)
	}
	return iam5.NewIamClient(h)
}

// derived signs by V11-HMAC-SHA256, and asks which account it is of.
func (a account) derived(k ledger.Pair) *iam3.IamClient {
	c, err := global.NewCredentialsBuilder().WithAk(k.ID).WithSk(k.Secret).WithIamEndpointOverride(a.URL).
		WithDerivedPredicate(func(*request.DefaultHttpRequest) bool { return true }).SafeBuild()
	if err != nil {
		a.t.Fatal(err)
	}
	h, err := iam3.IamClientBuilder().WithRegion(region.NewRegion("cn-north-4", a.URL)).WithDerivedAuthServiceName("iam").
		WithCredential(c).SafeBuild()
	if err != nil {
		a.t.Fatal(err)
	}
	return iam3.NewIamClient(h)
}

func create(client *iam3.IamClient, user string) (*model3.CreateCredentialResult, error) {
	text := "rotate me <soon>"
	out, err := client.CreatePermanentAccessKey(&model3.CreatePermanentAccessKeyRequest{Body: &model3.CreatePermanentAccessKeyRequestBody{
		Credential: &model3.CreateCredentialOption{UserId: user, Description: &text},
	}})
	if err != nil {
		return nil, err
	}
	return out.Credential, nil
}

func turn(client *iam3.IamClient, key string, status model3.UpdateCredentialOptionStatus) error {
	_, err := client.UpdatePermanentAccessKey(&model3.UpdatePermanentAccessKeyRequest{AccessKey: key, Body: &model3.UpdatePermanentAccessKeyRequestBody{
		Credential: &model3.UpdateCredentialOption{Status: &status},
	}})
	return err
}

func remove(client *iam3.IamClient, key string) error {
	_, err := client.DeletePermanentAccessKey(&model3.DeletePermanentAccessKeyRequest{AccessKey: key})
	return err
}

func showOf(key string) *model3.ShowPermanentAccessKeyRequest {
	return &model3.ShowPermanentAccessKeyRequest{AccessKey: key}
}

func list(t *testing.T, client *iam3.IamClient, user string) []model3.Credentials {
	t.Helper()
	out, err := client.ListPermanentAccessKeys(&model3.ListPermanentAccessKeysRequest{UserId: &user})
	if err != nil {
		t.Fatal(err)
	}
	return *out.Credentials
}

var states = model3.GetUpdateCredentialOptionStatusEnum()

// TestLifeV3 is a key's whole life under the preset huawei: two keys a user,
// made inactive before they are deleted for good.
func TestLifeV3(t *testing.T) {
	a := open(t, "huawei")
	root, alice := a.v3(a.Key), a.User("alice")
	made, err := create(root, alice)
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse("2006-01-02T15:04:05.999999Z", made.CreateTime)
	if made.UserId != alice || made.Status != "active" || len(made.Access) != 20 || len(made.Secret) != 40 ||
		made.Description != "rotate me <soon>" || err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("got the key %+v, %v", made, err)
	}
	own := ledger.Pair{ID: made.Access, Secret: made.Secret}
	_, err = create(a.v3(own), alice)
	wants(t, "a second key, by the user", err, 0, "")
	_, err = create(root, alice)
	wants(t, "a third key", err, 400, "akSkNumExceed")
	if got := list(t, a.v3(own), alice); len(got) != 2 {
		t.Errorf("got the keys %+v, want two", got)
	}
	_, err = a.derived(own).ListPermanentAccessKeys(&model3.ListPermanentAccessKeysRequest{})
	wants(t, "a list, signed by a derived key", err, 0, "")

	shown := func() *model3.ShowCredential {
		out, err := root.ShowPermanentAccessKey(showOf(own.ID))
		if err != nil {
			t.Fatal(err)
		}
		return out.Credential
	}
	for until := time.Now().Add(20 * time.Second); shown().LastUseTime == made.CreateTime; {
		if time.Now().After(until) {
			t.Fatal("waited in vain for the last use")
		}
	}

	wants(t, "make it inactive", turn(root, own.ID, states.INACTIVE), 0, "")
	wants(t, "a call signed by an inactive key", turn(a.v3(own), own.ID, states.ACTIVE), 400, "IAM.1107")
	wants(t, "make it active", turn(root, own.ID, states.ACTIVE), 0, "")
	_, err = a.v3(own).ListPermanentAccessKeys(&model3.ListPermanentAccessKeysRequest{})
	wants(t, "a call signed by an active key", err, 0, "")
	wants(t, "delete an active key", remove(root, own.ID), 409, "IAM.0005")
	text, inactive := "gone soon", states.INACTIVE
	out, err := root.UpdatePermanentAccessKey(&model3.UpdatePermanentAccessKeyRequest{AccessKey: own.ID, Body: &model3.UpdatePermanentAccessKeyRequestBody{
		Credential: &model3.UpdateCredentialOption{Status: &inactive, Description: &text},
	}})
	if err != nil || out.Credential.Status != "inactive" || out.Credential.Description != text {
		t.Errorf("make it inactive and describe it: got %+v, %v", out, err)
	}
	wants(t, "delete an inactive key", remove(root, own.ID), 0, "")
	wants(t, "delete it again", remove(root, own.ID), 404, "IAM.0004")
	wants(t, "a call signed by a deleted key", remove(a.v3(own), own.ID), 401, "APIGW.0301")
	if got := list(t, root, alice); len(got) != 1 {
		t.Errorf("got the keys %+v, want one", got)
	}
}

// TestLifeV5 is the same through version 5.
func TestLifeV5(t *testing.T) {
	a := open(t, "huawei")
	root, alice := a.v5(a.Key), a.User("alice")
	var made [2]*model5.CreateAccessKeyV5Response
	for i := range made {
		var err error
		if made[i], err = root.CreateAccessKeyV5(&model5.CreateAccessKeyV5Request{UserId: alice}); err != nil {
			t.Fatal(err)
		}
	}
	own := ledger.Pair{ID: made[0].AccessKey.AccessKeyId, Secret: made[0].AccessKey.SecretAccessKey}
	_, err := root.CreateAccessKeyV5(&model5.CreateAccessKeyV5Request{UserId: alice})
	wants(t, "a third key", err, 400, "akSkNumExceed")

	one, pages, seen := int32(1), 0, map[string]bool{}
	for marker := (*string)(nil); pages == 0 || marker != nil; pages++ {
		page, err := root.ListAccessKeysV5(&model5.ListAccessKeysV5Request{UserId: alice, Limit: &one, Marker: marker})
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range *page.AccessKeys {
			seen[k.AccessKeyId] = true
		}
		marker = page.PageInfo.NextMarker
	}
	if pages != 2 || len(seen) != 2 {
		t.Errorf("got %v on %d pages, want two on two", seen, pages)
	}
	nonsense := "nonsense"
	_, err = root.ListAccessKeysV5(&model5.ListAccessKeysV5Request{UserId: alice, Marker: &nonsense})
	wants(t, "a marker that is none", err, 400, "PAP5.0010")

	lastUsed := func() *model5.AccessKeyLastUsed {
		out, err := root.ShowAccessKeyLastUsedV5(&model5.ShowAccessKeyLastUsedV5Request{UserId: alice, AccessKeyId: own.ID})
		if err != nil {
			t.Fatal(err)
		}
		return out.AccessKeyLastUsed
	}
	if got := lastUsed(); got == nil || got.LastUsedAt != nil {
		t.Errorf("never used: got %+v", got)
	}
	use := func() error {
		_, err := a.v5(own).ListAccessKeysV5(&model5.ListAccessKeysV5Request{UserId: alice})
		return err
	}
	wants(t, "a call signed by it", use(), 0, "")
	for until := time.Now().Add(20 * time.Second); lastUsed().LastUsedAt == nil; {
		if time.Now().After(until) {
			t.Fatal("waited in vain for the last use")
		}
	}
	turn := func(status model5.AccessKeyStatus) error {
		_, err := root.UpdateAccessKeyV5(&model5.UpdateAccessKeyV5Request{UserId: alice, AccessKeyId: own.ID, Body: &model5.UpdateAccessKeyReqBody{Status: &status}})
		return err
	}
	remove := func() error {
		_, err := root.DeleteAccessKeyV5(&model5.DeleteAccessKeyV5Request{UserId: alice, AccessKeyId: own.ID})
		return err
	}
	wants(t, "make it inactive", turn(model5.GetAccessKeyStatusEnum().INACTIVE), 0, "")
	wants(t, "a call signed by an inactive key", use(), 400, "IAM.1107")
	wants(t, "make it active", turn(model5.GetAccessKeyStatusEnum().ACTIVE), 0, "")
	wants(t, "a call signed by an active key", use(), 0, "")
	wants(t, "make it inactive again", turn(model5.GetAccessKeyStatusEnum().INACTIVE), 0, "")
	wants(t, "delete it", remove(), 0, "")
	wants(t, "delete it again", remove(), 404, "IAM.0004")
	_, err = root.ListAccessKeysV5(&model5.ListAccessKeysV5Request{UserId: "123456789012345678"})
	wants(t, "another user", err, 404, "IAM.0004")
}

// TestRefusals is what is refused before anything is carried out. Too many wrong
// signatures lock the key for this address, and only that key.
func TestRefusals(t *testing.T) {
	a := open(t, "huawei")
	alice, bob := a.User("alice"), a.User("bob")
	made, err := create(a.v3(a.Key), alice)
	if err != nil {
		t.Fatal(err)
	}
	own := ledger.Pair{ID: made.Access, Secret: made.Secret}
	_, err = create(a.v3(own), bob)
	wants(t, "a key for somebody else", err, 403, "IAM.0003")
	_, err = a.v5(own).CreateAccessKeyV5(&model5.CreateAccessKeyV5Request{UserId: bob})
	wants(t, "the same by version 5", err, 403, "PAP5.0001")
	mine := func(k ledger.Pair) error {
		_, err := a.v3(k).ListPermanentAccessKeys(&model3.ListPermanentAccessKeysRequest{})
		return err
	}
	wants(t, "an unknown key", mine(ledger.Pair{ID: "KLAK0000000000000000", Secret: own.Secret}), 401, "APIGW.0301")
	for range 6 {
		wants(t, "a wrong secret", mine(ledger.Pair{ID: own.ID, Secret: own.Secret + "x"}), 401, "APIGW.0301")
	}
	err = mine(own)
	wants(t, "the right secret, after too many wrong ones", err, 401, "APIGW.0301")
	if err == nil || !strings.Contains(err.Error(), "AK access failed to reach the limit") {
		t.Errorf("got %v, want it to say that the key is locked", err)
	}
	wants(t, "another key from there", mine(a.Key), 0, "")
}
