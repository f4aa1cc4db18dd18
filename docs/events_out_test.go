package docs_test

import (
	"go/ast"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var eventCode = regexp.MustCompile(`^events\.[a-z_]+$`)

// TestEventsOut holds the page for readers of events to the sources: every code by which
// a reader is refused or ended, every type that is no lifecycle event and every subject of
// NATS is there.
func TestEventsOut(t *testing.T) {
	page, err := os.ReadFile("events-out.md")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{"dev.keyledger.key.used.v1": true, "dev.keyledger.key.attempted.v1": true, "$JS.API.STREAM.INFO.LEDGER": true, "$JS.API.DIRECT.GET.LEDGER": true}
	for _, s := range sources(t) {
		if s.test || s.dir != "services/feed" && s.dir != "services/api" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok {
				if text, err := strconv.Unquote(l.Value); err == nil && eventCode.MatchString(text) {
					found[text] = true
				}
			}
			return true
		})
	}
	for code := range found {
		if !strings.Contains(string(page), "`"+code+"`") {
			t.Errorf("events-out.md says nothing of %s", code)
		}
	}
	if len(found) < 12 {
		t.Errorf("%d codes were found in the sources: this test looks in the wrong place", len(found))
	}
}
