package docs_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	bootstrap "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	extauthz "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	manager "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"gopkg.in/yaml.v3"
)

// TestEnvoyConfiguration reads the configuration for Envoy by Envoy's own schema, and
// holds that it fails closed and sends what a signature is judged by.
func TestEnvoyConfiguration(t *testing.T) {
	filter := extAuthzFilter(t, envoyConfiguration(t))
	if err := filter.ValidateAll(); err != nil {
		t.Error(err)
	}
	if filter.GetFailureModeAllow() || filter.GetAllowedHeaders() != nil || filter.GetDisallowedHeaders() != nil {
		t.Error("it lets requests through that nobody has judged")
	}
	body := filter.GetWithRequestBody()
	if !body.GetPackAsBytes() || body.GetAllowPartialMessage() || body.GetMaxRequestBytes() != 1<<20 {
		t.Errorf("the body: got %v", body)
	}
	if m := filter.GetGrpcService().GetInitialMetadata(); len(m) != 1 || m[0].GetKey() != "authorization" || m[0].GetValue() != "Bearer klgw_..." {
		t.Errorf("the token: got %v", m)
	}
}

func envoyConfiguration(t *testing.T) *bootstrap.Bootstrap {
	t.Helper()
	page, err := os.ReadFile("gateways.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(page), "```yaml\nstatic_resources:\n")
	block, _, _ = strings.Cut("static_resources:\n"+block, "```")
	var fields map[string]any
	if err := yaml.Unmarshal([]byte(block), &fields); err != nil {
		t.Fatal(err)
	}
	document, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	out := &bootstrap.Bootstrap{}
	if err := protojson.Unmarshal(document, out); err != nil {
		t.Fatal(err)
	}
	if err := out.ValidateAll(); err != nil {
		t.Error(err)
	}
	return out
}

func extAuthzFilter(t *testing.T, b *bootstrap.Bootstrap) *extauthz.ExtAuthz {
	t.Helper()
	http := &manager.HttpConnectionManager{}
	if err := b.GetStaticResources().GetListeners()[0].GetFilterChains()[0].GetFilters()[0].GetTypedConfig().UnmarshalTo(http); err != nil {
		t.Fatal(err)
	}
	if err := http.ValidateAll(); err != nil {
		t.Error(err)
	}
	filter := &extauthz.ExtAuthz{}
	if err := http.GetHttpFilters()[0].GetTypedConfig().UnmarshalTo(filter); err != nil {
		t.Fatal(err)
	}
	return filter
}
