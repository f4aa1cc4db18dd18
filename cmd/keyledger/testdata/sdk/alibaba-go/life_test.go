package sdk

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	openapiutil "github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	ramclient "github.com/alibabacloud-go/ram-20150501/v2/client"
	"github.com/alibabacloud-go/tea/dara"
	"github.com/alibabacloud-go/tea/tea"
	legacy "github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	legacyram "github.com/aliyun/alibaba-cloud-sdk-go/services/ram"

	"github.com/keyledger/keyledger/cmd/keyledger/testdata/sdk/ledger"
)

// A session is an account and a way to call it.
type session struct {
	*testing.T
	*ledger.Account
	way
}

func (s session) ask(k ledger.Pair, version, action string, parameters ...string) (map[string]any, error) {
	named := map[string]string{}
	for i := 0; i < len(parameters); i += 2 {
		named[parameters[i]] = parameters[i+1]
	}
	return s.call(s.Host, k, version, action, named)
}

// ok is an operation that must go well.
func (s session) ok(k ledger.Pair, version, action string, parameters ...string) map[string]any {
	s.Helper()
	answer, err := s.ask(k, version, action, parameters...)
	if err != nil {
		s.Fatalf("%s %v: %v", action, parameters, err)
	}
	if id := text(answer, "RequestId"); len(id) != 36 || id != strings.ToUpper(id) {
		s.Errorf("%s: the request's ID is %q", action, id)
	}
	return answer
}

func (s session) fails(code string, k ledger.Pair, version, action string, parameters ...string) {
	s.Helper()
	_, err := s.ask(k, version, action, parameters...)
	wants(s.T, fmt.Sprint(action, " ", parameters), err, code)
}

// TestLife is a key's whole life under the preset alibaba, by every SDK and in every way
// that it signs and sends.
func TestLife(t *testing.T) {
	a := ledger.Start(t).Open("alibaba")
	for i, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			s := session{t, a, w}
			name := fmt.Sprintf("user%d", i)
			s.life(name, a.User(name))
		})
	}
}

func (s session) life(name, id string) {
	root, logon := s.Key, name+"@"+s.ID+".onaliyun.com"
	if got := text(s.ok(root, ims, "GetAccountSummary"), "SummaryMap", "AccessKeysPerUserQuota"); got != "2" {
		s.Errorf("the quota is %s", got)
	}
	made := s.ok(root, ram, "CreateAccessKey", "UserName", name)
	own := ledger.Pair{ID: text(made, "AccessKey", "AccessKeyId"), Secret: text(made, "AccessKey", "AccessKeySecret")}
	if born, err := time.Parse(time.RFC3339, text(made, "AccessKey", "CreateDate")); err != nil || time.Since(born).Abs() > time.Minute || text(made, "AccessKey", "Status") != "Active" {
		s.Errorf("made %v", made)
	}
	second := text(s.ok(own, ims, "CreateAccessKey"), "AccessKey", "AccessKeyId")
	s.fails("LimitExceeded.User.AccessKey", own, ram, "CreateAccessKey")
	s.fails("LimitExceeded.User.AccessKey", root, ims, "CreateAccessKey", "UserPrincipalName", logon)
	s.fails("EntityNotExist.User", root, ram, "CreateAccessKey", "UserName", "nobody")
	if got, _ := at(s.ok(own, ram, "ListAccessKeys"), "AccessKeys", "AccessKey").([]any); len(got) != 2 {
		s.Errorf("listed %v", got)
	}
	s.Eventually("the last use", func() bool {
		return text(s.ok(root, ims, "GetAccessKeyLastUsed", "UserPrincipalName", logon, "UserAccessKeyId", own.ID), "AccessKeyLastUsed", "LastUsedDate") != ""
	})
	if got := text(s.ok(root, ram, "GetAccessKeyLastUsed", "UserName", name, "UserAccessKeyId", second), "AccessKeyLastUsed", "LastUsedDate"); got != "" {
		s.Errorf("a key that was never used was used at %s", got)
	}

	s.networks(own, name)
	s.fails("DeleteConflict.AccessKey.Active", root, ram, "DeleteAccessKey", "UserName", name, "UserAccessKeyId", own.ID)
	s.ok(root, ram, "UpdateAccessKey", "UserName", name, "UserAccessKeyId", own.ID, "Status", "Inactive")
	s.fails("InvalidAccessKeyId.Inactive", own, ram, "ListAccessKeys")
	s.ok(root, ims, "UpdateAccessKey", "UserPrincipalName", logon, "UserAccessKeyId", own.ID, "Status", "Active")
	s.ok(own, ram, "ListAccessKeys")
	s.ok(root, ram, "UpdateAccessKey", "UserName", name, "UserAccessKeyId", own.ID, "Status", "Inactive")
	s.ok(root, ram, "DeleteAccessKey", "UserName", name, "UserAccessKeyId", own.ID)
	s.fails("EntityNotExist.User.AccessKey", root, ram, "DeleteAccessKey", "UserName", name, "UserAccessKeyId", own.ID)
	s.fails("InvalidAccessKeyId.NotFound", own, ram, "ListAccessKeys")
	s.bin(own.ID, id, logon)
	s.fails("InvalidAccessKeyId.NotFound", ledger.Pair{ID: "LTAI0000000000000000000a", Secret: "x"}, ram, "ListAccessKeys")
	s.fails("InvalidAction.NotFound", root, ram, "CreateUser", "UserName", "bob")
}

