// Package sdk drives a running keyledger with the unmodified Tencent Cloud SDK for Go.
package sdk

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	tcerr "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"
	tchttp "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/http"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"

	"github.com/keyledger/keyledger/cmd/keyledger/testdata/sdk/ledger"
)

// A request is any of the five: the SDK's own package for CAM has only one of them.
type request struct {
	*tchttp.BaseRequest
	TargetUin    *uint64   `json:"TargetUin,omitempty" name:"TargetUin"`
	Description  *string   `json:"Description,omitempty" name:"Description"`
	AccessKeyID  *string   `json:"AccessKeyId,omitempty" name:"AccessKeyId"`
	Status       *string   `json:"Status,omitempty" name:"Status"`
	SecretIDList []*string `json:"SecretIdList,omitempty" name:"SecretIdList"`
}

type key struct {
	AccessKeyID     *string `json:"AccessKeyId"`
	SecretAccessKey *string
	Status          *string
	CreateTime      *string
	Description     *string
}

type response struct {
	*tchttp.BaseResponse
	Response *struct {
		AccessKey            *key
		AccessKeys           []*key
		SecretIDLastUsedRows []*struct {
			SecretID           *string `json:"SecretId"`
			LastUsedDate       *string
			LastSecretUsedDate *int64
		} `json:"SecretIdLastUsedRows"`
		RequestID *string `json:"RequestId"`
	}
}

// A way is how the SDK is told to sign and send.
type way struct{ sign, method string }

func (w way) client(host string, k ledger.Pair) *common.Client {
	p := profile.NewClientProfile()
	p.SignMethod = w.sign
	p.HttpProfile.Endpoint, p.HttpProfile.Scheme, p.HttpProfile.ReqMethod = host, "HTTP", w.method
	return common.NewCommonClient(common.NewCredential(k.ID, k.Secret), "", p)
}

// A caller sends requests signed by one key.
type caller struct {
	t      *testing.T
	client *common.Client
}

// do sends a request and holds that it is answered with the code, or none.
func (c caller) do(code, action string, r request) response {
	c.t.Helper()
	r.BaseRequest = &tchttp.BaseRequest{}
	r.Init().WithApiInfo("cam", "2019-01-16", action)
	out := response{BaseResponse: &tchttp.BaseResponse{}}
	err := c.client.Send(&r, &out)
	var api *tcerr.TencentCloudSDKError
	switch {
	case code == "" && err == nil && out.Response != nil && *out.Response.RequestID != "":
	case errors.As(err, &api) && api.Code == code && api.RequestId != "":
	default:
		c.t.Errorf("%s: got %v, want %q", action, err, code)
	}
	return out
}

func number(t *testing.T, id string) *uint64 {
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return &n
}

// TestLife is a key's whole life under the preset tencent, in each way that the SDK signs and sends.
func TestLife(t *testing.T) {
	l := ledger.Start(t)
	a := l.Open("tencent")
	for _, w := range []way{{"TC3-HMAC-SHA256", "POST"}, {"TC3-HMAC-SHA256", "GET"}, {"HmacSHA256", "POST"}, {"HmacSHA256", "GET"}, {"HmacSHA1", "POST"}, {"HmacSHA1", "GET"}} {
		t.Run(w.sign+" "+w.method, func(t *testing.T) {
			uin := number(t, a.User("user-"+w.sign[:5]+w.sign[len(w.sign)-1:]+w.method))
			life(t, a, w, uin)
		})
	}
}

