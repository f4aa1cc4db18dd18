package docs_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/services/usage"
)

// TestBounds holds pages to the bounds that they name.
func TestBounds(t *testing.T) {
	for page, want := range map[string]string{
		"format/access-records.md": fmt.Sprintf("the first %d on a key in a second are recorded one by one", usage.DefaultAttempts),
		"operate.md":               fmt.Sprintf("at most %d,000 and of at most %.0f s", usage.DefaultQueue/1000, usage.DefaultWindow.Seconds()),
	} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), want) {
			t.Errorf("%s does not say %q", page, want)
		}
	}
	text, err := os.ReadFile("format/access-records.md")
	if err != nil || !strings.Contains(string(text), "`"+usage.ReasonSurplus+"`") {
		t.Errorf("the page of access records does not name %s, %v", usage.ReasonSurplus, err)
	}
}
