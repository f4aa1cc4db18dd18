package alibaba

import "strings"

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
func appendEncoded(b []byte, s string) []byte { return appendEscaped(b, s, "%") }

// appendTwice appends s percent-encoded, and that percent-encoded again.
func appendTwice(b []byte, s string) []byte { return appendEscaped(b, s, "%25") }

// appendEscaped appends s with what is not unreserved as two digits behind mark. Most values are
// unreserved throughout: what is goes over in one piece.
func appendEscaped(b []byte, s, mark string) []byte {
	from := 0
	for i := range len(s) {
		if c := s[i]; !unreserved[c] {
			b = append(append(b, s[from:i]...), mark...)
			b = append(b, upperHex[c>>4], upperHex[c&15])
			from = i + 1
		}
	}
	return append(b, s[from:]...)
}

// decode decodes one side of a parameter: a plus sign is a space. It returns s itself where
// there is nothing to decode.
func decode(s string) (string, bool) {
	plain := strings.IndexByte(s, '%')
	if plus := strings.IndexByte(s, '+'); plain < 0 || plus >= 0 && plus < plain {
		plain = plus
	}
	if plain < 0 {
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
	d := hexDigits[c]
	return d & 15, d < 32
}

// hexDigits are the values of hexadecimal digits, of those in upper case plus 16.
var hexDigits = func() (values [256]byte) {
	for c := range values {
		values[c] = 255
	}
	for i := range byte(16) {
		values["0123456789abcdef"[i]], values[upperHex[i]] = i, i
	}
	for i := byte(10); i < 16; i++ {
		values[upperHex[i]] = i + 16
	}
	return values
}()

// decodeHex decodes hexadecimal digits in lower case, of which there are twice as many as
// dst is long.
func decodeHex(dst []byte, text string) bool {
	bad := byte(0)
	for i := range dst {
		high, low := hexDigits[text[2*i]], hexDigits[text[2*i+1]]
		bad |= high | low
		dst[i] = high<<4 | low&15
	}
	return bad < 16
}
