package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

func TestExitCodesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/command-line.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows strings.Builder
	for _, e := range exits {
		fmt.Fprintf(&rows, "| %d | %s |\n", e.code, e.meaning)
	}
	if !strings.Contains(string(page), "| --- | --- |\n"+rows.String()+"\n") {
		t.Errorf("docs/command-line.md does not have this table:\n%s", &rows)
	}
}

// TestFailuresHaveTheShapeOfProblems: programs read what failed here as they read what the server refused.
func TestFailuresHaveTheShapeOfProblems(t *testing.T) {
	const served = `{"type":"https://keyledger.dev/problems/key.quota","title":"Conflict","status":409,"code":"key.quota","detail":"d","retryable":false,"errors":["e"]}`
	for _, c := range []struct {
		err    error
		code   string
		status int
		title  string
	}{
		{usage("wrong"), "usage", 400, "Bad Request"},
		{fail(exitNotFound, "user.not_found", "none"), "user.not_found", 404, "Not Found"},
		{fail(exitUnknown, codeUnknown, "unknown"), "outcome.unknown", 503, "Service Unavailable"},
		{fail(exitRefused, codeFile, "full"), "file.not_written", 500, "Internal Server Error"},
		{fail(exitRefused, codeNotConfirmed, "no"), "not_confirmed", 409, "Conflict"},
		{refusalOf(418, "http://h", []byte("a teapot")), "server.not_keyledger", 418, "I'm a teapot"},
		{refusalOf(409, "http://h", []byte(served)), "key.quota", 409, "Conflict"},
		{atLine(importLine{line: 7}, refusalOf(409, "http://h", []byte(served))), "key.quota", 409, "Conflict"},
	} {
		var errs bytes.Buffer
		(&terminal{err: &errs, json: true}).fail(c.err)
		var got struct {
			Type, Title, Code, Detail string
			Status                    int
			Retryable                 *bool
		}
		if err := json.Unmarshal(errs.Bytes(), &got); err != nil || strings.Count(errs.String(), "\n") != 1 {
			t.Errorf("%v: got %s, %v", c.err, &errs, err)
		}
		if got.Type != "https://keyledger.dev/problems/"+c.code || got.Code != c.code || got.Status != c.status || got.Title != c.title || got.Detail == "" || got.Retryable == nil {
			t.Errorf("%v: got %s", c.err, &errs)
		}
	}
}

// TestAQuestionEndsByASignal: who presses Ctrl-C at it need not answer first.
func TestAQuestionEndsByASignal(t *testing.T) {
	silent, answers := io.Pipe()
	defer func() { _ = answers.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	term := &terminal{in: bufio.NewReader(silent), err: io.Discard, interactive: true}
	if err := (question{deed: "Delete it", how: confirmClick}).put(ctx, term); exitFor(err) != exitInterrupted {
		t.Errorf("got %v", err)
	}
}

// TestAnInterruptedExaminationFindsNothing: neither well nor wrong.
func TestAnInterruptedExaminationFindsNothing(t *testing.T) {
	var out bytes.Buffer
	e := &examination{t: &terminal{out: &out, err: io.Discard}}
	e.Check("log", nil)
	e.Check("records", fmt.Errorf("read: %w", context.Canceled))
	e.Check("secrets", errors.Join(errors.New("one"), errors.New("two")))
	if want := "well   log\nWRONG  secrets: one; two\n"; out.String() != want || len(e.Checks) != 2 {
		t.Errorf("got %q, %+v", out.String(), e.Checks)
	}
}