// bin follows a key through the recycle bin.
func (s session) bin(key, id, logon string) {
	root := s.Key
	info := s.ok(root, ims, "GetAccessKeyInfoInRecycleBin", "UserAccessKeyId", key)
	if text(info, "AccessKey", "UserId") != id || text(info, "AccessKey", "UserPrincipalName") != logon || at(info, "AccessKey", "UserRecycled") != false {
		s.Errorf("in the recycle bin: %v", info)
	}
	recycled, _ := time.Parse(time.RFC3339, text(info, "AccessKey", "RecycleDate"))
	gone, err := time.Parse(time.RFC3339, text(info, "AccessKey", "DeleteDate"))
	if days := gone.Sub(recycled).Hours() / 24; err != nil || days < 30 || days > 31 {
		s.Errorf("it stays for %v days, %v", days, err)
	}
	if got, _ := at(s.ok(root, ims, "ListAccessKeysInRecycleBin", "UserId", id), "AccessKeys", "AccessKey").([]any); len(got) != 1 {
		s.Errorf("in the recycle bin: %v", got)
	}
	s.ok(root, ims, "RestoreAccessKeyFromRecycleBin", "UserId", id, "UserAccessKeyId", key)
	s.ok(root, ims, "DeleteAccessKey", "UserPrincipalName", logon, "UserAccessKeyId", key) // restored disabled
	s.ok(root, ims, "DeleteAccessKeyInRecycleBin", "UserId", id, "UserAccessKeyId", key)
	s.fails("EntityNotExist.User.AccessKey", root, ims, "RestoreAccessKeyFromRecycleBin", "UserId", id, "UserAccessKeyId", key)
	s.fails("EntityNotExist.User.AccessKey", root, ims, "GetAccessKeyInfoInRecycleBin", "UserAccessKeyId", key)
}

const (
	anywhere  = `{"Version":1,"Status":"Inactive","Statements":[]}`
	elsewhere = `{"Version":1,"Status":"Active","Statements":[{"Type":"ClassicWhiteList","IPList":["203.0.113.0/24","2001:db8::/32"]}]}`
	here      = `{"Version":1,"Status":"Active","Statements":[{"Type":"ClassicWhiteList","IPList":["127.0.0.0/8","::1"]}]}`
)

