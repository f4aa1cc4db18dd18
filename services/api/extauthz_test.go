package api_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/keyledger/keyledger/services/dialect/aws"
)

// envoy is the client that an Envoy has.
func envoy(t testing.TB) auth.AuthorizationClient {
	t.Helper()
	c, err := grpc.NewClient(the.node.ExtAuthz(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return auth.NewAuthorizationClient(c)
}

// enquiry is what an Envoy sends when it holds a request with a body, signed by a key.
func (c client) enquiry(t testing.TB, body string) *auth.CheckRequest {
	t.Helper()
	held, err := http.NewRequestWithContext(t.Context(), "PUT", "https://photos.example.com/albums/7%20a?size=full", nil)
	if err != nil {
		t.Fatal(err)
	}
	aws.Sign(held, []byte(body), c.id, c.secret, "photos", "local", time.Now())
	header := map[string]string{
		":method": "PUT", ":path": "/albums/7%20a?size=full", ":authority": "photos.example.com", ":scheme": "https",
		"user-agent": "camera/1", "x-forwarded-proto": "https", "x-request-id": "7", "x-envoy-auth-partial-body": "false",
	}
	for name, values := range held.Header {
		header[strings.ToLower(name)] = strings.Join(values, ",")
	}
	return &auth.CheckRequest{Attributes: &auth.AttributeContext{
		Source:            peer("198.51.100.7"),
		Request:           &auth.AttributeContext_Request{Http: &auth.AttributeContext_HttpRequest{Method: "PUT", Path: "/albums/7%20a?size=full", Host: "photos.example.com", Scheme: "https", Protocol: "HTTP/2", Headers: header, RawBody: []byte(body)}},
		ContextExtensions: map[string]string{"service": "albums", "action": "PutPhoto"},
	}}
}

func peer(address string) *auth.AttributeContext_Peer {
	return &auth.AttributeContext_Peer{Address: &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{Address: address, PortSpecifier: &core.SocketAddress_PortValue{PortValue: 4711}}}}}
}

// shown is a context in which a call shows a gateway token.
func shown(t testing.TB, authorization ...string) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return metadata.NewOutgoingContext(ctx, metadata.MD{"authorization": authorization})
}

// told is an answer in one line: the status, the reason and the identity, or the
// code of the failure.
func told(out *auth.CheckResponse, err error) string {
	if err != nil {
		return status.Code(err).String()
	}
	if denied := out.GetDeniedResponse(); denied != nil {
		return fmt.Sprint(int(denied.GetStatus().GetCode()), " ", sets(denied.GetHeaders())["X-Keyledger-Reason"], " ", codes.Code(out.GetStatus().GetCode()))
	}
	return fmt.Sprint("go on ", sets(out.GetOkResponse().GetHeaders())["X-Keyledger-Key-Id"], " ", codes.Code(out.GetStatus().GetCode()))
}

// sets is what headers an answer sets; one that would only be added to the
// client's is not there.
func sets(options []*core.HeaderValueOption) map[string]string {
	out := map[string]string{}
	for _, o := range options {
		if o.GetAppendAction() == core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD && !o.GetAppend().GetValue() { //nolint:staticcheck // older Envoys read it
			out[o.GetHeader().GetKey()] = o.GetHeader().GetValue()
		}
	}
	return out
}

