// Package docs_test holds the house together: which floor may import which,
// who may import NATS and Pebble, what every package says of itself, and which
// names are not used.
package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/keyledger/keyledger/"

// A source is one Go file of the product, parsed.
type source struct {
	path string // slash-separated, from the repository's root
	dir  string
	file *ast.File
	test bool
}

// sources parses every Go file of this module. It reads the files themselves,
// so that go test knows when its answer is out of date.
func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skip(path, d)
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(filepath.ToSlash(path), "../")
		out = append(out, source{path: rel, dir: dirOf(rel), file: f, test: strings.HasSuffix(rel, "_test.go")})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// skip leaves out what is not the product's own: hidden folders, build
// output, and modules of their own under testdata.
func skip(path string, d fs.DirEntry) error {
	name := d.Name()
	if path == ".." {
		return nil
	}
	if strings.HasPrefix(name, ".") || name == "testdata" || name == "bin" || name == "tmp" {
		return filepath.SkipDir
	}
	return nil
}

func dirOf(path string) string {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i]
	}
	return "."
}

func imports(f *ast.File) []string {
	var out []string
	for _, i := range f.Imports {
		p, _ := strconv.Unquote(i.Path.Value)
		out = append(out, p)
	}
	return out
}

// floors says what of this module each floor may import besides itself.
var floors = map[string][]string{
	"events":      nil,
	"aggregate":   {"events"},
	"projections": {"events"},
	"services":    {"events", "aggregate", "projections"},
	"cmd":         {"events", "aggregate", "projections", "services"},
	"docs":        {"events", "aggregate", "projections", "services"},
}

func TestFloors(t *testing.T) {
	for _, s := range sources(t) {
		floor, _, _ := strings.Cut(s.dir, "/")
		under, known := floors[floor]
		if !known {
			t.Errorf("%s: %q is not a floor of the house", s.path, floor)
			continue
		}
		for _, p := range imports(s.file) {
			below, ours := strings.CutPrefix(p, module)
			if !ours {
				continue
			}
			if f, _, _ := strings.Cut(below, "/"); f != floor && !contains(under, f) {
				t.Errorf("%s imports %s: %s may import only what lies under it: %v", s.path, p, floor, under)
			}
		}
	}
}

// doors says who may import what: the reason is what a newcomer is told.
var doors = []struct {
	prefix string
	dirs   []string
	reason string
}{
	{"github.com/nats-io/", []string{"services/journal", "services/node", "docs/example"}, "the log is reached through events.Log"},
	{"github.com/cockroachdb/pebble", []string{"projections", "services/node"}, "what is known is reached through the projections' queries"},
	{"github.com/tink-crypto/", []string{"services/vault"}, "secrets are opened and sealed in one place"},
	{"github.com/danielgtaylor/huma", []string{"services/api"}, "HTTP is the edge's business"},
	{"google.golang.org/grpc", []string{"services/extauthz"}, "gRPC is spoken to Envoy alone"},
	{"github.com/envoyproxy/", []string{"services/extauthz"}, "what Envoy calls things is known at its door"},
	{"github.com/prometheus/", []string{"services/metrics"}, "what is measured is named in one place"},
	{"go.opentelemetry.io/", []string{"services/trace"}, "traces are made at the edge"},
	{"github.com/alecthomas/kong", []string{"cmd"}, "flags are the roof's business"},
	{"math/rand", nil, "what must not be guessed comes from crypto/rand, passed in"},
}

func TestDoors(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || strings.HasSuffix(s.dir, "test") {
			continue
		}
		for _, p := range imports(s.file) {
			for _, d := range doors {
				if strings.HasPrefix(p, d.prefix) && !within(s.dir, d.dirs) {
					t.Errorf("%s imports %s: %s (only %v may)", s.path, p, d.reason, d.dirs)
				}
			}
		}
	}
}

