package huawei

import (
	"cmp"
	"slices"
	"strings"

	"github.com/keyledger/keyledger/services/dialect"
)

// appendCanonical appends the canonical request: method, path, query, headers,
// their names, payload, each on a line of its own.
func (a *assertion) appendCanonical(b []byte, r *dialect.Request) ([]byte, error) {
	b = append(append(b, r.Method...), '\n')
	b, ok := appendPath(b, r.Path())
	if !ok {
		return nil, errEncoding("path")
	}
	var room [16]pair
	query, ok := appendPairs(room[:0], r.Query())
	if !ok {
		return nil, errEncoding("query")
	}
	b = append(appendQuery(append(b, '\n'), query), '\n')
	for name, rest, _ := dialect.Cut(a.names, ';'); name != ""; name, rest, _ = dialect.Cut(rest, ';') {
		value, err := signedHeader(r, name)
		if err != nil {
			return nil, err
		}
		b = append(append(b, name...), ':')
		b = append(append(b, value...), '\n')
	}
	b = append(b, '\n')
	b = append(append(b, a.names...), '\n')
	return a.payload.append(b), nil
}

// appendPath appends the path: each byte decoded and encoded again, whatever the client
// left as it was, and a slash at its end.
func appendPath(b []byte, path string) ([]byte, bool) {
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '/':
			b = append(b, '/')
		case c != '%':
			b = dialect.AppendByte(b, c)
		default:
			decoded, ok := dialect.Escape(path[i:])
			if !ok {
				return nil, false
			}
			b = dialect.AppendByte(b, decoded)
			i += 2
		}
	}
	if !strings.HasSuffix(path, "/") {
		b = append(b, '/')
	}
	return b, true
}

// A pair is one query parameter, decoded.
type pair struct{ name, value string }

// appendPairs appends the parameters of a raw query, and sorts them all as the vendor's signers order
// them: by name, then by value, decoded. A parameter without "=" has an empty value; empty
// parameters are passed over, as every query parser does.
func appendPairs(pairs []pair, raw string) ([]pair, bool) {
	for raw != "" {
		var param string
		if param, raw, _ = dialect.Cut(raw, '&'); param == "" {
			continue
		}
		name, value, _ := dialect.Cut(param, '=')
		name, nameOK := dialect.Unescape(name)
		value, valueOK := dialect.Unescape(value)
		if !nameOK || !valueOK {
			return nil, false
		}
		pairs = append(pairs, pair{name, value})
	}
	slices.SortFunc(pairs, func(x, y pair) int {
		return cmp.Or(strings.Compare(x.name, y.name), strings.Compare(x.value, y.value))
	})
	return pairs, true
}

func appendQuery(b []byte, pairs []pair) []byte {
	for i, p := range pairs {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(dialect.AppendEscaped(b, p.name, dialect.Once), '=')
		b = dialect.AppendEscaped(b, p.value, dialect.Once)
	}
	return b
}

// signedHeader is the value of a header that is signed, without the space around it.
func signedHeader(r *dialect.Request, name string) (string, error) {
	value, found := "", false
	for i := range r.Header {
		f := &r.Header[i]
		if !f.Named(name) {
			continue
		}
		if found {
			return "", malformed(CodeDuplicateHeader, "the request has "+quoted(name)+" more than once; send it once")
		}
		value, found = strings.Trim(f.Value, " \t"), true
	}
	if !found {
		return "", malformed(CodeHeaderMissing, quoted(name)+" is among SignedHeaders and not in the request; a proxy may have removed it")
	}
	return value, nil
}

func errEncoding(where string) error {
	return malformed(CodeEncoding, "the "+where+" has a percent sign that is not followed by two hexadecimal digits")
}
