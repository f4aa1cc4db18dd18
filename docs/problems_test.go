package docs_test

import (
	"go/ast"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var code = regexp.MustCompile(`^[a-z_]+(\.[a-z_]+)?$`)

// TestProblemCodes holds the page of problem codes to the sources: every code that
// a rule, the API or the command line can answer with is described.
func TestProblemCodes(t *testing.T) {
	text, err := os.ReadFile("problems.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, s := range sources(t) {
		if s.test || !strings.HasPrefix(s.dir, "aggregate") && s.dir != "cmd/keyledger" && s.dir != "services/api" && s.dir != "services/ledger" && s.dir != "services/node" {
			continue
		}
		for _, c := range codesIn(s.file) {
			found++
			if !strings.Contains(string(text), "`"+c+"`") {
				t.Errorf("%s answers with the code %q, which problems.md does not describe", s.path, c)
			}
		}
	}
	if found < 50 {
		t.Errorf("%d codes were found in the sources: this test looks in the wrong place", found)
	}
}

// codesIn are the codes that a file makes refusals and problems with.
func codesIn(f *ast.File) (out []string) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if name := called(n); name == "Refuse" || name == "problem" || name == "fail" || name == "invalid" {
				out = append(out, literals(n.Args)...)
			} else if name == "validText" || name == "validTextOf" { // of the keyring, by the field's name
				for _, field := range literals(n.Args) {
					out = append(out, "key."+field)
				}
			}
		case *ast.ValueSpec:
			if strings.HasPrefix(n.Names[0].Name, "code") || strings.HasPrefix(n.Names[0].Name, "rule") {
				out = append(out, literals(n.Values)...)
			}
		}
		return true
	})
	return out
}

func called(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// literals are the arguments that could be codes.
func literals(args []ast.Expr) (out []string) {
	for _, a := range args {
		l, ok := a.(*ast.BasicLit)
		if !ok {
			continue
		}
		if text, err := strconv.Unquote(l.Value); err == nil && code.MatchString(text) {
			out = append(out, text)
		}
	}
	return out
}
