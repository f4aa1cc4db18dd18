package huawei

import (
	"strconv"
	"strings"

	"github.com/keyledger/keyledger/services/dialect"
)

// headers is what one pass over the header lines found.
type headers struct {
	authorization  string // the first
	authorizations int
	ofFamily       bool // one of them is of the family asked for

	date, contentHash, token line

	twice string // a name that may be there once and is not
}

// A line is a header that may be there once.
type line struct {
	value string // without the space around it
	there bool
}

func scanHeaders(r *dialect.Request, family string) headers {
	var h headers
	for i := range r.Header {
		f := &r.Header[i]
		if into := h.line(f); into != nil {
			if into.there {
				h.twice = f.Name
			}
			*into = line{value: strings.Trim(f.Value, " \t"), there: true}
		} else if f.Named("Authorization") {
			h.authorize(strings.Trim(f.Value, " \t"), family)
		}
	}
	return h
}

// line returns where the header belongs, or nil.
func (h *headers) line(f *dialect.Field) *line {
	switch {
	case f.Named("X-Sdk-Date"):
		return &h.date
	case f.Named("X-Sdk-Content-Sha256"):
		return &h.contentHash
	case f.Named("X-Security-Token"):
		return &h.token
	}
	return nil
}

func (h *headers) authorize(value, family string) {
	if h.authorizations == 0 {
		h.authorization = value
	}
	h.authorizations++
	h.ofFamily = h.ofFamily || strings.HasPrefix(value, family)
}

// quoted returns a header name fit for a message, whatever the caller sent.
func quoted(name string) string {
	if len(name) > 64 {
		return "a header"
	}
	return strconv.Quote(strings.ToLower(name))
}