// networks has the account's and the key's network policies deny and allow, with the two
// messages that the vendor tells its users to look for.
func (s session) networks(own ledger.Pair, name string) {
	root := s.Key
	s.ok(root, ims, "SetAccessKeyPolicy", "UserPrincipalName", name, "UserAccessKeyId", own.ID, "AccessKeyPolicy", elsewhere)
	if got := text(s.ok(root, ims, "GetAccessKeyPolicy", "UserPrincipalName", name, "UserAccessKeyId", own.ID), "AccessKeyPolicy"); got != elsewhere {
		s.Errorf("the policy is %s, want %s", got, elsewhere)
	}
	s.denied(own, `The specified parameter "AccessKeyId.AccessPolicyDenied" is not valid.`)
	s.ok(root, ims, "SetAccessKeyPolicy", "UserPrincipalName", name, "UserAccessKeyId", own.ID, "AccessKeyPolicy", anywhere)
	s.ok(own, ram, "ListAccessKeys")

	s.fails("InvalidParameter.AccessKeyPolicy", root, ims, "SetAccessKeyPolicyForAccount", "AccessKeyPolicy", elsewhere) // it would lock out the root user
	s.ok(root, ims, "SetAccessKeyPolicy", "UserAccessKeyId", root.ID, "AccessKeyPolicy", here)
	s.ok(root, ims, "SetAccessKeyPolicyForAccount", "AccessKeyPolicy", here)
	s.ok(own, ram, "ListAccessKeys")
	if got := text(s.ok(root, ims, "GetAccessKeyPolicyForAccount"), "AccessKeyPolicy"); got != here {
		s.Errorf("the account's policy is %s, want %s", got, here)
	}
	s.ok(root, ims, "SetAccessKeyPolicyForAccount", "AccessKeyPolicy", anywhere)
	s.ok(root, ims, "SetAccessKeyPolicy", "UserAccessKeyId", root.ID, "AccessKeyPolicy", anywhere)
	s.fails("NoPermission", own, ims, "SetAccessKeyPolicy", "UserAccessKeyId", own.ID, "AccessKeyPolicy", anywhere)
	s.fails("InvalidParameter.AccessKeyPolicy", root, ims, "SetAccessKeyPolicy", "UserPrincipalName", name, "UserAccessKeyId", own.ID, "AccessKeyPolicy", "{}")
}

func (s session) denied(k ledger.Pair, message string) {
	s.Helper()
	if _, err := s.ask(k, ram, "ListAccessKeys"); err == nil || !strings.Contains(err.Error(), message) {
		s.Errorf("got %v, want %q", err, message)
	}
}

// TestAccountPolicy has the operator close an account: its keys are told so in the vendor's
// words, until a policy of their own replaces it.
func TestAccountPolicy(t *testing.T) {
	l := ledger.Start(t)
	a := l.Open("alibaba")
	l.Operate("account", "network-policy", "set", a.ID, "--allow", "203.0.113.0/24")
	for _, w := range ways {
		session{t, a, w}.denied(a.Key, "code: 400, Specified access key denied due to access policy.")
	}
	l.Operate("key", "network-policy", "set", a.Key.ID, "--allow", "127.0.0.0/8,::1")
	for _, w := range ways {
		session{t, a, w}.ok(a.Key, ram, "ListAccessKeys")
	}
}

// TestWrongSecret: the SDK for Go is told what should have been signed, and tells its user
// that the secret is wrong.
func TestWrongSecret(t *testing.T) {
	a := ledger.Start(t).Open("alibaba")
	for _, w := range ways {
		_, err := session{t, a, w}.ask(ledger.Pair{ID: a.Key.ID, Secret: a.Key.Secret + "x"}, ram, "ListAccessKeys")
		wants(t, w.name, err, "SignatureDoesNotMatch")
		var bad *refusal
		if errors.As(err, &bad) && strings.HasPrefix(w.name, "alibaba-cloud-sdk-go") && !strings.Contains(bad.recommend, "InvalidAccessKeySecret") {
			t.Errorf("%s recommends %q, want it to find the secret wrong", w.name, bad.recommend)
		}
	}
}

