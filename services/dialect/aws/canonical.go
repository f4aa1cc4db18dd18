package aws

import (
	"cmp"
	"slices"
	"strings"

	"github.com/keyledger/keyledger/services/dialect"
)

// appendCanonical appends the canonical request: method, path, query, headers,
// their names, payload, each on a line of its own. The query is as the given
// function writes it.
func (a *assertion) appendCanonical(b []byte, r *dialect.Request, query func([]byte, []pair) []byte) ([]byte, error) {
	b = append(append(b, r.Method...), '\n')
	b, err := a.appendPath(b, r.Path())
	if err != nil {
		return nil, err
	}
	b = query(append(b, '\n'), a.query)
	b = append(b, '\n')
	for _, name := range a.names {
		if b, err = a.appendHeader(b, r, name); err != nil {
			return nil, err
		}
	}
	b = append(b, '\n')
	b = append(append(b, a.nameList...), '\n')
	return a.payload.append(b), nil
}

// appendPath appends the path, percent-encoded once for S3, where "//" and
// ".." are kept, and once more than it was sent for every other service.
func (a *assertion) appendPath(b []byte, path string) ([]byte, error) {
	if a.service != serviceS3 {
		for i := range len(path) { // a percent sign is a byte like any other
			if path[i] == '/' {
				b = append(b, '/')
			} else {
				b = dialect.AppendByte(b, path[i])
			}
		}
		return b, nil
	}
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '/':
			b = append(b, c)
		case c != '%':
			b = dialect.AppendByte(b, c)
		default:
			decoded, ok := dialect.Escape(path[i:])
			if !ok {
				return nil, errEncoding("path")
			}
			b = dialect.AppendByte(b, decoded)
			i += 2
		}
	}
	return b, nil
}

// A pair is one query parameter, both sides percent-encoded the canonical way.
type pair struct{ name, value string }

// parseQuery returns the parameters of a raw query in canonical order: by
// name, then by value, as encoded. A parameter without "=" has an empty value;
// empty parameters are passed over, as every query parser does.
func parseQuery(raw string) ([]pair, error) {
	if raw == "" {
		return nil, nil
	}
	pairs := make([]pair, 0, 1+strings.Count(raw, "&"))
	for param := range strings.SplitSeq(raw, "&") {
		if param == "" {
			continue
		}
		name, value, _ := strings.Cut(param, "=")
		name, nameOK := canonicalPart(name)
		value, valueOK := canonicalPart(value)
		if !nameOK || !valueOK {
			return nil, errEncoding("query")
		}
		pairs = append(pairs, pair{name, value})
	}
	slices.SortFunc(pairs, func(x, y pair) int {
		return cmp.Or(strings.Compare(x.name, y.name), strings.Compare(x.value, y.value))
	})
	return pairs, nil
}

func appendQuery(b []byte, pairs []pair) []byte {
	for i, p := range pairs {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(append(b, p.name...), '=')
		b = append(b, p.value...)
	}
	return b
}

// isCanonical reports whether raw is what appendQuery would make of it.
func isCanonical(pairs []pair, raw string) bool {
	for i, p := range pairs {
		var ok [4]bool
		raw, ok[0] = strings.CutPrefix(raw, p.name)
		raw, ok[1] = strings.CutPrefix(raw, "=")
		raw, ok[2] = strings.CutPrefix(raw, p.value)
		ok[3] = i == len(pairs)-1
		if !ok[3] {
			raw, ok[3] = strings.CutPrefix(raw, "&")
		}
		if ok != [4]bool{true, true, true, true} {
			return false
		}
	}
	return raw == ""
}

// canonicalPart decodes one side of a query parameter and encodes it the
// canonical way. A plus sign is a space. It returns s itself if that is how it
// already is.
func canonicalPart(s string) (string, bool) {
	plain := 0
	for plain < len(s) && dialect.Unreserved(s[plain]) {
		plain++
	}
	if plain == len(s) {
		return s, true
	}
	b, ok := dialect.AppendPart(make([]byte, 0, len(s)+16), s, dialect.Once)
	return string(b), ok
}

// appendHeader appends one header as name:value, the values of several lines
// joined by commas.
func (a *assertion) appendHeader(b []byte, r *dialect.Request, name string) ([]byte, error) {
	found := false
	for i := range r.Header {
		f := &r.Header[i]
		if !f.Named(name) {
			continue
		}
		if !found {
			b = append(append(b, name...), ':')
		} else {
			b = append(b, ',')
		}
		if found = true; a.spaced {
			b = append(b, strings.Trim(f.Value, " \t")...)
		} else {
			b = appendCollapsed(b, f.Value)
		}
	}
	if !found {
		return nil, malformed(CodeHeaderMissing, quoted(name)+" is among SignedHeaders and not in the request; a proxy may have removed it")
	}
	return append(b, '\n'), nil
}

// appendCollapsed appends a header value without the space around it, and with
// runs of spaces inside it made one.
func appendCollapsed(b []byte, value string) []byte {
	value = strings.Trim(value, " \t")
	for {
		i := strings.Index(value, "  ")
		if i < 0 {
			return append(b, value...)
		}
		b = append(append(b, value[:i]...), ' ')
		value = strings.TrimLeft(value[i:], " ")
	}
}

func errEncoding(where string) error {
	return malformed(CodeEncoding, "the "+where+" has a percent sign that is not followed by two hexadecimal digits")
}
