package extauthz

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"

	"github.com/keyledger/keyledger/services/api"
	"github.com/keyledger/keyledger/services/clientip"
	"github.com/keyledger/keyledger/services/dialect"
)

// FuzzCheckRequest: whatever message comes, nothing panics, no header of ours passes for
// the client's, what the client has sent of them is removed unless it is overwritten, and
// a body that is not whole is never the body.
func FuzzCheckRequest(f *testing.F) {
	for _, h := range []*auth.AttributeContext_HttpRequest{
		{Method: "PUT", Path: "/a?b", Host: "h", Headers: map[string]string{"x-keyledger-key-id": "k", "a": "b", ":path": "/"}, RawBody: []byte("x")},
		{Method: "PUT", Path: "/", Host: "h", RawBody: []byte("x"), HeaderMap: &core.HeaderMap{Headers: []*core.HeaderValue{
			{Key: "X_Keyledger_Grants", RawValue: []byte{0xff}}, {Key: "x-envoy-auth-partial-body", RawValue: []byte("true")}, {Key: "x-forwarded-for", Value: "1.2.3.4"},
		}}},
	} {
		seed, err := proto.Marshal(&auth.CheckRequest{Attributes: &auth.AttributeContext{Request: &auth.AttributeContext_Request{Http: h}, ContextExtensions: map[string]string{"body": "digest"}}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		in := &auth.CheckRequest{}
		if proto.Unmarshal(message, in) != nil {
			return
		}
		r, err := read(in)
		if err != nil {
			return
		}
		h := r.held(clientip.Proxies{})
		if r.cut && len(r.http.GetRawBody()) > 0 && !h.Bodiless && !r.partial() {
			t.Error("a part of a body is taken for the body")
		}
		for _, f := range h.Request.Header {
			if !api.OfClient(f.Name) {
				t.Errorf("%q is taken for the client's", f.Name)
			}
		}
		identity := []dialect.Field{{Name: "X-Keyledger-Key-Id", Value: "k"}, {Name: "X-Keyledger-User-Id", Value: "u"}}
		ok := r.answered(api.Answer{Status: http.StatusNoContent, Header: identity}, "r").GetOkResponse()
		r.gone(t, ok.GetHeadersToRemove(), identity)
	})
}

func (r *request) gone(t *testing.T, removed []string, set []dialect.Field) {
	t.Helper()
	has := func(name string) bool {
		return slices.ContainsFunc(set, func(f dialect.Field) bool { return strings.EqualFold(f.Name, name) })
	}
	if slices.ContainsFunc(removed, has) {
		t.Errorf("removed and set: %q", removed)
	}
	if !slices.Contains(removed, "x-keyledger-account-id") {
		t.Errorf("an identity header that is not set is not removed: %q", removed)
	}
	for _, f := range r.lines {
		if api.Ours(f.Name) && !has(f.Name) && !slices.Contains(removed, strings.ToLower(f.Name)) {
			t.Errorf("%q reaches the service as the client sent it", f.Name)
		}
	}
}
