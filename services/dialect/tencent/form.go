package tencent

import (
	"errors"
	"net/http"
	"strings"

	"github.com/keyledger/keyledger/services/dialect"
)

// maxParameters bounds the work that an unknown caller can ask for.
const maxParameters = 1024

// parseForm reads the parameters of a query or a form, and returns them by name, in room if they fit. A name given twice is refused: two
// readers could otherwise see two requests.
func parseForm(text string, room []dialect.Parameter) ([]dialect.Parameter, error) {
	pairs, err := dialect.AppendParameters(room[:0], text, maxParameters)
	switch {
	case errors.Is(err, dialect.ErrTooMany):
		return nil, malformed(CodeTooMany, "a request may have at most 1024 parameters")
	case err != nil:
		return nil, malformed(CodeEncoding, "the parameters have a percent sign that is not followed by two hexadecimal digits")
	}
	for i := range pairs {
		if p := &pairs[i]; !parameterName(p.Name, p.Clean) {
			return nil, malformed(CodeParameterName, "a parameter's name must be of letters, digits, '.', '_' and '-'")
		}
	}
	if !dialect.SortParameters(pairs) {
		return nil, malformed(CodeDuplicateParameter, "the parameter "+quotedName(twice(pairs))+" was given more than once; give it once")
	}
	return pairs, nil
}

// twice is the first name that is there more than once.
func twice(sorted []dialect.Parameter) string {
	for i := range len(sorted) - 1 {
		if sorted[i].Name == sorted[i+1].Name {
			return sorted[i].Name
		}
	}
	return ""
}

func quotedName(name string) string {
	if len(name) > 64 {
		return "of a long name"
	}
	return "`" + name + "`"
}

// parameterName says whether a parameter can have that name. Most names are clean: of unreserved bytes throughout.
func parameterName(s string, clean bool) bool {
	if clean {
		return s != "" && strings.IndexByte(s, '~') < 0
	}
	for i := range len(s) {
		if c := s[i]; !dialect.Unreserved(c) || c == '~' {
			return false
		}
	}
	return s != ""
}

// formText is where the parameters of a form are: in the body of a POST, else in the query.
func formText(r *dialect.Request) string {
	if r.Method != http.MethodPost {
		return r.Query()
	}
	if !isForm(r) {
		return ""
	}
	return string(r.Body)
}

func isForm(r *dialect.Request) bool {
	const form = "application/x-www-form-urlencoded"
	kind := r.Get("Content-Type")
	if kind == form {
		return true
	}
	kind, _, _ = strings.Cut(kind, ";")
	return strings.EqualFold(strings.Trim(kind, " \t"), form)
}

// peek is the value of the first parameter of that name, unescaped, without reading the rest: enough to tell
// what a request wants to be.
func peek(text, name string) (string, bool) {
	value, there := dialect.Peek(text, name)
	if !there {
		return "", false
	}
	return dialect.Unescape(value)
}