func life(t *testing.T, l *ledger.Account, w way, uin *uint64) {
	as := func(k ledger.Pair) caller { return caller{t, w.client(l.Host, k)} }
	text := common.StringPtr
	root := as(l.Key)
	made := root.do("", "CreateAccessKey", request{TargetUin: uin, Description: text("made/by=SDK+1")}).Response.AccessKey
	if *made.Status != "Active" || *made.Description != "made/by=SDK+1" || len(*made.CreateTime) != len("2026-11-22 04:30:00") {
		t.Errorf("created: %+v", *made)
	}
	own := ledger.Pair{ID: *made.AccessKeyID, Secret: *made.SecretAccessKey}
	user := as(own)
	other := user.do("", "CreateAccessKey", request{}).Response.AccessKey
	root.do("OperationDenied.AccessKeyOverLimit", "CreateAccessKey", request{TargetUin: uin})
	if got := user.do("", "ListAccessKeys", request{}).Response.AccessKeys; len(got) != 2 || *got[0].Status != "Active" {
		t.Errorf("listed %d", len(got))
	}
	user.do("AuthFailure.UnauthorizedOperation", "CreateAccessKey", request{TargetUin: number(t, "200000000000000001")})
	root.do("InvalidParameter.UserNotExist", "ListAccessKeys", request{TargetUin: number(t, "200000000000000001")})

	l.Eventually("the last use", func() bool {
		rows := root.do("", "GetSecurityLastUsed", request{SecretIDList: []*string{&own.ID, other.AccessKeyID}}).Response.SecretIDLastUsedRows
		return len(rows) == 2 && *rows[0].SecretID == own.ID && rows[0].LastUsedDate != nil && rows[0].LastSecretUsedDate != nil && rows[1].LastUsedDate == nil
	})
	if records := l.Print("records", "list", "--key", own.ID); !strings.Contains(records, `"cam"`) || !strings.Contains(records, `"CreateAccessKey"`) {
		t.Errorf("on record: %s", records)
	}
	root.do("FailedOperation", "GetSecurityLastUsed", request{SecretIDList: []*string{text("KLAK0000000000000000")}})

	root.do("FailedOperation.Accesskey", "DeleteAccessKey", request{TargetUin: uin, AccessKeyID: &own.ID}) // it is active
	root.do("", "UpdateAccessKey", request{TargetUin: uin, AccessKeyID: &own.ID, Status: text("Inactive")})
	user.do("AuthFailure.SecretIdNotFound", "ListAccessKeys", request{})
	root.do("", "UpdateAccessKey", request{TargetUin: uin, AccessKeyID: &own.ID, Status: text("Active")})
	user.do("", "ListAccessKeys", request{})
	root.do("OperationDenied.UinNotMatch", "UpdateAccessKey", request{AccessKeyID: &own.ID, Status: text("Inactive")}) // not root's own
	root.do("", "UpdateAccessKey", request{TargetUin: uin, AccessKeyID: &own.ID, Status: text("Inactive")})
	root.do("", "DeleteAccessKey", request{TargetUin: uin, AccessKeyID: &own.ID})
	root.do("OperationDenied.UinNotMatch", "DeleteAccessKey", request{TargetUin: uin, AccessKeyID: &own.ID})
	user.do("AuthFailure.SecretIdNotFound", "ListAccessKeys", request{})
	as(ledger.Pair{ID: l.Key.ID, Secret: l.Key.Secret + "x"}).do("AuthFailure.SignatureFailure", "ListAccessKeys", request{})
	as(ledger.Pair{ID: "KLAK0000000000000000", Secret: "x"}).do("AuthFailure.SecretIdNotFound", "ListAccessKeys", request{})
}

// TestCommonRequest: the SDK's request without a type of its own takes the parameters as they come.
func TestCommonRequest(t *testing.T) {
	l := ledger.Start(t)
	a := l.Open("tencent")
	uin := a.User("alice")
	client := way{"TC3-HMAC-SHA256", "POST"}.client(l.Host, a.Key)
	for what, parameters := range map[string]map[string]any{"a number": {"TargetUin": *number(t, uin)}, "a text": {"TargetUin": uin}} {
		r := tchttp.NewCommonRequest("cam", "2019-01-16", "CreateAccessKey")
		if err := r.SetActionParameters(parameters); err != nil {
			t.Fatal(err)
		}
		out := tchttp.NewCommonResponse()
		if err := client.Send(r, out); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := client.Send(tchttp.NewCommonRequest("cam", "2019-01-16", "RunInstances"), tchttp.NewCommonResponse()); got == nil {
		t.Error("an operation that is not served: got no error")
	}
}

// TestUnsignedPayload: the SDK can be told not to sign the body; then it manages no keys.
func TestUnsignedPayload(t *testing.T) {
	l := ledger.Start(t)
	a := l.Open("tencent")
	p := profile.NewClientProfile()
	p.UnsignedPayload = true
	p.HttpProfile.Endpoint, p.HttpProfile.Scheme = l.Host, "HTTP"
	caller{t, common.NewCommonClient(common.NewCredential(a.Key.ID, a.Key.Secret), "", p)}.do("AuthFailure.SignatureFailure", "CreateAccessKey", request{})
}

// TestRepetition: a request signed by v1 that is sent again acts once.
func TestRepetition(t *testing.T) {
	l := ledger.Start(t)
	a := l.Open("tencent", "--override", "quota.max=5")
	client := way{"HmacSHA256", "POST"}.client(l.Host, a.Key)
	again := &twice{}
	client.WithHttpTransport(again)
	caller{t, client}.do("FailedOperation.Accesskey", "CreateAccessKey", request{})
	client.WithHttpTransport(http.DefaultTransport)
	if got := (caller{t, client}).do("", "ListAccessKeys", request{}).Response.AccessKeys; len(got) != 2 || !strings.Contains(again.first, "SecretAccessKey") {
		t.Errorf("got %d keys, want root's first and one more; the first answer was %s", len(got), again.first)
	}
}

// twice sends everything twice and gives back the second answer.
type twice struct{ first string }

func (w *twice) RoundTrip(r *http.Request) (*http.Response, error) {
	again := r.Clone(r.Context())
	again.Body, _ = r.GetBody()
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	if w.first = string(body); err != nil {
		return nil, err
	}
	return http.DefaultTransport.RoundTrip(again)
}
