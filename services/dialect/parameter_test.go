package dialect_test

import (
	"errors"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/services/dialect"
)

func TestAppendParameters(t *testing.T) {
	for raw, want := range map[string][]dialect.Parameter{
		"": nil, "&&": nil, "a": {{"a", "", true, true}}, "=": {{"", "", true, true}}, "a=b=c&d=%2f+": {{"a", "b=c", true, false}, {"d", "%2f+", false, false}},
		"%61+=1&+b": {{"a ", "1", true, false}, {" b", "", true, false}}, "a=-._~Z9&b=/&c*=1": {{"a", "-._~Z9", true, true}, {"b", "/", true, false}, {"c*", "1", true, false}},
		"&a=+&&": {{"a", "+", false, false}}, "a=1&b=%20": {{"a", "1", true, true}, {"b", "%20", false, false}},
	} {
		if got, err := dialect.AppendParameters(nil, raw, 3); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %v, %v; want %v", raw, got, err, want)
		}
	}
	for raw, want := range map[string]error{"a=%": dialect.ErrEscape, "%g0=": dialect.ErrEscape, "a&b&c": dialect.ErrTooMany, "a&b&%": dialect.ErrTooMany, "a&b&&": nil} {
		if _, err := dialect.AppendParameters(nil, raw, 2); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", raw, err, want)
		}
	}
	if p := (dialect.Parameter{Raw: "%2f+x"}); p.Value() != "/ x" {
		t.Errorf("got %q", p.Value())
	}
}

func TestSortParameters(t *testing.T) {
	of := func(names ...string) (all []dialect.Parameter) {
		for _, n := range names {
			all = append(all, dialect.Parameter{Name: n})
		}
		return all
	}
	for _, c := range []struct {
		all  []dialect.Parameter
		once bool
	}{{nil, true}, {of("a", "b", "c"), true}, {of("c", "a", "b"), true}, {of("a", "a"), false}, {of("b", "a", "b"), false}} {
		if once := dialect.SortParameters(c.all); once != c.once {
			t.Errorf("%v: got %t", c.all, once)
		}
		if !slices.IsSortedFunc(c.all, func(x, y dialect.Parameter) int { return slices.Compare([]byte(x.Name), []byte(y.Name)) }) {
			t.Errorf("%v is not sorted", c.all)
		}
	}
}

func TestPeek(t *testing.T) {
	for raw, want := range map[string]string{
		"": "none", "xName=1": "none", "Names=1": "none", "Name": "", "Name=": "", "Name&x": "", "x&Name=%41+&Name=2": "%41+", "NameName=1&Name=2": "2", "x=Name&Name=3": "3", "NameX&xName": "none",
	} {
		got, there := dialect.Peek(raw, "Name")
		if !there {
			got += "none"
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", raw, got, want)
		}
	}
}

// Parameters are what the library's parser of queries makes of them, but that it refuses semicolons.
func FuzzParameters(f *testing.F) {
	f.Add("a=1&b=%2f+&&c&%61=+")
	f.Fuzz(func(t *testing.T, raw string) {
		if strings.Contains(raw, ";") {
			return
		}
		want, wantErr := url.ParseQuery(raw)
		got, err := dialect.AppendParameters(nil, raw, len(raw))
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: got %v, want %v", raw, err, wantErr)
		}
		values := url.Values{}
		for _, p := range got {
			values.Add(p.Name, p.Value())
			for _, mark := range []string{dialect.Once, dialect.Twice} {
				name, value := p.AppendName(nil, mark), p.AppendValue(nil, mark)
				if string(name) != string(dialect.AppendEscaped(nil, p.Name, mark)) || string(value) != string(dialect.AppendEscaped(nil, p.Value(), mark)) {
					t.Errorf("%q: %+v is escaped as %s and %s", raw, p, name, value)
				}
			}
		}
		if err == nil && !reflect.DeepEqual(values, want) {
			t.Errorf("%q: got %v, want %v", raw, values, want)
		}
	})
}
