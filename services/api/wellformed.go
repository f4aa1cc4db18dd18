package api

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// wellFormed refuses a request that two readers could read differently: what was
// signed, what is recorded and what is carried out must be one thing. JSON that cannot be
// read at all is refused where it is read.
func wellFormed(r *http.Request, body []byte) *Problem {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return problem(http.StatusBadRequest, codeMalformed, "the query is not name=value pairs joined by '&', percent-encoded")
	}
	for name, v := range values {
		if len(v) > 1 {
			return problem(http.StatusUnprocessableEntity, codeInvalid, "the query has the parameter "+strconv.Quote(name)+" more than once; give it once")
		}
	}
	if p := inJSON(r.Header, body); p != nil {
		return p
	}
	switch {
	case !utf8.Valid(body), halfSurrogate(body):
		return problem(http.StatusBadRequest, codeMalformed, "the body is not valid UTF-8, or escapes half a character")
	case repeatsName(body):
		return problem(http.StatusBadRequest, codeMalformed, "an object in the body has two members of one name; give each once")
	}
	return nil
}

// inJSON refuses a body that is not called JSON, and leaves in the head the words of the framework alone: it compares media
// types by case, which they have none of (RFC 9110 section 8.3.1), and panics at some that are accepted. Whatever is
// accepted is answered in JSON, but for following events.
func inJSON(h http.Header, body []byte) *Problem {
	accepts := strings.ToLower(strings.Join(h["Accept"], ","))
	h.Del("Accept")
	if acceptsLines(accepts) {
		h.Set("Accept", mediaLines)
	}
	sent := h["Content-Type"]
	if len(body) == 0 || len(sent) == 0 {
		return nil
	}
	media, _, err := mime.ParseMediaType(sent[0])
	if err != nil || len(sent) > 1 || media != "application/json" && !strings.HasSuffix(media, "+json") {
		return problem(http.StatusUnsupportedMediaType, codeUnsupported, "the body is not called JSON: send it with the header Content-Type: application/json, once")
	}
	h.Set("Content-Type", "application/json")
	return nil
}

// straight says whether a path is as it would be after cleaning. One that is not is
// nobody's: a redirect would break its signature.
func straight(p string) bool {
	clean := path.Clean(p)
	return p == clean || p == clean+"/"
}

// repeatsName says whether any object has two members of one name, however
// the name is written. It stands in the way of every request: a reader of tokens would take as
// long as all else that is done with the body.
func repeatsName(body []byte) bool {
	if !json.Valid(body) {
		return false
	}
	var room [8]object
	open := room[:0]
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '{':
			open = append(open, object{})
		case '[':
			open = append(open, object{list: true})
		case '}', ']':
			open = open[:len(open)-1]
		case ',':
			open[len(open)-1].named = false
		case '"':
			text := body[i : i+quoted(body[i:])]
			i += len(text) - 1
			if len(open) > 0 && open[len(open)-1].twice(text) {
				return true
			}
		}
	}
	return false
}

// quoted is the length of the string that valid JSON begins with, quotes included.
func quoted(b []byte) int {
	for i := 1; ; i++ {
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
}

// An object is one whose members are being read.
type object struct {
	few   [6][]byte       // the first names
	names map[string]bool // the others
	n     int             // how many there are
	named bool            // a name was read; the next comma ends its value
	list  bool            // it is none, but a list
}

// twice says whether a quoted text is a name that was there before.
func (o *object) twice(text []byte) bool {
	if o.list || o.named {
		return false
	}
	name := text[1 : len(text)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		var plain string
		_ = json.Unmarshal(text, &plain) // it is valid
		name = []byte(plain)
	}
	before := o.has(name)
	o.named = true
	if o.n < len(o.few) {
		o.few[o.n] = name
	} else {
		if o.names == nil {
			o.names = map[string]bool{}
		}
		o.names[string(name)] = true
	}
	o.n++
	return before
}

func (o *object) has(name []byte) bool {
	for _, other := range o.few[:min(o.n, len(o.few))] {
		if bytes.Equal(other, name) {
			return true
		}
	}
	return o.names[string(name)]
}

// halfSurrogate says whether an escape stands for half a character, which
// decoders replace without a word.
func halfSurrogate(body []byte) bool {
	for {
		i := bytes.IndexByte(body, '\\')
		if i < 0 {
			return false
		}
		r, n := escaped(body[i:])
		low, m := escaped(body[i+n:])
		switch {
		case !utf16.IsSurrogate(r):
			m = 0
		case utf16.DecodeRune(r, low) == utf8.RuneError:
			return true
		}
		body = body[i+n+m:]
	}
}

// escaped is the \u escape that b begins with and its length. Any other escape is
// zero and of two bytes, and no escape at all of none.
func escaped(b []byte) (r rune, n int) {
	switch {
	case len(b) == 0 || b[0] != '\\':
		return 0, 0
	case len(b) < 6 || b[1] != 'u':
		return 0, min(2, len(b))
	}
	code, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	if err != nil {
		return 0, 2
	}
	return rune(code), 6
}
