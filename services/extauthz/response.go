package extauthz

import (
	"net/http"
	"slices"
	"strings"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	envoy "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/api"
	"github.com/keyledger/keyledger/services/dialect"
)

// How a request is refused of which only a part of the body came.
const (
	statusTooLarge = http.StatusRequestEntityTooLarge
	reasonPartial  = "request.too_large"
)

const headerRequestID = "X-Keyledger-Request-Id"

// answered is an answer as Envoy takes it. The identity is in the dynamic metadata
// too, for Envoy's own filters and access log.
func (r *request) answered(a api.Answer, id events.RequestID) *auth.CheckResponse {
	out := &auth.CheckResponse{DynamicMetadata: metadata(a, id)}
	if a.Status == http.StatusNoContent {
		out.Status = status.New(codes.OK, "").Proto()
		out.HttpResponse = &auth.CheckResponse_OkResponse{OkResponse: &auth.OkHttpResponse{
			Headers: options(a.Header), HeadersToRemove: r.foreign(a.Header),
		}}
		return out
	}
	out.Status = status.New(codes.PermissionDenied, a.Reason).Proto()
	header := append(slices.Clone(a.Header), dialect.Field{Name: headerRequestID, Value: string(id)})
	out.HttpResponse = &auth.CheckResponse_DeniedResponse{DeniedResponse: &auth.DeniedHttpResponse{
		Status: &envoy.HttpStatus{Code: envoy.StatusCode(a.Status)}, Headers: options(header),
	}}
	return out
}

// options sets each header, whatever there was of that name. Older Envoys read
// append, which is false when it is left out, and newer ones append_action.
func options(fields []dialect.Field) []*core.HeaderValueOption {
	var out []*core.HeaderValueOption
	for _, f := range fields {
		if f.Value != "" {
			out = append(out, &core.HeaderValueOption{
				Header: &core.HeaderValue{Key: f.Name, Value: f.Value}, AppendAction: core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
			})
		}
	}
	return out
}

// foreign are the names that must not reach the service as the client has sent them:
// those of an identity that are not set, and what else claims to be ours. Envoy
// removes after it has set, so none that is set may stand here.
func (r *request) foreign(set []dialect.Field) []string {
	names := api.IdentityHeaders()
	for _, f := range r.lines {
		if api.Ours(f.Name) {
			names = append(names, f.Name)
		}
	}
	var out []string
	for _, name := range names {
		name = strings.ToLower(name)
		isSet := slices.ContainsFunc(set, func(f dialect.Field) bool { return f.Value != "" && strings.EqualFold(f.Name, name) })
		if !isSet && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// metadata is the identity, or why there is none.
func metadata(a api.Answer, id events.RequestID) *structpb.Struct {
	fields := map[string]*structpb.Value{"request_id": structpb.NewStringValue(string(id))}
	if a.Reason != "" {
		fields["reason"] = structpb.NewStringValue(a.Reason)
	}
	if a.Status == http.StatusNoContent {
		for _, f := range a.Header {
			fields[metadataName(f.Name)] = structpb.NewStringValue(f.Value)
		}
	}
	return &structpb.Struct{Fields: fields}
}

// metadataName is a header's name without our prefix: X-Keyledger-Account-Id is
// account_id.
func metadataName(header string) string {
	return strings.ReplaceAll(strings.TrimPrefix(strings.ToLower(header), "x-keyledger-"), "-", "_")
}
