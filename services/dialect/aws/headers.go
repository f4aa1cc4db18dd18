package aws

import (
	"slices"
	"strconv"
	"strings"

	"github.com/keyledger/keyledger/services/dialect"
)

// headers is what one pass over the header lines found.
type headers struct {
	authorization  string // the first
	authorizations int
	anyAWS4        bool // one of them is of this family

	host, date, amzDate, contentHash, token line

	twice string // a name that may be there once and is not
}

// A line is a header that may be there once.
type line struct {
	value string // without the space around it
	there bool
}

func scanHeaders(r *dialect.Request) headers {
	var h headers
	for i := range r.Header {
		f := &r.Header[i]
		if into := h.line(f.Name); into != nil {
			h.once(into, f)
		} else if f.Named("Authorization") {
			h.authorize(f.Value)
		}
	}
	return h
}

// line returns where the header of that name belongs, or nil. Lengths are
// compared first: this runs for every line.
func (h *headers) line(name string) *line {
	switch {
	case len(name) == 4 && strings.EqualFold(name, "Host"):
		return &h.host
	case len(name) == 4 && strings.EqualFold(name, "Date"):
		return &h.date
	case len(name) == 10 && strings.EqualFold(name, "X-Amz-Date"):
		return &h.amzDate
	case len(name) == 20 && strings.EqualFold(name, "X-Amz-Content-Sha256"):
		return &h.contentHash
	case len(name) == 20 && strings.EqualFold(name, "X-Amz-Security-Token"):
		return &h.token
	}
	return nil
}

func (h *headers) once(into *line, f *dialect.Field) {
	if into.there {
		h.twice = f.Name
	}
	*into = line{value: strings.Trim(f.Value, " \t"), there: true}
}

func (h *headers) authorize(value string) {
	value = strings.Trim(value, " \t")
	if h.authorizations == 0 {
		h.authorization = value
	}
	h.authorizations++
	h.anyAWS4 = h.anyAWS4 || strings.HasPrefix(value, "AWS4-")
}

// coverHeaders refuses a request with an x-amz- header that is not signed: on
// the way anyone could have added it. S3 refuses such requests, too.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
func (a *assertion) coverHeaders(r *dialect.Request, h *headers) error {
	if h.twice != "" {
		return malformed(CodeDuplicateHeader, "the request has "+quoted(h.twice)+" more than once; send it once")
	}
	for i := range r.Header {
		name := r.Header[i].Name
		if mustSign(name) && !a.signs(name) {
			return malformed(CodeHeaderUnsigned, "every x-amz- header must be among SignedHeaders, and "+quoted(name)+" is not")
		}
	}
	return nil
}

func mustSign(name string) bool {
	const prefix = "x-amz-"
	return len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) &&
		!strings.EqualFold(name, "X-Amz-Cf-Id")
}

func (a *assertion) signs(name string) bool {
	return slices.ContainsFunc(a.names, func(n string) bool { return strings.EqualFold(n, name) })
}

// quoted returns a header name fit for a message, whatever the caller sent.
func quoted(name string) string {
	if len(name) > 64 {
		return "a header"
	}
	return strconv.Quote(strings.ToLower(name))
}
