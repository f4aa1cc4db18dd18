package api

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// An openRoute is a GET that needs no caller: who asks signs nothing.
type openRoute struct {
	path, id, summary string
	tag               string
	answer            http.HandlerFunc
	responses         map[string]*huma.Response
}

// openRoutes are all there are. The description is told of each: it is where both
// the handlers and the document come from.
func (s *server) openRoutes(schemas huma.Registry) []openRoute {
	status := map[string]*huma.MediaType{"application/json": {Schema: schemas.Schema(reflect.TypeFor[Status](), true, "Status")}}
	ready := map[string]*huma.Response{
		"200": {Description: "commands and verification are served", Content: status},
		"503": {Description: "they are not; the body says which part is at fault, and names no account and no key", Content: status},
	}
	described := func(media string) map[string]*huma.Response {
		return map[string]*huma.Response{"200": {Description: "this description", Content: map[string]*huma.MediaType{media: {Schema: &huma.Schema{}}}}}
	}
	const jsonMedia, yamlMedia = "application/openapi+json", "application/openapi+yaml"
	out := []openRoute{
		{"/livez", "livez", "Say that the process is alive", "health", s.livez, text("\"ok\" and a line feed")},
		{"/readyz", "readyz", "Say whether commands and verification are served, and how every part is", "health", s.readyz, ready},
		{"/healthz", "healthz", "The same as /readyz", "health", s.readyz, ready},
		{"/openapi.json", "openapi-json", "Describe the API by OpenAPI 3.1", "description", s.mux.ServeHTTP, described(jsonMedia)},
		{"/openapi.yaml", "openapi-yaml", "Describe the API by OpenAPI 3.1, in YAML", "description", s.mux.ServeHTTP, described(yamlMedia)},
		{"/openapi-3.0.json", "openapi-3-0-json", "Describe the API by OpenAPI 3.0", "description", s.mux.ServeHTTP, described(jsonMedia)},
		{"/openapi-3.0.yaml", "openapi-3-0-yaml", "Describe the API by OpenAPI 3.0, in YAML", "description", s.mux.ServeHTTP, described(yamlMedia)},
	}
	if s.Metrics != nil {
		out = append(out, openRoute{"/metrics", "metrics", "Tell Prometheus how much and how well; docs/metrics.md lists what", "health", s.Metrics.ServeHTTP, map[string]*huma.Response{
			"200": {Description: "Prometheus' text format, or what else of its formats the request accepts", Content: textual("text/plain; version=0.0.4; charset=utf-8; escaping=underscores")},
			"500": {Description: "something could not be told", Content: textual("text/plain; charset=utf-8")},
			"503": {Description: "too many scrapes at once, or the scrape took too long", Content: textual("text/plain; charset=utf-8")},
		}})
	}
	return out
}

func text(what string) map[string]*huma.Response {
	return map[string]*huma.Response{"200": {Description: what, Content: textual("text/plain; charset=utf-8")}}
}

func textual(media string) map[string]*huma.MediaType {
	return map[string]*huma.MediaType{media: {Schema: &huma.Schema{Type: huma.TypeString}}}
}

// anybody is the security of what needs no caller.
var anybody = []map[string][]string{{}}

// openPaths puts what needs no caller into the description, and is what answers it by path.
func (s *server) openPaths(api huma.API) map[string]http.HandlerFunc {
	open := map[string]http.HandlerFunc{}
	for _, r := range s.openRoutes(api.OpenAPI().Components.Schemas) {
		open[r.path] = r.answer
		for _, response := range r.responses {
			response.Headers = headers(headerRequestID)
		}
		api.OpenAPI().AddOperation(&huma.Operation{
			OperationID: r.id, Method: http.MethodGet, Path: r.path, Summary: r.summary, Tags: []string{r.tag}, Security: anybody, Responses: r.responses,
		})
	}
	return open
}

func headers(names ...string) map[string]*huma.Param {
	out := map[string]*huma.Param{}
	for _, name := range names {
		out[name] = &huma.Header{Schema: &huma.Schema{Type: huma.TypeString}}
	}
	return out
}

// describeForwardAuth puts the paths at which proxies ask into the description. Their
// answers have no body: all that is said is in the status and the headers.
func describeForwardAuth(api huma.API) {
	const note = "What the proxy holds is said by headers, each once; any method is taken alike, and no body is read. docs/gateways.md has the proxies' configurations."
	refused := func(what string) *huma.Response {
		return &huma.Response{Description: what, Headers: headers(headerReason, headerRequestID)}
	}
	identity := headers(append(IdentityHeaders(), headerRequestID)...)
	identity[headerRestricted].Description = "only if the key is under leak protection: true"
	for path, of := range map[string]struct {
		id, family, peer string
		nginx            bool
	}{
		pathForward:      {"forward-auth", "X-Forwarded-", "X-Forwarded-For", false},
		pathForwardNginx: {"forward-auth-nginx", "X-Original-", "X-Real-IP", true},
	} {
		o := &huma.Operation{
			OperationID: of.id, Method: http.MethodGet, Path: path, Tags: []string{tagVerification}, Description: note,
			Summary:  "Say to a proxy whether the request that it holds is genuine and may go on",
			Security: []map[string][]string{{"proxy": {}}},
			Parameters: []*huma.Param{
				heldHeader(of.family+"Method", true, "the method of the request that the proxy holds"),
				heldHeader(of.family+"Uri", true, "its path and query as they were sent, undecoded"),
				heldHeader(of.family+"Host", true, "its Host header"),
				heldHeader(of.peer, false, "who sent it; of several, separated by commas, the last"),
				heldHeader("X-Original-Content-Length", false, "its Content-Length, if that is signed and does not arrive"),
			},
			Responses: map[string]*huma.Response{
				"204": {Description: "it may go on", Headers: identity},
				"401": refused("it is not genuine, or the gateway token is not valid"),
				"403": refused("it is genuine and refused"),
			},
		}
		if of.nginx {
			o.Parameters = append(o.Parameters, heldHeader("X-Keyledger-Service", false, "what it is for, for the access record"), heldHeader("X-Keyledger-Action", false, "what it wants to do, likewise"))
			o.Responses["403"].Description += ", or nothing can be decided now: nginx knows no other status"
		} else {
			o.Responses["400"] = &huma.Response{Description: "the proxy does not say what it holds", Headers: headers(headerReason, headerDetail, headerRequestID)}
			o.Responses["500"] = refused("something went wrong on our side")
			o.Responses["503"] = refused("nothing can be decided or recorded now")
		}
		api.OpenAPI().AddOperation(o)
	}
}

func heldHeader(name string, required bool, what string) *huma.Param {
	return &huma.Param{Name: name, In: "header", Required: required, Description: what, Schema: &huma.Schema{Type: huma.TypeString}}
}
