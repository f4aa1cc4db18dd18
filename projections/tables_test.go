package projections

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"
)

// TestEveryTableHasItsOwnByteAndName reads the constants themselves, so that
// none can be left out.
func TestEveryTableHasItsOwnByteAndName(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "tables.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	bytes, names, n := map[uint64]string{}, map[string]string{}, 0
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || spec.Type == nil {
			return true
		}
		if id, ok := spec.Type.(*ast.Ident); !ok || id.Name != "TableID" {
			return true
		}
		n++
		constant := spec.Names[0].Name
		value, err := strconv.ParseUint(spec.Values[0].(*ast.BasicLit).Value, 0, 8)
		if err != nil || value == 0 || value == 255 {
			t.Errorf("%s: %v, %v: want a byte of 1 to 254", constant, value, err)
		}
		if other, taken := bytes[value]; taken {
			t.Errorf("%s has the byte of %s", constant, other)
		}
		bytes[value] = constant
		name := TableID(value).String()
		if other, taken := names[name]; taken || name == "" {
			t.Errorf("%s is called %q, as is %q: want a name of its own", constant, name, other)
		}
		names[name] = constant
		return true
	})
	if n < 20 || n != len(tableNames) {
		t.Errorf("found %d constants, want %d", n, len(tableNames))
	}
}