// TestTyped calls the operations by the SDKs' own types.
func TestTyped(t *testing.T) {
	a := ledger.Start(t).Open("alibaba")
	a.User("alice")
	t.Run("alibaba-cloud-sdk-go", func(t *testing.T) {
		c, err := legacyram.NewClientWithOptions("cn-hangzhou", legacy.NewConfig().WithScheme("HTTP"), credentials.NewAccessKeyCredential(a.Key.ID, a.Key.Secret))
		if err != nil {
			t.Fatal(err)
		}
		c.Domain = a.Host
		create := legacyram.CreateCreateAccessKeyRequest()
		create.UserName = "alice"
		made, err := c.CreateAccessKey(create)
		if err != nil || made.AccessKey.Status != "Active" || made.AccessKey.AccessKeySecret == "" {
			t.Fatalf("got %v, %v", made, err)
		}
		list := legacyram.CreateListAccessKeysRequest()
		list.UserName = "alice"
		for _, format := range []string{"JSON", "XML"} {
			list.AcceptFormat = format
			got, err := c.ListAccessKeys(list)
			if err != nil || !strings.Contains(got.GetHttpContentString(), made.AccessKey.AccessKeyId) || format == "JSON" && got.AccessKeys.AccessKey[0].AccessKeyId != made.AccessKey.AccessKeyId {
				t.Errorf("%s: got %v, %v", format, got, err)
			}
		}
	})
	t.Run("ram-20150501", func(t *testing.T) {
		c, err := ramclient.NewClient(&openapi.Config{AccessKeyId: &a.Key.ID, AccessKeySecret: &a.Key.Secret, Endpoint: &a.Host, Protocol: tea.String("HTTP")})
		if err != nil {
			t.Fatal(err)
		}
		made, err := c.CreateAccessKey(&ramclient.CreateAccessKeyRequest{UserName: tea.String("alice")})
		if err != nil || tea.StringValue(made.Body.AccessKey.AccessKeySecret) == "" {
			t.Fatalf("got %v, %v", made, err)
		}
		id := made.Body.AccessKey.AccessKeyId
		if _, err := c.UpdateAccessKey(&ramclient.UpdateAccessKeyRequest{UserName: tea.String("alice"), UserAccessKeyId: id, Status: tea.String("Inactive")}); err != nil {
			t.Error(err)
		}
		got, err := c.ListAccessKeys(&ramclient.ListAccessKeysRequest{UserName: tea.String("alice")})
		if err != nil || len(got.Body.AccessKeys.AccessKey) != 2 {
			t.Errorf("got %v, %v", got, err)
		}
		_, err = c.CreateAccessKey(&ramclient.CreateAccessKeyRequest{UserName: tea.String("alice")})
		wants(t, "a third key", refused(err), "LimitExceeded.User.AccessKey")
		if _, err := c.DeleteAccessKey(&ramclient.DeleteAccessKeyRequest{UserName: tea.String("alice"), UserAccessKeyId: id}); err != nil {
			t.Error(err)
		}
	})
}

// TestReplay sends the same request twice, byte for byte, as an eavesdropper would.
func TestReplay(t *testing.T) {
	a := ledger.Start(t).Open("alibaba")
	empty := fmt.Sprintf("%x", sha256.Sum256(nil))
	headers := map[string]*string{
		"host": &a.Host, "x-acs-date": tea.String(time.Now().UTC().Format("2006-01-02T15:04:05Z")), "x-acs-signature-nonce": tea.String("comes-but-once"),
		"x-acs-content-sha256": &empty, "x-acs-action": tea.String("ListAccessKeys"), "x-acs-version": tea.String(ram),
	}
	signed := &dara.Request{Method: tea.String("POST"), Pathname: tea.String("/"), Headers: headers}
	authorization := openapiutil.GetAuthorization(signed, tea.String("ACS3-HMAC-SHA256"), &empty, &a.Key.ID, &a.Key.Secret)
	for i, want := range []string{`"AccessKeys":{`, `"Code":"SignatureNonceUsed"`, `"Code":"SignatureNonceUsed"`} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", a.URL+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range headers {
			r.Header.Set(name, *value)
		}
		r.Header.Set("Authorization", *authorization)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil || answer.Body.Close() != nil || !strings.Contains(string(body), want) {
			t.Errorf("attempt %d: got %d %s, %v, want %s", i+1, answer.StatusCode, body, err, want)
		}
	}
}
