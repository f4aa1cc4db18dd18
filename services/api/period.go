package api

import (
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// A PeriodInput is from when to when something is wanted.
type PeriodInput struct {
	Since time.Time `query:"since" doc:"only from this time on (RFC 3339)"`
	Until time.Time `query:"until" doc:"only before this time (RFC 3339)"`
}

// Resolve refuses a period that holds nothing: whoever asks for one has made a mistake.
func (in *PeriodInput) Resolve(ctx huma.Context) []error {
	until := ctx.Query("until")
	if !isTime(until) || in.Since.Before(in.Until) {
		return nil
	}
	than := "since"
	if in.Since.IsZero() {
		than = "the year 1"
	}
	return []error{&huma.ErrorDetail{Location: "query.until", Message: "must be later than " + than, Value: until}}
}

// isTime is whether a parameter could be read as a time; where it could not, huma has said so.
func isTime(text string) bool {
	_, err := time.Parse(time.RFC3339Nano, text)
	return err == nil
}
