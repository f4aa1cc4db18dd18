package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/services/feed"
	"github.com/keyledger/keyledger/services/ledger"
	"github.com/keyledger/keyledger/services/verify"
)

// A Problem is an error answer: RFC 9457, with a stable code. Code is for
// programs and never changes its meaning; Detail is for people.
type Problem struct {
	Type      string   `json:"type" doc:"URI of the code's description"`
	Title     string   `json:"title" doc:"the status in words"`
	Status    int      `json:"status" doc:"HTTP status"`
	Code      string   `json:"code" doc:"stable name of what went wrong"`
	Detail    string   `json:"detail" doc:"what was wrong and what would be right"`
	RequestID string   `json:"request_id,omitempty" doc:"names the request; send it again with the same ID to learn its outcome"`
	Retryable bool     `json:"retryable" doc:"whether the same request may succeed later"`
	Errors    []string `json:"errors,omitempty" doc:"each thing that was wrong with the input"`
}

// Error is the code and the detail.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus is the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders is what goes into the answer's head.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.Retryable {
		h.Set("Retry-After", "1")
	}
	return h
}

// ContentType is RFC 9457's.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// ProblemType is the URI of a code's description.
func ProblemType(code string) string { return "https://keyledger.dev/problems/" + code }

func problem(status int, code, detail string) *Problem {
	return &Problem{
		Type: ProblemType(code), Title: http.StatusText(status), Status: status, Code: code, Detail: detail,
		Retryable: status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests,
	}
}

// Codes of problems that do not come from a rule. Those of rules are the
// rules' own names ("key.quota"), and those of signatures are their reasons.
const (
	codeInvalid      = "request.invalid"
	codeMalformed    = "request.malformed"
	codeTooLarge     = "request.too_large"
	codeNotFound     = "not_found"
	codeNotAllowed   = "method_not_allowed"
	codeDenied       = "permission.denied"
	codeUnsigned     = "signature.required"
	codeBadSignature = "signature.refused"
	codeNoGateway    = "gateway_token.required"
	codeBadGateway   = "gateway_token.refused"
	codeUnknown      = "outcome.unknown"
	codeUnavailable  = "unavailable"
	codeStale        = "stale"
	codeOverloaded   = "overloaded"
	codeCursor       = "cursor.invalid"
	codeInternal     = "internal"
	codeUnsupported  = "request.unsupported_media_type"
	codeDamaged      = "records.damaged"
)

// init makes huma speak our problems for what it finds wrong by itself, and
// hold names in JSON to their case. These are huma's only hooks, and process-wide.
func init() {
	huma.ValidateStrictCasing = true
	huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
		err := huma.NewError(status, message, errs...)
		if p, ok := err.(*Problem); ok && p.RequestID == "" {
			p.RequestID = string(inboundOf(ctx.Context()).request.ID)
		}
		return err
	}
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		for _, err := range errs {
			var p *Problem
			if errors.As(err, &p) {
				return p
			}
		}
		p := problem(status, codeOf(status), message)
		if status == http.StatusInternalServerError {
			p.Detail = "something went wrong on our side; it has been logged"
			return p
		}
		for _, err := range errs {
			p.Errors = append(p.Errors, describe(err))
		}
		if len(p.Errors) > 0 {
			p.Detail = strings.Join(p.Errors, "; ")
		}
		return p
	}
}

// describe says where in the input an error is without repeating the input.
func describe(err error) string {
	var d *huma.ErrorDetail
	if errors.As(err, &d) {
		return d.Location + ": " + wanted(d.Message)
	}
	return err.Error()
}

// wanted says what would be right where huma says in Go's words that something is wrong.
func wanted(message string) string {
	switch {
	case strings.HasPrefix(message, "invalid date/time"):
		return "want a time in RFC 3339, such as 2026-11-22T00:00:00Z"
	case message == "invalid boolean":
		return "want true or false"
	}
	return message
}

func codeOf(status int) string {
	switch status {
	case http.StatusBadRequest:
		return codeMalformed
	case http.StatusUnprocessableEntity:
		return codeInvalid
	case http.StatusRequestEntityTooLarge:
		return codeTooLarge
	case http.StatusNotFound:
		return codeNotFound
	case http.StatusMethodNotAllowed:
		return codeNotAllowed
	case http.StatusUnsupportedMediaType:
		return codeUnsupported
	}
	return codeInternal
}

// statusOf is the HTTP status of a refusal.
var statusOf = map[aggregate.RefusalKind]int{
	aggregate.Invalid:  http.StatusUnprocessableEntity,
	aggregate.NotFound: http.StatusNotFound,
	aggregate.Conflict: http.StatusConflict,
	aggregate.Limit:    http.StatusConflict,
	aggregate.Denied:   http.StatusForbidden,
	aggregate.Gone:     http.StatusGone,
}

// problemOf is the answer to an error of the floors below. What is nobody's
// business outside becomes "internal" and is logged by the caller.
func problemOf(err error) *Problem {
	var (
		p           *Problem
		refusal     *aggregate.Refusal
		unavailable *events.UnavailableError
		cursor      *projections.CursorError
		reader      *feed.RefusedError
		damaged     *RecordsDamagedError
	)
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &refusal):
		return problem(statusOf[refusal.Kind], refusal.Rule, refusal.Detail)
	case errors.As(err, &damaged):
		return problem(http.StatusServiceUnavailable, codeDamaged, damaged.Reason)
	case errors.As(err, &unavailable):
		return problem(http.StatusServiceUnavailable, codeUnavailable, unavailable.Reason)
	case errors.As(err, &cursor):
		return problem(http.StatusUnprocessableEntity, codeCursor, "the cursor does not belong to this list: use next_cursor of the same query, or none")
	case errors.As(err, &reader):
		return refusedReader(reader)
	case errors.Is(err, ledger.ErrUnknown):
		return problem(http.StatusServiceUnavailable, codeUnknown, "it is not known whether the command was recorded; send the same request with the same Idempotency-Key")
	case errors.Is(err, events.ErrUnread):
		return problem(http.StatusServiceUnavailable, codeUnavailable, "the log cannot be read now; try again")
	case errors.Is(err, verify.ErrStale):
		return problem(http.StatusServiceUnavailable, codeStale, "this node is behind the log and refuses to decide; try again")
	case errors.Is(err, verify.ErrRefilling):
		return problem(http.StatusServiceUnavailable, codeStale, "this node has just started and does not know whether the nonce has been used; sign the request anew and try again")
	case errors.Is(err, verify.ErrCrowded):
		return problem(http.StatusServiceUnavailable, codeOverloaded, "more requests with a nonce were made than can be remembered while they could be made again; try again later")
	}
	return problem(http.StatusInternalServerError, codeInternal, "something went wrong on our side; it has been logged")
}

// writeProblem answers outside of huma; the ID is empty if none could be drawn.
func writeProblem(w http.ResponseWriter, p *Problem, id events.RequestID) {
	p.RequestID = string(id)
	body, err := json.Marshal(p)
	if err != nil {
		panic(fmt.Sprintf("api: a problem that is not JSON: %v", err)) // it holds strings and numbers only
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	maps.Copy(w.Header(), p.GetHeaders())
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n'))
}
