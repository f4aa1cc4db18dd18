package dialect_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/keyledger/keyledger/services/dialect"
)

func TestAppendParameters(t *testing.T) {
	for raw, want := range map[string][]dialect.Parameter{
		"": nil, "&&": nil, "a": {{"a", ""}}, "=": {{"", ""}}, "a=b=c&d=%2f+": {{"a", "b=c"}, {"d", "%2f+"}}, "%61+=1": {{"a ", "1"}},
	} {
		if got, err := dialect.AppendParameters(nil, raw, 2); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %q, %v; want %q", raw, got, err, want)
		}
	}
	for raw, want := range map[string]error{"a=%": dialect.ErrEscape, "%g0=": dialect.ErrEscape, "a&b&c": dialect.ErrTooMany, "a&b&&": nil} {
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
			t.Errorf("%q: got %t", c.all, once)
		}
		if !slices.IsSortedFunc(c.all, func(x, y dialect.Parameter) int { return slices.Compare([]byte(x.Name), []byte(y.Name)) }) {
			t.Errorf("%q is not sorted", c.all)
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
