package objectstore

import (
	"slices"
	"testing"

	"github.com/keyledger/keyledger/services/dialect"
)

func TestBuckets(t *testing.T) {
	for _, c := range []struct {
		host, base string
		want       []string
	}{
		{"127.0.0.1:7420", "", []string{""}},
		{"[::1]:7420", "", []string{""}},
		{"localhost", "", []string{""}},
		{"b.localhost:7420", "", []string{"b", "", "b.localhost"}},
		{"obs.example.test", "", []string{"obs", "", "obs.example.test"}},
		{"obs.example.test:443", "obs.example.test", []string{""}},
		{"OBS.example.test", "obs.example.test:443", []string{""}},
		{"b.obs.example.test:443", "obs.example.test", []string{"b"}},
		{"b.c.obs.example.test", "obs.example.test", []string{"b.c"}},
		{"xobs.example.test", "obs.example.test", []string{"xobs.example.test"}},
		{".obs.example.test", "obs.example.test", []string{".obs.example.test"}},
		{"files.example.test:80", "obs.example.test", []string{"files.example.test"}},
		{"", "obs.example.test", []string{""}},
	} {
		r := &dialect.Request{Host: c.host, BaseHost: c.base}
		if got := appendBuckets(nil, r); !slices.Equal(got, c.want) {
			t.Errorf("%s under %s: got %q, want %q", c.host, c.base, got, c.want)
		}
	}
}

func TestSubresource(t *testing.T) {
	for raw, want := range map[string]string{
		"": "", "prefix=a&marker=b&max-keys=7": "", "acl": "?acl", "acl=": "?acl",
		"versionId=v+1%2B&acl&x-obs-a=%26&prefix=a": "?acl&versionId=v 1+&x-obs-a=&",
		"uploads&partNumber=1&uploadId=x%3D":        "?partNumber=1&uploadId=x=&uploads",
		"X-Image-Process=a":                         "?X-Image-Process=a",
		"acl&acl=":                                  "refused",
	} {
		q, err := appendQuery(nil, raw)
		if err != nil {
			t.Fatal(err)
		}
		got := "refused"
		if signed, err := q.appendSubresources(nil, "x-obs-"); err == nil {
			got = string(signed.appendTo(nil))
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", raw, got, want)
		}
	}
}
