package alibaba

import (
	"errors"

	"github.com/keyledger/keyledger/services/dialect"
)

// appendPairs appends the parameters of a query or a form.
func appendPairs(pairs []dialect.Parameter, raw string) ([]dialect.Parameter, error) {
	pairs, err := dialect.AppendParameters(pairs, raw, maxParameters)
	switch {
	case errors.Is(err, dialect.ErrTooMany):
		return nil, malformed(CodeParameters, "the request has more than 512 parameters")
	case err != nil:
		return nil, malformed(CodeEncoding, err.Error())
	}
	return pairs, nil
}

// sortPairs sorts parameters by name, and refuses a name that is there twice.
func sortPairs(pairs []dialect.Parameter) error {
	if !dialect.SortParameters(pairs) {
		return malformed(CodeDuplicateParameter, "a parameter is given more than once; give each once")
	}
	return nil
}

// peek is the value of the first parameter of that name, unescaped.
func peek(raw, name string) (string, bool) {
	value, there := dialect.Peek(raw, name)
	if !there {
		return "", false
	}
	return dialect.Unescape(value)
}
