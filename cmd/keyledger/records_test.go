package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// TestSummaryForPeople has a summary tell how many attempts it stands for, in a list and in a tail; of a record that is none there is
// nothing to tell.
func TestSummaryForPeople(t *testing.T) {
	summary := json.RawMessage(`{"time":"2026-11-22T12:00:00Z","access_key_id":"KLAK1","outcome":"attempt","reason":"attempts_beyond_bound","request_id":"","count":11400}`)
	one := json.RawMessage(`{"time":"2026-11-22T12:00:00Z","access_key_id":"KLAK1","outcome":"attempt","reason":"signature_mismatch","request_id":"r"}`)
	var out bytes.Buffer
	if err := (&terminal{out: &out}).showTable([]json.RawMessage{summary, one}, recordColumns); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	at := strings.Index(lines[0], "COUNT")
	if at < 0 || !strings.HasPrefix(lines[1][min(at, len(lines[1])):], "11400") || !strings.HasPrefix(lines[2][min(at, len(lines[2])):], "  ") {
		t.Errorf("got\n%s", &out)
	}
	for document, want := range map[string]string{string(summary): "11400  -", string(one): "-  r"} {
		row, err := parseRow(json.RawMessage(document))
		if err != nil {
			t.Fatal(err)
		}
		if line := string(recordLine(row)); !strings.HasSuffix(line, "  "+want) {
			t.Errorf("in a tail: got %q, want it to end in %q", line, want)
		}
	}
}
