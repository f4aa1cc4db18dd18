package docs_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"maps"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events/access"
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

// TestDataOfUses holds the table of what an event of a use has in its data to what is written: every name, its type in
// JSON, and which may be absent.
func TestDataOfUses(t *testing.T) {
	full := access.Record{
		ID: [16]byte{1}, Time: time.Unix(1, 0), Key: "KLAK0000000000000001", Account: "100000000001", User: "200000000000000001", Outcome: access.Denied,
		Reason: "disabled", Scheme: "AWS4-HMAC-SHA256", Service: "s3", Action: "GetObject", Region: "eu", SourceIP: netip.MustParseAddr("192.0.2.7"),
		UserAgent: "curl", RequestID: "r-1", Position: 7, Replay: [16]byte{1}, Count: 1,
	}
	for v, i := reflect.ValueOf(full), 0; i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("this test's record has no %s", v.Type().Field(i).Name)
		}
	}
	written := dataOf(t, access.Record{ID: [16]byte{1}, Time: time.Unix(1, 0)})
	want := map[string]string{}
	for name, value := range dataOf(t, full) {
		_, always := written[name]
		want[name] = fmt.Sprintf("%s, sometimes absent: %t", kindOf(value), !always)
	}
	page, err := os.ReadFile("events-out.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "| `data` |")
	table, _, _ = strings.Cut(table, "\n\n")
	got := map[string]string{}
	for line := range strings.Lines(table) {
		if row := strings.Split(line, " | "); strings.HasPrefix(line, "| `") {
			got[strings.Trim(row[0], "| `")] = fmt.Sprintf("%s, sometimes absent: %t", row[1], strings.TrimSpace(row[3]) != "never |")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] != want[name] {
			t.Errorf("events-out.md says of data.%s %q, and it is written as %q", name, got[name], want[name])
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("events-out.md names data.%s, which is never written", name)
	}
}

// dataOf is the data of the event that a record is told as.
func dataOf(t *testing.T, r access.Record) map[string]any {
	t.Helper()
	text, err := access.EncodeEvent(&r)
	if err != nil {
		t.Fatal(err)
	}
	var event struct{ Data map[string]any }
	if err := json.Unmarshal(text, &event); err != nil || len(event.Data) == 0 {
		t.Fatalf("%s: %v", text, err)
	}
	return event.Data
}

// kindOf is the type in JSON of what was decoded.
func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case float64:
		return "number"
	}
	return fmt.Sprintf("%T", v)
}