// TestExtAuthz asks as Envoy does, about requests that may go on and such that may
// not.
func TestExtAuthz(t *testing.T) {
	a := open(t, "strict", "")
	u := a.add(t, "alice", "user")
	k, e := a.create(t, u), envoy(t)
	token := *a.gateway(t, "edge").Token
	foreign := *open(t, "strict", "").gateway(t, "of another account").Token
	revoked := a.gateway(t, "gone")
	a.do(t, "DELETE", "/v1/gateway-tokens/"+revoked.TokenID, "").ok(t, 200)
	disabled := a.in(t, u, "disabled")

	type change func(*auth.AttributeContext_HttpRequest, map[string]string)
	goes := "go on " + k.id + " OK"
	for name, c := range map[string]struct {
		by     client
		token  []string
		change change
		want   string
	}{
		"genuine":                           {k, []string{"Bearer " + token}, nil, goes},
		"disabled":                          {disabled, []string{"Bearer " + token}, nil, "403 key_disabled PermissionDenied"},
		"forged":                            {client{id: k.id, secret: "kls_of_somebody_else"}, []string{"Bearer " + token}, nil, "401 signature_refused PermissionDenied"},
		"unknown key":                       {client{id: "KLAK0000000000000000", secret: k.secret}, []string{"Bearer " + token}, nil, "401 signature_refused PermissionDenied"},
		"a token of another account":        {k, []string{"Bearer " + foreign}, nil, "401 signature_refused PermissionDenied"},
		"no token":                          {k, nil, nil, "Unauthenticated"},
		"the key's own secret as the token": {k, []string{"Bearer " + k.secret}, nil, "Unauthenticated"},
		"a revoked token":                   {k, []string{"Bearer " + *revoked.Token}, nil, "Unauthenticated"},
		"two tokens":                        {k, []string{"Bearer " + token, "Bearer " + token}, nil, "Unauthenticated"},
		"unsigned": {k, []string{"Bearer " + token}, func(r *auth.AttributeContext_HttpRequest, _ map[string]string) {
			delete(r.Headers, "authorization")
		}, "401 unsigned PermissionDenied"},
		"another method": {k, []string{"Bearer " + token}, func(r *auth.AttributeContext_HttpRequest, _ map[string]string) { r.Method = "DELETE" }, "401 signature_refused PermissionDenied"},
		"another path":   {k, []string{"Bearer " + token}, func(r *auth.AttributeContext_HttpRequest, _ map[string]string) { r.Path = "/albums/8?size=full" }, "401 signature_refused PermissionDenied"},
		"another query":  {k, []string{"Bearer " + token}, func(r *auth.AttributeContext_HttpRequest, _ map[string]string) { r.Path = "/albums/7%20a?size=thumb" }, "401 signature_refused PermissionDenied"},
		"another host":   {k, []string{"Bearer " + token}, func(r *auth.AttributeContext_HttpRequest, _ map[string]string) { r.Host = "example.com" }, "401 signature_refused PermissionDenied"},
		"a host of the client's own beside Envoy's": {k, []string{"Bearer " + token}, func(r *auth.AttributeContext_HttpRequest, _ map[string]string) {
			r.Host = "example.com"
			r.Headers["host"] = "photos.example.com"
		}, "401 signature_refused PermissionDenied"},
		"another body": {k, []string{"Bearer " + token}, func(r *auth.AttributeContext_HttpRequest, _ map[string]string) { r.RawBody = []byte("a Picture") }, "401 payload_hash_mismatch PermissionDenied"},
		"a body that somebody took off": {k, []string{"Bearer " + token}, func(r *auth.AttributeContext_HttpRequest, _ map[string]string) {
			r.RawBody = nil
		}, "401 payload_hash_mismatch PermissionDenied"},
		"no bodies sent": {k, []string{"Bearer " + token}, func(r *auth.AttributeContext_HttpRequest, x map[string]string) {
			r.RawBody, x["body"] = nil, "digest"
		}, goes},
		"bodies sent all the same": {k, []string{"Bearer " + token}, func(r *auth.AttributeContext_HttpRequest, x map[string]string) {
			r.RawBody, x["body"] = []byte("a Picture"), "digest"
		}, "401 payload_hash_mismatch PermissionDenied"},
		"a part of the body": {k, []string{"Bearer " + token}, func(r *auth.AttributeContext_HttpRequest, _ map[string]string) {
			r.RawBody, r.Headers["x-envoy-auth-partial-body"] = r.RawBody[:4], "true"
		}, "413 request.too_large PermissionDenied"},
		"all of the body, said to be a part": {k, []string{"Bearer " + token}, func(r *auth.AttributeContext_HttpRequest, _ map[string]string) {
			r.Headers["x-envoy-auth-partial-body"] = "true"
		}, "413 request.too_large PermissionDenied"},
		"a part where the digest is enough": {k, []string{"Bearer " + token}, func(r *auth.AttributeContext_HttpRequest, x map[string]string) {
			r.RawBody, r.Headers["x-envoy-auth-partial-body"], x["body"] = r.RawBody[:4], "true", "digest"
		}, goes},
		"a body that is too large": {k, []string{"Bearer " + token}, func(r *auth.AttributeContext_HttpRequest, _ map[string]string) {
			r.RawBody = make([]byte, 2<<20)
		}, "ResourceExhausted"},
		"a body as text": {k, []string{"Bearer " + token}, func(r *auth.AttributeContext_HttpRequest, _ map[string]string) {
			r.Body, r.RawBody = string(r.RawBody), nil
		}, "InvalidArgument"},
		"a word that is none about bodies": {k, []string{"Bearer " + token}, func(_ *auth.AttributeContext_HttpRequest, x map[string]string) { x["body"] = "none" }, "InvalidArgument"},
		"no method":                        {k, []string{"Bearer " + token}, func(r *auth.AttributeContext_HttpRequest, _ map[string]string) { r.Method = "" }, "InvalidArgument"},
		"line by line":                     {k, []string{"Bearer " + token}, func(r *auth.AttributeContext_HttpRequest, _ map[string]string) { raw(r) }, goes},
		"a part, said in a line of two": {k, []string{"Bearer " + token}, func(r *auth.AttributeContext_HttpRequest, _ map[string]string) {
			raw(r, "x-envoy-auth-partial-body", "true")
		}, "413 request.too_large PermissionDenied"},
	} {
		in := c.by.enquiry(t, "a picture")
		if c.change != nil {
			c.change(in.Attributes.Request.Http, in.Attributes.ContextExtensions)
		}
		out, err := e.Check(shown(t, c.token...), in)
		if got := told(out, err); got != c.want {
			t.Errorf("%s: got %s, want %s (%v)", name, got, c.want, err)
		}
		if the.leaks([]byte(fmt.Sprint(out, err))) {
			t.Errorf("%s: the answer holds a secret", name)
		}
	}
	if out, err := e.Check(shown(t, "Bearer "+token), &auth.CheckRequest{}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("an empty message: got %v, %v", out, err)
	}
	got := a.records(t, "/v1/keys/"+disabled.id+"/records", 1)
	if len(got) != 1 || got[0].String() != "albums PutPhoto denied key_disabled 198.51.100.7" || got[0].UserID != u || got[0].RequestID == "" {
		t.Errorf("on record: got %v", got)
	}
}

