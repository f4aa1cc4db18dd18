// Package sdk drives a running keyledger with the unmodified Go SDKs of Alibaba Cloud.
package sdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	openapiutil "github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	"github.com/alibabacloud-go/tea/dara"
	"github.com/alibabacloud-go/tea/tea"
	legacy "github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"

	"github.com/keyledger/keyledger/cmd/keyledger/testdata/sdk/ledger"
)

// The two APIs.
const (
	ram = "2015-05-01"
	ims = "2019-08-15"
)

// A refusal is what an SDK makes of an error answer.
type refusal struct{ code, message, recommend string }

func (e *refusal) Error() string { return e.code + ": " + e.message }

// A way is an SDK and how it signs: it calls an operation and returns the answer.
type way struct {
	name string
	call func(host string, k ledger.Pair, version, action string, parameters map[string]string) (map[string]any, error)
}

var ways = []way{
	{"alibaba-cloud-sdk-go, RPC by POST", byLegacy("POST")},
	{"alibaba-cloud-sdk-go, RPC by GET", byLegacy("GET")},
	{"darabonba-openapi, ACS3, query", byOpenAPI("ACS3-HMAC-SHA256", "POST", false)},
	{"darabonba-openapi, ACS3, query by GET", byOpenAPI("ACS3-HMAC-SHA256", "GET", false)},
	{"darabonba-openapi, ACS3, form", byOpenAPI("ACS3-HMAC-SHA256", "POST", true)},
	{"darabonba-openapi, RPC", byOpenAPI("v2", "POST", false)},
}

// byLegacy calls by alibaba-cloud-sdk-go's common requests.
func byLegacy(method string) func(string, ledger.Pair, string, string, map[string]string) (map[string]any, error) {
	return func(host string, k ledger.Pair, version, action string, parameters map[string]string) (map[string]any, error) {
		client, err := legacy.NewClientWithOptions("cn-hangzhou", legacy.NewConfig().WithScheme("HTTP").WithAutoRetry(false), credentials.NewAccessKeyCredential(k.ID, k.Secret))
		if err != nil {
			return nil, err
		}
		r := requests.NewCommonRequest()
		r.Method, r.Scheme, r.Domain, r.Version, r.ApiName = method, "HTTP", host, version, action
		for name, value := range parameters {
			r.QueryParams[name] = value
		}
		answer, err := client.ProcessCommonRequest(r)
		var bad *sdkerrors.ServerError
		if errors.As(err, &bad) {
			return nil, &refusal{bad.ErrorCode(), bad.Message(), bad.Recommend()}
		}
		if err != nil {
			return nil, err
		}
		var out map[string]any
		return out, json.Unmarshal(answer.GetHttpContentBytes(), &out)
	}
}

// byOpenAPI calls by darabonba-openapi's generic calls.
func byOpenAPI(algorithm, method string, form bool) func(string, ledger.Pair, string, string, map[string]string) (map[string]any, error) {
	return func(host string, k ledger.Pair, version, action string, parameters map[string]string) (map[string]any, error) {
		client, err := openapi.NewClient(&openapiutil.Config{
			AccessKeyId: &k.ID, AccessKeySecret: &k.Secret, Endpoint: &host, Protocol: dara.String("HTTP"), SignatureAlgorithm: &algorithm,
		})
		if err != nil {
			return nil, err
		}
		r := &openapiutil.OpenApiRequest{}
		if form {
			r.Body = parameters
		} else {
			r.Query = map[string]*string{}
			for name, value := range parameters {
				r.Query[name] = &value
			}
		}
		answer, err := client.CallApi(&openapiutil.Params{
			Action: &action, Version: &version, Protocol: dara.String("HTTP"), Pathname: dara.String("/"), Method: &method, AuthType: dara.String("AK"),
			Style: dara.String("RPC"), ReqBodyType: dara.String("formData"), BodyType: dara.String("json"),
		}, r, &dara.RuntimeOptions{Autoretry: dara.Bool(false)})
		if err != nil {
			return nil, refused(err)
		}
		out, _ := answer["body"].(map[string]any)
		return out, nil
	}
}

// refused is the error of the newer SDKs, in either of their two types.
func refused(err error) error {
	var old *tea.SDKError
	if errors.As(err, &old) {
		return &refusal{code: tea.StringValue(old.Code), message: tea.StringValue(old.Message)}
	}
	var bad dara.ResponseError
	if errors.As(err, &bad) {
		return &refusal{code: dara.StringValue(bad.GetCode()), message: bad.Error()}
	}
	return err
}

// wants holds that err is the refusal with the code, or none.
func wants(t *testing.T, what string, err error, code string) {
	t.Helper()
	var bad *refusal
	if code == "" && err == nil || errors.As(err, &bad) && bad.code == code {
		return
	}
	t.Errorf("%s: got %v, want %q", what, err, code)
}

// at is what stands at a path in an answer.
func at(answer map[string]any, path ...string) any {
	var v any = answer
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}

func text(answer map[string]any, path ...string) string {
	v := at(answer, path...)
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}
