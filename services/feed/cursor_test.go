package feed_test

import (
	"math"
	"testing"

	"github.com/keyledger/keyledger/services/feed"
)

func TestCursorText(t *testing.T) {
	for text, want := range map[string]feed.Cursor{
		"1-1.0-1.0":    {Ledger: feed.Point{Message: 1}, Used: feed.Point{Message: 1}},
		"1-12.3-45.67": {Ledger: feed.Point{Message: 12, Index: 3}, Used: feed.Point{Message: 45, Index: 67}},
		"1-18446744073709551615.0-2.1048576": {
			Ledger: feed.Point{Message: math.MaxUint64}, Used: feed.Point{Message: 2, Index: 1 << 20},
		},
		"1-12.3.0000002a-45.67":          {Ledger: feed.Point{Message: 12, Index: 3, Mark: 42}, Used: feed.Point{Message: 45, Index: 67}},
		"1-12.0.89abcdef-45.67.ffffffff": {Ledger: feed.Point{Message: 12, Mark: 0x89abcdef}, Used: feed.Point{Message: 45, Index: 67, Mark: 0xffffffff}},
	} {
		if got, err := feed.ParseCursor(text); err != nil || got != want || want.String() != text {
			t.Errorf("%s: got %v, %v; written %s", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "1", "1-1.0", "2-1.0-1.0", "1-0.0-1.0", "1-1.0-0.0", "1-1-1", "1-01.0-1.0", "1-1.00-1.0", "1-+1.0-1.0", "1-1.-1-1.0", "1-1.0-1.1048577",
		"1-1.0-1.0-1.0", "1-1.0-1.0 ", "1-18446744073709551616.0-1.0", "1-1.0.0-1.0", "1-1.0.00000000-1.0", "1-1.0.-1.0", "1-1.0.89ABCDEF-1.0", "1-1.0.189abcdef-1.0", "1-1.0.0000002a.0-1.0",
	} {
		if c, err := feed.ParseCursor(text); err == nil {
			t.Errorf("%q was read as %v", text, c)
		}
	}
}

// FuzzCursor holds that what can be read is written the same way again, and that
// nothing makes the reader of a place fall over.
func FuzzCursor(f *testing.F) {
	for _, text := range []string{"1-12.3-45.67", "1-12.3.0000002a-45.67.89abcdef", "now", "earliest", "42", "2026-11-22T12:00:00Z", "1-1.0-1.0-", "1-99999999999999999999.0-1.0"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := feed.ParseCursor(text); err == nil && c.String() != text {
			t.Errorf("%q was read as %s", text, c)
		}
		_, _ = feed.ParseFrom(text)
	})
}
