package objectstore

import (
	"crypto/md5"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
)

// headers is what is signed of the header.
type headers struct {
	contentMD5, contentType, httpDate, ownDate line
	token                                      string
	prefixed                                   []dialect.Field // lower-case names, sorted, lines of one name joined
}

// A line is a header that may be there once.
type line struct {
	value string // without the space around it
	there bool
}

func scanHeaders(r *dialect.Request, prefix string) (headers, error) {
	var h headers
	for i := range r.Header {
		f := &r.Header[i]
		value := strings.Trim(f.Value, " \t")
		if into := h.line(f.Name, prefix); into != nil {
			if into.there {
				return h, malformed(CodeDuplicateHeader, "the request has "+strconv.Quote(strings.ToLower(f.Name))+" more than once; send it once")
			}
			*into = line{value, true}
		}
		if len(f.Name) > len(prefix) && strings.EqualFold(f.Name[:len(prefix)], prefix) {
			if h.prefixed == nil {
				h.prefixed = make([]dialect.Field, 0, 4)
			}
			h.prefixed = append(h.prefixed, dialect.Field{Name: strings.ToLower(f.Name), Value: value})
		}
	}
	slices.SortStableFunc(h.prefixed, func(x, y dialect.Field) int { return strings.Compare(x.Name, y.Name) })
	h.join()
	for _, f := range h.prefixed {
		if f.Name == prefix+"security-token" {
			h.token = f.Value
		}
	}
	return h, nil
}

// join makes lines of one name one.
func (h *headers) join() {
	joined := h.prefixed[:0]
	for _, f := range h.prefixed {
		if n := len(joined); n > 0 && joined[n-1].Name == f.Name {
			joined[n-1].Value += "," + f.Value
		} else {
			joined = append(joined, f)
		}
	}
	h.prefixed = joined
}

// line returns where the header of that name belongs, or nil.
func (h *headers) line(name, prefix string) *line {
	switch {
	case len(name) == 4 && strings.EqualFold(name, "Date"):
		return &h.httpDate
	case len(name) == 11 && strings.EqualFold(name, "Content-MD5"):
		return &h.contentMD5
	case len(name) == 12 && strings.EqualFold(name, "Content-Type"):
		return &h.contentType
	case len(name) == len(prefix)+4 && strings.EqualFold(name, prefix+"date"):
		return &h.ownDate
	}
	return nil
}

// dates are how a date can be written: as HTTP has it, or as Signature Version 4 has it, where the
// vendor's own header takes the date's place.
var dates = []string{http.TimeFormat, time.RFC1123Z, "20060102T150405Z"}

// date is the date that is signed: what stands in the date's line, which is empty if the
// vendor's own header is there, and the time.
func (h *headers) date() (text string, at time.Time, err error) {
	value := h.httpDate.value
	text = value
	switch {
	case h.ownDate.there:
		text, value = "", h.ownDate.value
	case !h.httpDate.there:
		return "", at, malformed(CodeMissingDate, "the request must have a Date header, like Sun, 22 Nov 2026 04:45:21 GMT")
	}
	for _, layout := range dates {
		if at, err = time.Parse(layout, value); err == nil {
			return text, at, nil
		}
	}
	return "", at, malformed(CodeDate, "the date must be like Sun, 22 Nov 2026 04:45:21 GMT")
}

// digest says whether the body is signed by its MD5, and holds that it is the body's. A
// body that is not at hand is not signed as far as anybody can say.
func (h *headers) digest(r *dialect.Request) (signed bool, err error) {
	if h.contentMD5.value == "" || r.BodySum != nil {
		return false, nil
	}
	sum, err := base64.StdEncoding.DecodeString(h.contentMD5.value)
	switch {
	case err != nil || len(sum) != md5.Size:
		return false, malformed(CodeDigestForm, "Content-MD5 must be the base64 of 16 bytes")
	case [md5.Size]byte(sum) != md5.Sum(r.Body):
		return false, malformed(CodeDigest, "Content-MD5 is not the MD5 of the body that arrived")
	}
	return true, nil
}

// signed are the names of the headers that are covered.
func (h *headers) signed(presigned bool) []string {
	names := make([]string, 0, 3+len(h.prefixed))
	if h.contentMD5.there {
		names = append(names, "content-md5")
	}
	if h.contentType.there {
		names = append(names, "content-type")
	}
	if h.httpDate.there && !h.ownDate.there && !presigned {
		names = append(names, "date")
	}
	for _, f := range h.prefixed {
		names = append(names, f.Name)
	}
	return names
}

func (h *headers) append(b []byte) []byte {
	for _, f := range h.prefixed {
		b = append(append(b, f.Name...), ':')
		b = append(append(b, f.Value...), '\n')
	}
	return b
}
