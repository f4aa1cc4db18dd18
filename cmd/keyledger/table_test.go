package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestTables(t *testing.T) {
	var out bytes.Buffer
	term := &terminal{out: &out, err: &bytes.Buffer{}}
	columns := []column{{"USER ID", "user_id"}, {"N", "n"}, {"TIME", "event.time"}, {"EVENT", "event.type"}, {"GRANTS", "grants"}, {"NONE", "none.at.all"}}
	document := json.RawMessage(`{"user_id":"1","n":18446744073709551615,"event":{"time":"2026-01-02T03:04:05.678+02:00","type":"dev.keyledger.key.created.v1"},"grants":["a","b"]}`)
	hostile := json.RawMessage("{\"user_id\":\"\\u001b[31m\\u202e\",\"n\":true,\"event\":{},\"grants\":{\"x\":1}}")
	if err := term.showTable([]json.RawMessage{document, hostile}, columns); err != nil {
		t.Fatal(err)
	}
	if err := term.show(document, columns); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"USER ID  N                     TIME                  EVENT        GRANTS   NONE",
		"1        18446744073709551615  2026-01-02T01:04:05Z  key.created  a b",
		"\ufffd[31m\ufffd   true                                                     {\"x\":1}",
		"User ID  1",
		"N        18446744073709551615",
		"Time     2026-01-02T01:04:05Z",
		"Event    key.created",
		"Grants   a b",
		"",
	}, "\n")
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", &out, want)
	}
}

func TestAnswersThatAreNoObjects(t *testing.T) {
	term := &terminal{out: &bytes.Buffer{}, err: &bytes.Buffer{}}
	if err := term.show(json.RawMessage(`[]`), nil); failureOf(err).Code != codeNoProblem {
		t.Errorf("got %v", err)
	}
	if err := term.showTable([]json.RawMessage{json.RawMessage(`1`)}, nil); failureOf(err).Code != codeNoProblem {
		t.Errorf("got %v", err)
	}
}