// raw puts the header into lines, as encode_raw_headers does, and adds some.
func raw(r *auth.AttributeContext_HttpRequest, more ...string) {
	r.HeaderMap = &core.HeaderMap{}
	add := func(name, value string) {
		r.HeaderMap.Headers = append(r.HeaderMap.Headers, &core.HeaderValue{Key: name, RawValue: []byte(value)})
	}
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		add(name, r.Headers[name])
	}
	for i := 0; i < len(more); i += 2 {
		add(more[i], more[i+1])
	}
	r.Headers = nil
}

// TestExtAuthzIdentity: the service sees who signed, and nothing that a client has
// written in the names of ours; a refusal tells the client why.
func TestExtAuthzIdentity(t *testing.T) {
	a := open(t, "strict", "")
	u := a.add(t, "alice", "user")
	k, e := a.create(t, u), envoy(t)
	ctx := shown(t, "Bearer "+*a.gateway(t, "edge").Token)
	in := k.enquiry(t, "a picture")
	for _, name := range []string{"x-keyledger-key-id", "x-keyledger-user-id", "x-keyledger-grants", "x_keyledger_user_id", "x-keyledger-service"} {
		in.Attributes.Request.Http.Headers[name] = "forged"
	}
	out, err := e.Check(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	ok := out.GetOkResponse()
	set := sets(ok.GetHeaders())
	position := set["X-Keyledger-Position"]
	want := map[string]string{
		"X-Keyledger-Key-Id": k.id, "X-Keyledger-Account-Id": a.id, "X-Keyledger-User-Id": u, "X-Keyledger-Scheme": "AWS4-HMAC-SHA256", "X-Keyledger-Position": position,
	}
	if !maps.Equal(set, want) || position == "" {
		t.Errorf("set: got %v, want %v", set, want)
	}
	if got := slices.Sorted(slices.Values(ok.GetHeadersToRemove())); !slices.Equal(got, []string{"x-keyledger-grants", "x-keyledger-restricted", "x-keyledger-service", "x_keyledger_user_id"}) {
		t.Errorf("removed: got %v", got)
	}
	fields := out.GetDynamicMetadata().AsMap()
	if fields["key_id"] != k.id || fields["account_id"] != a.id || fields["user_id"] != u || fields["position"] != position || fields["request_id"] == "" {
		t.Errorf("metadata: got %v", fields)
	}
	in.Attributes.Request.Http.Path = "/admin"
	if out, err = e.Check(ctx, in); err != nil {
		t.Fatal(err)
	}
	set = sets(out.GetDeniedResponse().GetHeaders())
	if set["X-Keyledger-Reason"] != "signature_refused" || set["WWW-Authenticate"] != "Signature" || set["Cache-Control"] != "no-store" || set["X-Keyledger-Request-Id"] == "" || set["X-Keyledger-Key-Id"] != "" {
		t.Errorf("denied: got %v", set)
	}
	if fields := out.GetDynamicMetadata().AsMap(); fields["reason"] != "signature_refused" || fields["request_id"] != set["X-Keyledger-Request-Id"] || fields["key_id"] != nil {
		t.Errorf("denied, metadata: got %v", fields)
	}
	if got := a.records(t, "/v1/keys/"+k.id+"/records", 2); len(got) != 2 || got[0].RequestID != set["X-Keyledger-Request-Id"] || got[1].String() != "albums PutPhoto allowed  198.51.100.7" {
		t.Errorf("on record: got %v", got)
	}
}

// TestExtAuthzRestricted: the service is told of a restricted key that may still be used, and
// a client cannot say it of itself.
func TestExtAuthzRestricted(t *testing.T) {
	a := open(t, "aws", "")
	k, e := a.create(t, a.add(t, "alice", "user")), envoy(t)
	ctx := shown(t, "Bearer "+*a.gateway(t, "edge").Token)
	a.do(t, "POST", "/v1/keys/"+k.id+"/restrict", "").ok(t, 200)
	in := k.enquiry(t, "a picture")
	in.Attributes.Request.Http.Headers["x-keyledger-restricted"] = "false"
	out, err := e.Check(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	ok := out.GetOkResponse()
	if sets(ok.GetHeaders())["X-Keyledger-Restricted"] != "true" || slices.Contains(ok.GetHeadersToRemove(), "x-keyledger-restricted") {
		t.Errorf("set: got %v, removed %v", sets(ok.GetHeaders()), ok.GetHeadersToRemove())
	}
	if got := out.GetDynamicMetadata().AsMap()["restricted"]; got != "true" {
		t.Errorf("metadata: got %v", got)
	}
}

// TestExtAuthzClient: whom the record names is who spoke with Envoy, or whoever a
// trusted proxy names.
func TestExtAuthzClient(t *testing.T) {
	a := open(t, "strict", "")
	k, e := a.create(t, a.add(t, "alice", "user")), envoy(t)
	ctx := shown(t, "Bearer "+*a.gateway(t, "edge").Token)
	for n, c := range []struct {
		peer   *auth.AttributeContext_Peer
		lines  []string
		client string
	}{
		{peer("198.51.100.7"), []string{"203.0.113.1"}, "198.51.100.7"},
		{peer("192.0.2.1"), []string{"203.0.113.1"}, "203.0.113.1"},
		{peer("192.0.2.1"), []string{"10.0.0.1", "203.0.113.1, 192.0.2.1"}, "203.0.113.1"},
		{peer("::ffff:192.0.2.1"), []string{"[2001:db8::1]:80"}, "2001:db8::1"},
		{&auth.AttributeContext_Peer{Address: &core.Address{Address: &core.Address_Pipe{Pipe: &core.Pipe{Path: "@envoy"}}}}, []string{"203.0.113.1"}, ""},
	} {
		in := k.enquiry(t, "a picture")
		in.Attributes.Source = c.peer
		var more []string
		for _, line := range c.lines {
			more = append(more, "x-forwarded-for", line)
		}
		raw(in.Attributes.Request.Http, more...)
		if got := told(e.Check(ctx, in)); !strings.HasPrefix(got, "go on") {
			t.Fatalf("%d: got %s", n, got)
		}
		if got := a.records(t, "/v1/keys/"+k.id+"/records", n+1); len(got) != n+1 || got[0].SourceIP != c.client {
			t.Errorf("%d: got %v, want the address %s", n, got, c.client)
		}
	}
}

// TestExtAuthzOffersNothingElse: no reflection, and a stranger learns no names.
func TestExtAuthzOffersNothingElse(t *testing.T) {
	c, err := grpc.NewClient(the.node.ExtAuthz(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	a := open(t, "strict", "")
	token := *a.gateway(t, "edge").Token
	for _, method := range []string{"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/grpc.health.v1.Health/Check"} {
		for want, ctx := range map[codes.Code]context.Context{codes.Unimplemented: shown(t, "Bearer "+token), codes.Unauthenticated: shown(t)} {
			if err := c.Invoke(ctx, method, &auth.CheckRequest{}, &auth.CheckResponse{}); status.Code(err) != want {
				t.Errorf("%s: got %v, want %v", method, err, want)
			}
		}
	}
}
