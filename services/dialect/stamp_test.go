package dialect_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
)

func TestParseStamp(t *testing.T) {
	want := time.Date(2024, 2, 29, 23, 59, 58, 0, time.UTC)
	for layout, text := range map[string]string{dialect.BasicStamp: "20240229T235958Z", dialect.ExtendedStamp: "2024-02-29T23:59:58Z"} {
		if at, ok := dialect.ParseStamp(layout, text); !ok || at != want {
			t.Errorf("%s: got %v, %t", text, at, ok)
		}
	}
	for _, text := range []string{
		"", "2024022", "20240229T235958", "20240229T235958Zx", "20240229T235958z", "20240229 235958Z", "2024022xT235958Z", "20240229T23595 Z",
		"20230229T000000Z", "20240631T000000Z", "20241301T000000Z", "20240001T000000Z", "20240100T000000Z", "20240101T240000Z", "20240101T006000Z", "20240101T000060Z",
	} {
		if at, ok := dialect.ParseStamp(dialect.BasicStamp, text); ok {
			t.Errorf("%q: got %v", text, at)
		}
	}
}

// Each day that there is, and the one behind the last of each month, over a whole round of leap years and now.
func TestParseStampEachDay(t *testing.T) {
	for _, from := range []int{0, 1800} {
		for at := time.Date(from, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() <= from+400; at = at.AddDate(0, 0, 1) {
			if got, ok := dialect.ParseStamp(dialect.BasicStamp, at.Format("20060102T150405Z")); !ok || got != at {
				t.Fatalf("%v: got %v, %t", at, got, ok)
			}
			if next := at.AddDate(0, 0, 1); next.Day() == 1 {
				text := fmt.Sprintf("%04d%02d%02dT000000Z", at.Year(), at.Month(), at.Day()+1)
				if got, ok := dialect.ParseStamp(dialect.BasicStamp, text); ok {
					t.Fatalf("%s: got %v", text, got)
				}
			}
		}
	}
}

// Every time that there is reads as time.Parse reads it, and what there is not neither reads.
func FuzzParseStamp(f *testing.F) {
	f.Add("20240229T235958Z")
	f.Add("2024-02-29T23:59:58Z")
	f.Fuzz(func(t *testing.T, text string) {
		for layout, gos := range map[string]string{dialect.BasicStamp: "20060102T150405Z", dialect.ExtendedStamp: "2006-01-02T15:04:05Z"} {
			got, ok := dialect.ParseStamp(layout, text)
			want, err := time.Parse(gos, text)
			if fixed := err == nil && len(text) == len(layout); ok != fixed || ok && got != want {
				t.Errorf("%q by %s: got %v, %t; want %v, %v", text, layout, got, ok, want, err)
			}
		}
	})
}