// pure are the floors below services: they do no I/O, know no clock and draw
// no lots. The projections' store is the one exception, by Pebble's hand.
func TestBelowServicesIsPure(t *testing.T) {
	forbidden := []string{"os", "net", "net/http", "crypto/rand", "log", "os/exec"}
	for _, s := range sources(t) {
		floor, _, _ := strings.Cut(s.dir, "/")
		if s.test || strings.HasSuffix(s.dir, "test") || floor == "services" || floor == "cmd" || floor == "docs" {
			continue
		}
		for _, p := range imports(s.file) {
			if contains(forbidden, p) {
				t.Errorf("%s imports %s: below services nothing touches the world", s.path, p)
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && (sel.Sel.Name == "Now" || sel.Sel.Name == "Sleep") {
					t.Errorf("%s uses time.%s: time is passed in", s.path, sel.Sel.Name)
				}
			}
			return true
		})
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	comments, seen := map[string]int{}, map[string]string{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		seen[s.dir] = s.file.Name.Name
		if s.file.Doc == nil {
			continue
		}
		text := s.file.Doc.Text()
		want := "Package " + s.file.Name.Name + " "
		if s.file.Name.Name == "main" {
			want = "Command "
		}
		if !strings.HasPrefix(text, want) {
			t.Errorf("%s: the package comment begins %q: want %q", s.path, strings.SplitN(text, "\n", 2)[0], want+"...")
		}
		comments[s.dir]++
	}
	for dir := range seen {
		if comments[dir] != 1 {
			t.Errorf("%s has %d package comments: want one", dir, comments[dir])
		}
	}
}

func TestNoBagOfParts(t *testing.T) {
	bags := []string{"util", "utils", "common", "helper", "helpers", "manager", "base", "misc", "shared", "models", "internal"}
	for _, s := range sources(t) {
		for _, part := range strings.Split(s.dir, "/") {
			if contains(bags, part) {
				t.Errorf("%s: a folder called %q says nothing of what is in it", s.path, part)
			}
		}
	}
}

func TestTopLevelIsFixed(t *testing.T) {
	want := map[string]bool{
		"events": true, "aggregate": true, "projections": true, "services": true, "cmd": true, "docs": true,
		"go.mod": true, "go.sum": true, "Makefile": true, "README.md": true, "CHANGELOG.md": true, "LICENSE": true,
	}
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		if !want[name] && !strings.HasPrefix(name, ".") && name != "bin" && name != "tmp" {
			if e.IsDir() {
				t.Errorf("the folder %q is not part of the layout", name)
			}
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("%s is missing from the top level", name)
	}
}

// TestVendorsStayAtHome holds that a vendor's name is known to its own folder
// and the table of dialects only. What object stores have in common is no vendor.
func TestVendorsStayAtHome(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for _, p := range imports(s.file) {
			vendor, ok := strings.CutPrefix(p, module+"services/dialect/")
			if !ok || vendor == "builtin" || vendor == "dialecttest" || vendor == "vector" || vendor == "objectstore" {
				continue
			}
			if s.dir != "services/dialect/builtin" && !strings.HasPrefix(s.dir, "services/dialect/"+vendor) && s.dir != "services/api" && !strings.HasPrefix(s.dir, "cmd/") {
				t.Errorf("%s imports the vendor %s: only the table of dialects knows vendors by name", s.path, vendor)
			}
		}
	}
}

// TestEveryDependencyHasAReason holds that each module that go.mod requires
// directly has a line in the design note, and that the note names no other.
func TestEveryDependencyHasAReason(t *testing.T) {
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	note, err := os.ReadFile("design/0002-dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	direct := map[string]bool{}
	for _, line := range strings.Split(string(mod), "\n") {
		fields := strings.Fields(line)
		if len(fields) == 2 && strings.HasPrefix(fields[1], "v") && strings.HasPrefix(line, "\t") {
			direct[fields[0]] = true
			if !strings.Contains(string(note), "`"+fields[0]+"`") {
				t.Errorf("%s is required directly and has no reason in docs/design/0002-dependencies.md", fields[0])
			}
		}
	}
	for i, part := range strings.Split(string(note), "`") {
		if i%2 == 1 && strings.Contains(part, "/") && strings.Contains(part, ".") && !direct[part] {
			t.Errorf("docs/design/0002-dependencies.md gives a reason for %s, which is not required directly", part)
		}
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func within(dir string, allowed []string) bool {
	for _, a := range allowed {
		if dir == a || strings.HasPrefix(dir, a+"/") {
			return true
		}
	}
	return false
}
