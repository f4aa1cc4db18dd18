package dialect_test

import (
	"testing"

	"github.com/keyledger/keyledger/services/dialect"
)

// TestKeyInHeader has one header name one key, whatever else is wrong with it. Two keys are none: nobody can say whose attempt it was.
func TestKeyInHeader(t *testing.T) {
	for _, c := range []struct {
		header []string
		want   string
	}{
		{nil, ""},
		{[]string{"W Credential=KEY/1/2, Signature=x"}, "KEY"},
		{[]string{"  W Signature=x,Credential=KEY"}, "KEY"},
		{[]string{"W Credential"}, ""},
		{[]string{"Credential=KEY"}, ""},
		{[]string{"W Credentials=KEY"}, ""},
		{[]string{"W Credential=KEY/1, Credential=KEY/2"}, "KEY"},
		{[]string{"W Credential=KEY, Credential=OTHER"}, ""},
		{[]string{"W Credential=KEY, Credential=OTHER, Credential=KEY"}, ""},
		{[]string{"W Credential=KEY", "W Credential=KEY"}, ""},
	} {
		r := &dialect.Request{}
		for _, value := range c.header {
			r.Header = append(r.Header, dialect.Field{Name: "authorization", Value: value})
		}
		if got := dialect.KeyInHeader(r, "Credential"); got != c.want {
			t.Errorf("%q: got %q, want %q", c.header, got, c.want)
		}
	}
}

func TestKeyBefore(t *testing.T) {
	for header, want := range map[string]string{"W KEY:x": "KEY", "W KEY": "KEY", "W :x": "", "WW KEY:x": "", "W": "", "": ""} {
		r := &dialect.Request{Header: []dialect.Field{{Name: "Authorization", Value: header}}}
		if got := dialect.KeyBefore(r, "W"); got != want {
			t.Errorf("%q: got %q, want %q", header, got, want)
		}
	}
}

// TestKeyInText is as TestKeyInHeader, of parameters as a scheme reads them: unescaped.
func TestKeyInText(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "a=b": "", "Key=K": "K", "a=b&Key=K%2F1&c": "K", "%4Bey=%4B": "K", "MyKey=K": "", "Keys=K": "", "Key": "", "Key=%4": "",
		"Key=K&Key=K": "K", "Key=K&Key=L": "", "Key=K&%4Bey=L": "", "Key=K&Key=L&Key=K": "",
	} {
		if got := dialect.KeyInText(text, "Key"); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestEitherKey(t *testing.T) {
	for _, c := range [][3]string{{"", "", ""}, {"K", "", "K"}, {"", "K", "K"}, {"K", "K", "K"}, {"K", "L", ""}} {
		if got := dialect.EitherKey(c[0], c[1]); got != c[2] {
			t.Errorf("%q, %q: got %q, want %q", c[0], c[1], got, c[2])
		}
	}
}
