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
}

// Value is the value unescaped.
func (p *Parameter) Value() string {
	if p.Plain {
		return p.Raw
	}
	value, _ := Unescape(p.Raw)
	return value
}

// Errors of [AppendParameters].
var (
	ErrEscape  = errors.New("a parameter has a percent sign that is not followed by two hexadecimal digits")
	ErrTooMany = errors.New("too many parameters")
)

// AppendParameters appends the parameters of a raw query or form, in their order. One without "=" has an empty value; empty
// ones are passed over, as every parser of forms does. There may be no more than most in all.
func AppendParameters(to []Parameter, raw string, most int) ([]Parameter, error) {
	percent, plus := ahead{'%', -1}, ahead{'+', -1}
	for at, end := 0, 0; at < len(raw); at = end + 1 {
		if end = strings.IndexByte(raw[at:], '&') + at; end < at {
			end = len(raw)
		}
		if end == at {
			continue
		}
		if len(to) == most {
			return nil, ErrTooMany
		}
		var p Parameter
		p.Name, p.Raw, _ = Cut(raw[at:end], '=')
		if p.Plain = !percent.before(raw, at, end) && !plus.before(raw, at, end); !p.Plain && !p.unescape() {
			return nil, ErrEscape
		}
		to = append(to, p)
	}
	return to, nil
}

// unescape unescapes the name, and says whether every escape of the parameter is one.
func (p *Parameter) unescape() (ok bool) {
	p.Name, ok = Unescape(p.Name)
	p.Plain = strings.IndexByte(p.Raw, '%') < 0 && strings.IndexByte(p.Raw, '+') < 0
	return ok && Escapes(p.Raw)
}

// An ahead is where a character comes next. Most parameters have none of those that are looked for: so the text
// is searched once for each that there is, and not for each parameter.
type ahead struct {
	c  byte
	at int
}

// before says whether the character comes in raw from one place and before another. Places only move on.
func (a *ahead) before(raw string, from, to int) bool {
	if a.at < from {
		if a.at = strings.IndexByte(raw[from:], a.c) + from; a.at < from {
			a.at = len(raw)
		}
	}
	return a.at < to
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
