package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzRequestID: whatever stands in the header, what comes out is an ID that
// a client may choose, and the text that the client wrote.
func FuzzRequestID(f *testing.F) {
	for _, s := range []string{"", `""`, `"`, `"a"`, "a", "a#b", " a", "a b", strings.Repeat("x", 128), strings.Repeat("x", 129), `"` + strings.Repeat("x", 128) + `"`, "ü", "\x00", `""a""`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := &http.Request{Header: http.Header{headerIdempotency: {text}}}
		id, p := requestID(r)
		if p != nil {
			if p.Status != http.StatusBadRequest || id != "" {
				t.Errorf("%q: %v and %q", text, p, id)
			}
			return
		}
		if err := id.Valid(); err != nil || strings.Contains(string(id), "#") {
			t.Errorf("%q: %q is no ID of a client: %v", text, id, err)
		}
		if string(id) != text && `"`+string(id)+`"` != text {
			t.Errorf("%q became %q", text, id)
		}
		r.Header.Add(headerIdempotency, text)
		if _, p := requestID(r); p == nil {
			t.Errorf("%q was taken twice", text)
		}
	})
}

// FuzzWellFormed: JSON that is let through means one thing: decoded and
// encoded again it has as many members as were written, and no character was replaced.
func FuzzWellFormed(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"a":1,"a":2}`, `{"a":{"a":1}}`, `[{"a":1},{"a":1}]`, `{"a":"a","b":["a","a"]}`, `{"a":1,"\u0061":2}`, `{"a":[],"a":[]}`,
		`"\ud83d\ude00"`, `"\ud83d"`, `"\ude00\ud83d"`, `"\\ud83d"`, `"\ud83d\n"`, `"\uD83D\u0041"`, `"\`, `"\u`, "\"\xff\"", `"\ufffd"`, "\"\ufffd\"", `{`, `null`, `{"":1,"":2}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := http.NewRequestWithContext(t.Context(), "POST", "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		p := wellFormed(r, body)
		if !json.Valid(body) {
			return
		}
		written := bytes.Count(body, []byte("\ufffd")) + bytes.Count(bytes.ToLower(body), []byte(`\ufffd`))
		replaced := 0
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		for {
			token, err := d.Token()
			if err != nil {
				break
			}
			if text, ok := token.(string); ok {
				replaced += strings.Count(text, "\ufffd")
			}
		}
		var v any
		if err := json.Unmarshal(body, &v); err != nil {
			return
		}
		lost := members(v) != colons(body) || replaced > written || !utf8.Valid(body)
		if p == nil && lost {
			t.Errorf("%q was let through and does not mean one thing", body)
		}
		if p != nil && !lost {
			t.Errorf("%q was refused: %v", body, p)
		}
	})
}

// members is how many members all objects of a value have.
func members(v any) int {
	n := 0
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			n += members(item)
		}
	case map[string]any:
		for _, item := range v {
			n += 1 + members(item)
		}
	}
	return n
}

// colons is how many stand outside of texts: one for each member that was
// written.
func colons(body []byte) int {
	n, in := 0, false
	for i := 0; i < len(body); i++ {
		switch {
		case in && body[i] == '\\':
			i++
		case body[i] == '"':
			in = !in
		case !in && body[i] == ':':
			n++
		}
	}
	return n
}
