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
		name, nameOK := formPart(name)
		value, valueOK := formPart(value)
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

// formPart decodes one side of a form parameter. Clients write a space either
// way, as a plus sign or as %20.
func formPart(s string) (string, bool) {
	if !strings.ContainsAny(s, "%+") {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			b = append(b, ' ')
		case '%':
			c, ok := unescape(s[i:])
			if !ok {
				return "", false
			}
			b = append(b, c)
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	return string(b), true
}

// peek returns the raw value of the first parameter of that name, without
// reading the rest: enough to tell what a request wants to be.
func peek(text, name string) (string, bool) {
	for param := range strings.SplitSeq(text, "&") {
		if n, value, _ := strings.Cut(param, "="); n == name {
			return value, true
		}
	}
	return "", false
}
