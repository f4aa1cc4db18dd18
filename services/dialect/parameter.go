package dialect

import (
	"errors"
	"slices"
	"strings"
)

// A Parameter is one of a query or a form: its name unescaped, and its value as it was sent, with no broken escape. Most values need
// not be unescaped to be signed.
type Parameter struct {
	Name, Raw string
	Plain     bool // there is nothing to unescape in Raw
	Clean     bool // nor to escape, in either
}

// Value is the value unescaped.
func (p *Parameter) Value() string {
	if p.Plain {
		return p.Raw
	}
	value, _ := Unescape(p.Raw)
	return value
}

// AppendValue appends the value, unescaped and escaped again.
func (p *Parameter) AppendValue(b []byte, mark string) []byte {
	if p.Clean {
		return append(b, p.Raw...)
	}
	b, _ = AppendPart(b, p.Raw, mark)
	return b
}

// AppendUnescaped appends the value, unescaped.
func (p *Parameter) AppendUnescaped(b []byte) []byte {
	if p.Plain {
		return append(b, p.Raw...)
	}
	b, _ = AppendUnescaped(b, p.Raw)
	return b
}

// AppendName appends the name, escaped.
func (p *Parameter) AppendName(b []byte, mark string) []byte {
	if p.Clean {
		return append(b, p.Name...)
	}
	return AppendEscaped(b, p.Name, mark)
}

// Errors of [AppendParameters].
var (
	ErrEscape  = errors.New("a parameter has a percent sign that is not followed by two hexadecimal digits")
	ErrTooMany = errors.New("too many parameters")
)

// AppendParameters appends the parameters of a raw query or form, in their order. One without "=" has an empty value; empty
// ones are passed over, as every parser of forms does. There may be no more than most in all.
func AppendParameters(to []Parameter, raw string, most int) ([]Parameter, error) {
	for raw != "" {
		p := Parameter{Plain: true, Clean: true}
		equals, end := p.scan(raw)
		param := raw[:end]
		if raw = raw[min(end+1, len(raw)):]; param == "" {
			continue
		}
		if len(to) == most {
			return nil, ErrTooMany
		}
		p.Name, p.Raw = param[:equals], param[min(equals+1, end):]
		if !p.Plain && !p.unescape() {
			return nil, ErrEscape
		}
		to = append(to, p)
	}
	return to, nil
}

// scan finds where the first parameter of raw has its equals sign, or would have it, and where it ends, and marks what
// it is made of: most are letters and digits throughout, which are looked at but once.
func (p *Parameter) scan(raw string) (equals, end int) {
	equals = -1
	for ; end < len(raw); end++ {
		class := classes[raw[end]]
		if class == itself {
			continue
		}
		if class == ends {
			break
		}
		if class == equal && equals < 0 {
			equals = end
			continue
		}
		p.Clean = false
		p.Plain = p.Plain && class != escapes
	}
	if equals < 0 {
		equals = end
	}
	return equals, end
}

// What a byte is in a parameter.
const (
	itself = iota
	ends
	equal
	escapes // or begins an escape
	other
)

var classes = func() (of [256]byte) {
	for c := range of {
		if !unreserved[c] {
			of[c] = other
		}
	}
	of['&'], of['='], of['%'], of['+'] = ends, equal, escapes, escapes
	return of
}()

// unescape unescapes the name, and says whether every escape of the parameter is one.
func (p *Parameter) unescape() (ok bool) {
	p.Name, ok = Unescape(p.Name)
	p.Plain = strings.IndexByte(p.Raw, '%') < 0 && strings.IndexByte(p.Raw, '+') < 0
	return ok && Escapes(p.Raw)
}

// SortParameters sorts by name, and says whether each name is there but once: two readers could otherwise see two
// requests, and most signatures do not say which of two comes first.
func SortParameters(all []Parameter) (once bool) {
	if ascending(all) {
		return true // as clients often send them
	}
	slices.SortStableFunc(all, func(x, y Parameter) int { return strings.Compare(x.Name, y.Name) })
	return ascending(all)
}

func ascending(all []Parameter) bool {
	for i := 1; i < len(all); i++ {
		if all[i].Name <= all[i-1].Name {
			return false
		}
	}
	return true
}

// Peek is the value of the first parameter of that name, as it was sent, without reading the rest: enough to tell
// what a request wants to be.
func Peek(raw, name string) (value string, there bool) {
	for from := 0; ; {
		i := strings.Index(raw[from:], name)
		if i < 0 {
			return "", false
		}
		at, end := from+i, from+i+len(name)
		if at == 0 || raw[at-1] == '&' {
			if rest := raw[end:]; rest == "" || rest[0] == '&' {
				return "", true
			} else if rest[0] == '=' {
				value, _, _ = Cut(rest[1:], '&')
				return value, true
			}
		}
		from = end
	}
}
