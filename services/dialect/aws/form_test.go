package aws

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/services/dialect"
)

// FuzzForm compares with net/url wherever both accept a form.
func FuzzForm(f *testing.F) {
	for _, s := range []string{
		"Action=CreateAccessKey&UserName=a+b%2Bc%2Ad~e%3Df%2Cg%40h-%E4%B8%AD&Version=2010-05-08",
		"a=1&a=2", "a=%zz", "a", "=", "&&", "a=b=c", "%41=1&A=2", "a;b=c",
	} {
		f.Add("", s)
		f.Add(s, "b=1")
	}
	f.Fuzz(func(t *testing.T, query, body string) {
		r := &dialect.Request{Method: "POST", Target: "/?" + query, Body: []byte(body)}
		got, err := readForm(r)
		if err != nil {
			if _, ok := errors.AsType[*refusal](err); !ok {
				t.Fatalf("an error without words: %v", err)
			}
			return
		}
		want, err := url.ParseQuery(query + "&" + body)
		if err != nil { // net/url does not like semicolons
			return
		}
		if len(got) != len(want) {
			t.Fatalf("got %v, want %v", got, want)
		}
		for name, values := range want {
			if value, ok := got[name]; !ok || len(values) != 1 || value != values[0] {
				t.Fatalf("got %v, want %v", got, want)
			}
		}
		_, _ = got.userName()
		_, _, _ = got.userAndKey()
		_, _ = got.active()
		_, _ = got.marker()
		_, _ = got.limit()
	})
}

func TestParameters(t *testing.T) {
	long := strings.Repeat("a", 129)
	for _, c := range []struct {
		form string
		read func(form) (any, error)
		want any // nil: refused
	}{
		{"", func(f form) (any, error) { return f.userName() }, ""},
		{"UserName=a%2Bb%3D,.@-_", func(f form) (any, error) { return f.userName() }, "a+b=,.@-_"},
		{"UserName=", func(f form) (any, error) { return f.userName() }, nil},
		{"UserName=a%0A", func(f form) (any, error) { return f.userName() }, nil},
		{"UserName=%C3%A9", func(f form) (any, error) { return f.userName() }, nil},
		{"UserName=" + long, func(f form) (any, error) { return f.userName() }, nil},
		{"AccessKeyId=KLAK0123456789AB", func(f form) (any, error) { return f.accessKeyID() }, "KLAK0123456789AB"},
		{"AccessKeyId=KLAK0123456789A", func(f form) (any, error) { return f.accessKeyID() }, nil},
		{"AccessKeyId=" + long, func(f form) (any, error) { return f.accessKeyID() }, nil},
		{"AccessKeyId=KLAK0123456789A/", func(f form) (any, error) { return f.accessKeyID() }, nil},
		{"", func(f form) (any, error) { return f.accessKeyID() }, nil},
		{"Status=Active", func(f form) (any, error) { return f.active() }, true},
		{"Status=Inactive", func(f form) (any, error) { return f.active() }, false},
		{"Status=active", func(f form) (any, error) { return f.active() }, nil},
		{"Status=Expired", func(f form) (any, error) { return f.active() }, nil},
		{"", func(f form) (any, error) { return f.active() }, nil},
		{"", func(f form) (any, error) { return f.limit() }, 100},
		{"MaxItems=1", func(f form) (any, error) { return f.limit() }, 1},
		{"MaxItems=1000", func(f form) (any, error) { return f.limit() }, 1000},
		{"MaxItems=0", func(f form) (any, error) { return f.limit() }, nil},
		{"MaxItems=1001", func(f form) (any, error) { return f.limit() }, nil},
		{"MaxItems=", func(f form) (any, error) { return f.limit() }, nil},
		{"MaxItems=1e2", func(f form) (any, error) { return f.limit() }, nil},
		{"", func(f form) (any, error) { return f.marker() }, ""},
		{"Marker=", func(f form) (any, error) { return f.marker() }, nil},
		{"Marker=" + strings.Repeat("a", 320), func(f form) (any, error) { return f.marker() }, strings.Repeat("a", 320)},
		{"Marker=" + strings.Repeat("a", 321), func(f form) (any, error) { return f.marker() }, nil},
	} {
		f := form{}
		if err := f.add(c.form); err != nil {
			t.Fatal(err)
		}
		got, err := c.read(f)
		if (err == nil) != (c.want != nil) || err == nil && got != c.want {
			t.Errorf("%q: got %v, %v; want %v", c.form, got, err, c.want)
		}
	}
}
