package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"path"
	"strconv"
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
	switch {
	case !utf8.Valid(body), halfSurrogate(body):
		return problem(http.StatusBadRequest, codeMalformed, "the body is not valid UTF-8, or escapes half a character")
	case repeatsName(body):
		return problem(http.StatusBadRequest, codeMalformed, "an object in the body has two members of one name; give each once")
	}
	return nil
}

// straight says whether a path is as it would be after cleaning. One that is not is
// nobody's: a redirect would break its signature.
func straight(p string) bool {
	clean := path.Clean(p)
	return p == clean || p == clean+"/"
}

// repeatsName says whether any object has two members of one name, however
// the name is written.
func repeatsName(body []byte) bool {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var open []*object
	for {
		t, err := d.Token()
		if err != nil {
			return false // the end, or not JSON
		}
		in := (*object)(nil)
		if len(open) > 0 {
			in = open[len(open)-1]
		}
		switch t := t.(type) {
		case json.Delim:
			if t == '}' || t == ']' {
				open = open[:len(open)-1]
				continue
			}
			in.value()
			open = append(open, opened(t))
		case string:
			if in.twice(t) {
				return true
			}
		default:
			in.value()
		}
	}
}

// An object is one whose members are being read; nil is a list.
type object struct {
	names map[string]bool
	named bool // a name was read, and its value comes next
}

func opened(d json.Delim) *object {
	if d == '[' {
		return nil
	}
	return &object{names: map[string]bool{}}
}

func (o *object) value() {
	if o != nil {
		o.named = false
	}
}

// twice says whether a text is a name that was there before.
func (o *object) twice(text string) bool {
	if o == nil || o.named {
		o.value()
		return false
	}
	before := o.names[text]
	o.names[text], o.named = true, true
	return before
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
