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
	for page, wants := range map[string][]string{
		"format/access-records.md": {fmt.Sprintf("the first %d on a key in a second are recorded one by one", usage.DefaultAttempts), "`" + usage.ReasonSurplus + "`"},
		"operate.md": {
			fmt.Sprintf("at most %d,000 and of at most %.0f s", usage.DefaultQueue/1000, usage.DefaultWindow.Seconds()),
			fmt.Sprintf("the first %d in a second are recorded one by one", usage.DefaultAttempts), "`" + usage.ReasonSurplus + "`",
			fmt.Sprintf("who sends 500 in the second before a crash that is %d", 500-usage.DefaultAttempts),
			fmt.Sprintf("of the last %d ms", usage.DefaultGather.Milliseconds()),
		},
	} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s does not say %q", page, want)
			}
		}
	}
}
