package tencent

import (
	"net/http"
	"slices"
	"strings"

	"github.com/keyledger/keyledger/services/dialect"
)

// maxParameters bounds the work that an unknown caller can ask for.
const maxParameters = 1024

// A pair is one parameter, decoded.
type pair struct{ name, value string }

// parseForm reads name=value pairs joined by '&', percent-encoded, and returns them by name, in
// room if they fit. A name given twice is refused: two readers could otherwise see two requests.
func parseForm(text string, room []pair) ([]pair, error) {
	pairs := room[:0]
	for text != "" {
		var param string
		if param, text, _ = cut(text, '&'); param == "" {
			continue
		}
		if len(pairs) == maxParameters {
			return nil, malformed(CodeTooMany, "a request may have at most 1024 parameters")
		}
		name, value, _ := cut(param, '=')
		name, nameOK := formPart(name)
		value, valueOK := formPart(value)
		switch {
		case !nameOK || !valueOK:
			return nil, malformed(CodeEncoding, "the parameters have a percent sign that is not followed by two hexadecimal digits")
		case !parameterName(name):
			return nil, malformed(CodeParameterName, "a parameter's name must be of letters, digits, '.', '_' and '-'")
		}
		pairs = append(pairs, pair{name, value})
	}
	if ascending(pairs) {
		return pairs, nil // as clients often send them
	}
	slices.SortFunc(pairs, func(x, y pair) int { return strings.Compare(x.name, y.name) })
	for i := range max(len(pairs), 1) - 1 {
		if pairs[i].name == pairs[i+1].name {
			return nil, malformed(CodeDuplicateParameter, "the parameter "+quotedName(pairs[i].name)+" was given more than once; give it once")
		}
	}
	return pairs, nil
}

// ascending says whether each name is behind the one before it.
func ascending(pairs []pair) bool {
	for i := 1; i < len(pairs); i++ {
		if pairs[i].name <= pairs[i-1].name {
			return false
		}
	}
	return true
}

// cut is strings.Cut at one character, which takes half the time.
func cut(s string, at byte) (before, after string, found bool) {
	if i := strings.IndexByte(s, at); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

func quotedName(name string) string {
	if len(name) > 64 {
		return "of a long name"
	}
	return "`" + name + "`"
}

func parameterName(s string) bool {
	for i := range len(s) {
		if !nameBytes[s[i]] {
			return false
		}
	}
	return s != ""
}

var nameBytes = func() (set [256]bool) {
	for c := range set {
		set[c] = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-'
	}
	return set
}()

// formPart decodes one side of a parameter. Clients write a space either way, as a plus sign or as %20.
func formPart(s string) (string, bool) {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b = append(b, ' ')
		case s[i] != '%':
			b = append(b, s[i])
		case i+2 >= len(s):
			return "", false
		default:
			high, low := hexDigit(s[i+1]), hexDigit(s[i+2])
			if high < 0 || low < 0 {
				return "", false
			}
			b = append(b, byte(high<<4|low))
			i += 2
		}
	}
	return string(b), true
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
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

// peek returns the value of the first parameter of that name, without reading the rest: enough to tell
// what a request wants to be.
func peek(text, name string) (string, bool) {
	for param := range strings.SplitSeq(text, "&") {
		if n, value, _ := strings.Cut(param, "="); n == name {
			return formPart(value)
		}
	}
	return "", false
}
