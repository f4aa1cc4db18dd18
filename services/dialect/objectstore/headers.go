package objectstore

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/keyledger/keyledger/services/dialect"
)

// headers is what is signed of the header.
type headers struct {
	contentMD5, contentType, httpDate, ownDate line
	token                                      string
}

// An ownHeader is a header of the vendor's own.
type ownHeader struct {
	name  []byte // lower case
	value string
}

// A line is a header that may be there once.
type line struct {
	value string // without the space around it
	there bool
}

// read reads the header, and returns the vendor's own, in room if they fit.
func (h *headers) read(r *dialect.Request, s *dialect.Scratch, prefix string, room []ownHeader) ([]ownHeader, error) {
	own := room[:0]
	for i := range r.Header {
		f := &r.Header[i]
		ours := hasPrefix(f.Name, prefix)
		into := h.line(f)
		if ours {
			into = h.ownLine(f.Name[len(prefix):])
		}
		if into == nil && !ours {
			continue
		}
		value := strings.Trim(f.Value, " \t")
		if into != nil {
			if into.there {
				return nil, malformed(CodeDuplicateHeader, "the request has "+strconv.Quote(strings.ToLower(f.Name))+" more than once; send it once")
			}
			*into = line{value, true}
		}
		if ours {
			own = append(own, ownHeader{lower(s.Bytes(len(f.Name)), f.Name), value})
		}
	}
	own = join(own)
	for i := range own {
		if f := &own[i]; string(f.name[len(prefix):]) == tokenName {
			h.token = f.value
		}
	}
	return own, nil
}

// lower appends a name in lower case.
func lower(b []byte, name string) []byte {
	for i := range len(name) {
		c := name[i]
		if c >= utf8.RuneSelf { // not a header that anybody sends
			return append(b[:0], strings.ToLower(name)...)
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}

// tokenName is what follows the prefix in the name of the header, and of the parameter, of temporary
// credentials.
const tokenName = "security-token"

// hasPrefix reports whether name goes on behind prefix.
func hasPrefix(name, prefix string) bool {
	return len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix)
}

// join sorts the vendor's own headers, and makes lines of one name one.
func join(all []ownHeader) []ownHeader {
	slices.SortStableFunc(all, func(x, y ownHeader) int { return bytes.Compare(x.name, y.name) })
	joined := all[:0]
	for _, f := range all {
		if n := len(joined); n > 0 && bytes.Equal(joined[n-1].name, f.name) {
			joined[n-1].value += "," + f.value
		} else {
			joined = append(joined, f)
		}
	}
	return joined
}

// line returns where a header of HTTP's belongs, or nil.
func (h *headers) line(f *dialect.Field) *line {
	switch {
	case f.Named("Date"):
		return &h.httpDate
	case f.Named("Content-Md5"):
		return &h.contentMD5
	case f.Named("Content-Type"):
		return &h.contentType
	}
	return nil
}

// ownLine returns where the vendor's header belongs that goes on so behind the prefix, or nil.
func (h *headers) ownLine(name string) *line {
	if strings.EqualFold(name, "date") {
		return &h.ownDate
	}
	return nil
}

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
	at, ok := parseDate(value)
	if !ok {
		return "", at, malformed(CodeDate, "the date must be like Sun, 22 Nov 2026 04:45:21 GMT")
	}
	return text, at, nil
}

// parseDate reads a date as HTTP has it, or as Signature Version 4 has it, where the vendor's own header takes the date's
// place.
func parseDate(text string) (time.Time, bool) {
	if at, ok := parseHTTPDate(text); ok {
		return at, true
	}
	for _, layout := range [...]string{http.TimeFormat, time.RFC1123Z, "20060102T150405Z"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

const (
	months = "JanFebMarAprMayJunJulAugSepOctNovDec"
	days   = "MonTueWedThuFriSatSun"
)

// parseHTTPDate reads what every client sends, like "Sun, 22 Nov 2026 04:45:21 GMT": with the month in digits, and
// without the day's name, it is of a fixed form.
func parseHTTPDate(text string) (time.Time, bool) {
	text, gmt := strings.CutSuffix(text, " GMT")
	if !gmt || len(text) != len("Sun, 22 Nov 2026 04:45:21") {
		return time.Time{}, false
	}
	month, day := strings.Index(months, text[8:11]), strings.Index(days, text[:3])
	if month < 0 || month%3 > 0 || day < 0 || day%3 > 0 {
		return time.Time{}, false
	}
	var room [32]byte
	b := append(room[:0], text[3:]...)
	month = month/3 + 1
	b[5], b[6], b[7] = '-', byte('0'+month/10), byte('0'+month%10)
	return dialect.ParseStamp(", DD -MM YYYY hh:mm:ss", string(b))
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

// signed are the names of the headers that are covered, joined by semicolons.
func (h *headers) signed(own []ownHeader, presigned bool) string {
	var room [256]byte
	b := room[:0]
	if h.contentMD5.there {
		b = append(b, ";content-md5"...)
	}
	if h.contentType.there {
		b = append(b, ";content-type"...)
	}
	if h.httpDate.there && !h.ownDate.there && !presigned {
		b = append(b, ";date"...)
	}
	for i := range own {
		b = append(append(b, ';'), own[i].name...)
	}
	return string(b[min(1, len(b)):])
}

func appendOwn(b []byte, own []ownHeader) []byte {
	for i := range own {
		f := &own[i]
		b = append(append(b, f.name...), ':')
		b = append(append(b, f.value...), '\n')
	}
	return b
}
