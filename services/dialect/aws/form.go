package aws

import (
	"net/http"
	"strings"

	"github.com/keyledger/keyledger/services/dialect"
)

// maxForm bounds a form, in bytes as sent; no request of these APIs needs more
// than one kilobyte.
const maxForm = 64 << 10

// A form is the parameters of a Query API request, each name once.
type form map[string]string

// readForm takes parameters from the query and, of a POST, from the body. A
// name given twice is refused: two readers could otherwise see two requests.
func readForm(r *dialect.Request) (form, error) {
	texts := [2]string{r.Query()}
	if r.Method == http.MethodPost {
		texts[1] = string(r.Body)
	}
	if len(texts[0])+len(texts[1]) > maxForm {
		return nil, &refusal{http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "The parameters are longer than 65536 bytes."}
	}
	f := form{}
	for _, text := range texts {
		if err := f.add(text); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f form) add(text string) error {
	for param := range strings.SplitSeq(text, "&") {
		if param == "" {
			continue
		}
		name, value, _ := strings.Cut(param, "=")
		name, nameOK := dialect.Unescape(name)
		value, valueOK := dialect.Unescape(value)
		if !nameOK || !valueOK {
			return &refusal{http.StatusBadRequest, "MalformedQueryString", "The parameters contain a percent sign that is not followed by two hexadecimal digits."}
		}
		if _, twice := f[name]; twice {
			return &refusal{http.StatusBadRequest, "InvalidParameterCombination", "A parameter was given more than once."}
		}
		f[name] = value
	}
	return nil
}
