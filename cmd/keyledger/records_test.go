package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestTailWaitsForTheServer has the server be away for long: the tail tells so and goes on where it was. One that wants nothing
// more that is to come does not wait. What answers without an ID, as a proxy does, hides no summary, which has none either.
func TestTailWaitsForTheServer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	away := make([]reply, 3*maxAttempts)
	for i := range away {
		away[i] = answers(http.StatusServiceUnavailable, `{"code":"unavailable","detail":"a sentence","retryable":true}`)
	}
	client, _ := against(t, append(away, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"items":[{"id":"a","time":"2026-11-22T12:00:00Z"}]}`)
	}, func(http.ResponseWriter, *http.Request) { cancel() })...)
	var out, hints bytes.Buffer
	if err := (&recordTail{}).Run(ctx, &terminal{out: &out, err: &hints}, client); err != nil || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("got %v and %q", err, &out)
	}
	if n := strings.Count(hints.String(), "cut off: a sentence; going on from "); n != 3 || strings.Count(hints.String(), "\n") != 3 {
		t.Errorf("told %d times: %s", n, &hints)
	}
	client, _ = against(t, away...)
	past := recordTail{recordFilter: recordFilter{Since: moment{time.Now().Add(-2 * time.Hour)}, Until: moment{time.Now().Add(-time.Hour)}}}
	if err := past.Run(t.Context(), &terminal{out: &out, err: &hints}, client); exitFor(err) != exitUnreachable {
		t.Errorf("of the past: got %v", err)
	}
}

// TestTailTellsProgramsThatTheServerIsAway has a program be told what a person is told, as warnings in JSON.
func TestTailTellsProgramsThatTheServerIsAway(t *testing.T) {
	type tail interface {
		Run(ctx context.Context, t *terminal, c *client) error
	}
	for name, c := range map[string]struct {
		tail tail
		end  string
	}{
		"records": {&recordTail{recordFilter: recordFilter{Since: moment{time.Unix(0, 0)}}}, `{"items":[]}`},
		"events":  {&eventTail{From: "now", Follow: true}, `{"cursor":"1-1.0-1.0","end":{"code":"events.until"}}` + "\n"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		away := make([]reply, maxAttempts)
		for i := range away {
			away[i] = answers(http.StatusServiceUnavailable, `{"code":"unavailable","detail":"a sentence","retryable":true}`)
		}
		client, _ := against(t, append(away, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, c.end) }, func(http.ResponseWriter, *http.Request) { cancel() })...)
		var out, told bytes.Buffer
		if err := c.tail.Run(ctx, &terminal{out: &out, err: &told, json: true}, client); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		lines := strings.Split(strings.TrimSuffix(told.String(), "\n"), "\n")
		for _, line := range lines {
			var warning map[string]string
			if err := json.Unmarshal([]byte(line), &warning); err != nil || len(warning) != 1 || !strings.HasPrefix(warning["warning"], "cut off: a sentence; going on from ") {
				t.Errorf("%s: told %q, %v", name, line, err)
			}
		}
		cancel()
	}
}

// TestTameJSON escapes what a terminal would act on, and nothing else; where no person reads it is as it came.
func TestTameJSON(t *testing.T) {
	const document = "{\n\t\"a\": \"\\u001b é 🙂 \u009b \u202e \U000e0001 \u007f\"}"
	want := strings.NewReplacer("\u009b", `\u009b`, "\u202e", `\u202e`, "\U000e0001", `\udb40\udc01`, "\u007f", `\u007f`).Replace(document)
	got := (&terminal{shown: true}).tameJSON([]byte(document))
	if string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var a, b any
	if json.Unmarshal([]byte(document), &a) != nil || json.Unmarshal(got, &b) != nil || a.(map[string]any)["a"] != b.(map[string]any)["a"] {
		t.Errorf("%q means another thing than %q", got, document)
	}
	if got := (&terminal{}).tameJSON([]byte(document)); string(got) != document {
		t.Errorf("to a file: got %q", got)
	}
}

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
		if line := string(recordLine(row)); !strings.HasSuffix(line, "  "+want+"\n") {
			t.Errorf("in a tail: got %q, want it to end in %q", line, want)
		}
	}
}
