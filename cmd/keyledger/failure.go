package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/keyledger/keyledger/services/api"
)

// A problem is an error answer of the server, RFC 9457, as far as a client
// needs it; what fails on this side is told in the same shape.
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Code      string `json:"code"`
	Detail    string `json:"detail"`
	RequestID string `json:"request_id,omitempty"`
	Retryable bool   `json:"retryable"`
}

// Codes of failures that no server told us of.
const (
	codeUsage         = "usage"
	codeUnknown       = "outcome.unknown"
	codeUnreachable   = "server.unreachable"
	codeNoProblem     = "server.not_keyledger"
	codeInterrupted   = "interrupted"
	codeNotConfirmed  = "not_confirmed"
	codeDiffers       = "signature.verdict_differs"
	codeSecretNotSent = "secret.shown_before"
	codeFile          = "file.not_written"
	codeLinesRefused  = "import.lines_refused"
	codeFailed        = "failed"
)

// A failure is why a command did not do what was asked, with the exit code
// that says of which kind it is.
type failure struct {
	problem
	exit   exitCode
	advice string          // what to do now; for people
	raw    json.RawMessage // the server's own words, if it was the server
}

func (f *failure) Error() string { return f.Code + ": " + f.Detail }

func fail(exit exitCode, code, format string, args ...any) *failure {
	return &failure{exit: exit, problem: problem{Code: code, Detail: fmt.Sprintf(format, args...)}}
}

// usage is a failure of whoever wrote the command line.
func usage(format string, args ...any) *failure {
	return fail(exitUsage, codeUsage, format, args...)
}

// usageOf is what the parser of the command line complains of.
func usageOf(err error) *failure {
	text := strings.Replace(err.Error(), `must be one of "",`, "must be one of ", 1) // to leave it out is no value to name
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil && parse.Context.Selected() != nil {
		return usageIn(parse.Context, "%s", text)
	}
	f := usage("%s", text)
	f.advice = "keyledger --help lists the commands"
	return f
}

// usageIn is usage of the command that was selected.
func usageIn(c *kong.Context, format string, args ...any) *failure {
	f := usage(format, args...)
	f.advice = c.Selected().FullPath() + " --help says what it takes"
	return f
}

func interrupted() *failure {
	return fail(exitInterrupted, codeInterrupted, "it was interrupted before it was done")
}

// failureOf is err as a failure.
func failureOf(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	if errors.Is(err, context.Canceled) { // nothing but a signal cancels a command
		return interrupted()
	}
	return fail(exitRefused, codeFailed, "%v", err)
}

// refusalOf is the failure that an error answer of the server stands for. body is
// the answer's.
func refusalOf(status int, endpoint string, body []byte) *failure {
	f := &failure{raw: body}
	if json.Unmarshal(body, &f.problem) != nil || f.Code == "" {
		f = fail(exitRefused, codeNoProblem, "%s answered %d %s in words that are not Keyledger's; is it the right endpoint?",
			endpoint, status, http.StatusText(status))
		if bytes.Contains(body, []byte("HTTP request to an HTTPS server")) { // net/http's own words
			f.advice = "it speaks TLS: its endpoint begins with https://"
		}
	}
	f.Status, f.exit = status, exitOf(status)
	if status == http.StatusInternalServerError && f.RequestID != "" {
		f.advice = "the server's log has more under the request ID " + f.RequestID
	}
	return f
}

func exitOf(status int) exitCode {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return exitDenied
	case http.StatusNotFound, http.StatusGone:
		return exitNotFound
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return exitUnreachable
	}
	return exitRefused
}

// fail tells what went wrong, if anything did, and returns the exit code. A
// secret never gets here: failures hold codes, sentences and request IDs.
func (t *terminal) fail(err error) int {
	if err == nil {
		return int(exitDone)
	}
	f := failureOf(err)
	if t.json {
		t.failJSON(f)
		return int(f.exit)
	}
	t.note("keyledger: %s: %s", f.Code, f.Detail)
	if f.advice != "" {
		t.note("  %s", f.advice)
	}
	return int(f.exit)
}

func (t *terminal) failJSON(f *failure) {
	body := []byte(f.raw)
	if len(body) == 0 {
		body, _ = json.Marshal(f.complete()) // strings and numbers only
	}
	t.noteJSON(body)
}

// complete is the problem with all that one of the server's has.
func (f *failure) complete() problem {
	p := f.problem
	if p.Status == 0 {
		p.Status = f.likeStatus()
	}
	p.Type, p.Title = api.ProblemType(p.Code), http.StatusText(p.Status)
	return p
}

// likeStatus is the HTTP status that the server answers with where something of the kind happens to it: programs tell
// failures of this side and of that by the same members.
func (f *failure) likeStatus() int {
	switch f.exit {
	case exitUsage:
		return http.StatusBadRequest
	case exitDenied:
		return http.StatusForbidden
	case exitNotFound:
		return http.StatusNotFound
	case exitUnknown, exitUnreachable, exitNotStarted:
		return http.StatusServiceUnavailable
	}
	if f.Code == codeFailed || f.Code == codeFile {
		return http.StatusInternalServerError
	}
	return http.StatusConflict
}
