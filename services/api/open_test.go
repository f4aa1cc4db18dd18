package api

import (
	"net/http"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// TestEveryPathIsDescribed: what answers without going through the native API's routes is in
// the description as well.
func TestEveryPathIsDescribed(t *testing.T) {
	s, ok := New(Config{Metrics: http.NotFoundHandler()}).(*server)
	if !ok {
		t.Fatal("the handler is no server")
	}
	c := s.describe()
	native := humago.New(http.NewServeMux(), c)
	s.register(native)
	s.openPaths(native)
	describeForwardAuth(native)
	mounted := []string{pathForward, pathForwardNginx}
	for path := range s.open {
		mounted = append(mounted, path)
	}
	for _, path := range mounted {
		item := native.OpenAPI().Paths[path]
		if item == nil || item.Get == nil {
			t.Errorf("%s is served and not described", path)
			continue
		}
		for status, r := range item.Get.Responses {
			if r.Description == "" || r.Headers[headerRequestID] == nil {
				t.Errorf("%s: %s has no description, or does not say that it names the request", path, status)
			}
		}
	}
	if len(mounted) != 10 {
		t.Errorf("%d paths are served without a caller: %v", len(mounted), mounted)
	}
	for path, item := range native.OpenAPI().Paths {
		for _, o := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if o != nil && len(o.Security) == 1 && len(o.Security[0]) == 0 && s.open[path] == nil {
				t.Errorf("%s is described as open and is not", path)
			}
		}
	}
}
