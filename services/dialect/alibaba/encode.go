package alibaba

// unreserved are the bytes that RFC 3986 section 2.3 leaves alone.
var unreserved = func() (set [256]bool) {
	for c := range set {
		set[c] = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
			c == '-' || c == '.' || c == '_' || c == '~'
	}
	return set
}()

const upperHex = "0123456789ABCDEF"

// appendEncoded appends s percent-encoded.
func appendEncoded(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; unreserved[c] {
			b = append(b, c)
		} else {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return b
}

// appendTwice appends s percent-encoded, and that percent-encoded again.
func appendTwice(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; unreserved[c] {
			b = append(b, c)
		} else {
			b = append(b, '%', '2', '5', upperHex[c>>4], upperHex[c&15])
		}
	}
	return b
}

// decode decodes one side of a parameter: a plus sign is a space. It returns s itself where
// there is nothing to decode.
func decode(s string) (string, bool) {
	plain := 0
	for plain < len(s) && s[plain] != '%' && s[plain] != '+' {
		plain++
	}
	if plain == len(s) {
		return s, true
	}
	b := append(make([]byte, 0, len(s)), s[:plain]...)
	for i := plain; i < len(s); i++ {
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

// unescape decodes the escape that s begins with.
func unescape(s string) (byte, bool) {
	if len(s) < 3 {
		return 0, false
	}
	high, ok1 := hexDigit(s[1])
	low, ok2 := hexDigit(s[2])
	return high<<4 | low, ok1 && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
