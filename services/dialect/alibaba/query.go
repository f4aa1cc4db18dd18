package alibaba

import (
	"slices"
	"strings"
)

// A pair is one parameter, decoded.
type pair struct{ name, value string }

// appendPairs appends the parameters of a query or a form. One without "=" has an empty
// value; empty ones are passed over, as every parser of forms does.
func appendPairs(pairs []pair, raw string) ([]pair, error) {
	for raw != "" {
		var param string
		param, raw, _ = cut(raw, '&')
		if param == "" {
			continue
		}
		if len(pairs) == maxParameters {
			return nil, malformed(CodeParameters, "the request has more than 512 parameters")
		}
		name, value, _ := cut(param, '=')
		name, nameOK := decode(name)
		value, valueOK := decode(value)
		if !nameOK || !valueOK {
			return nil, malformed(CodeEncoding, "a parameter has a percent sign that is not followed by two hexadecimal digits")
		}
		pairs = append(pairs, pair{name, value})
	}
	return pairs, nil
}

// sortPairs sorts parameters by name, and refuses a name that is there twice: two readers
// could see two requests, and the signatures do not say which comes first.
func sortPairs(pairs []pair) error {
	if ascending(pairs) {
		return nil // as clients often send them
	}
	slices.SortFunc(pairs, func(x, y pair) int { return strings.Compare(x.name, y.name) })
	for i := 1; i < len(pairs); i++ {
		if pairs[i].name == pairs[i-1].name {
			return malformed(CodeDuplicateParameter, "a parameter is given more than once; give each once")
		}
	}
	return nil
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

// peek returns the value of the first parameter of that name, decoded, without reading the
// rest: enough to tell what a request wants to be.
func peek(raw, name string) (string, bool) {
	for raw != "" {
		var param string
		param, raw, _ = cut(raw, '&')
		if n, value, _ := cut(param, '='); n == name {
			return decode(value)
		}
	}
	return "", false
}

// cut is strings.Cut at one character, which takes half the time.
func cut(s string, at byte) (before, after string, found bool) {
	if i := strings.IndexByte(s, at); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}
