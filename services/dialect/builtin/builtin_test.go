package builtin_test

import (
	"testing"

	"github.com/keyledger/keyledger/services/dialect/builtin"
)

func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range builtin.All() {
		if d.Name == "" || seen[d.Name] || len(d.Schemes) == 0 {
			t.Errorf("vendor %q: no name, named twice, or no scheme", d.Name)
		}
		seen[d.Name] = true
	}
	for _, s := range builtin.Schemes() {
		if s.Name() == "" || seen[s.Name()] {
			t.Errorf("scheme %q: no name, or named twice", s.Name())
		}
		seen[s.Name()] = true
	}
}
