package dialect

import "strings"

// Percent-encoding, as the canonical requests of most vendors have it: all but the unreserved bytes are escaped, by
// digits in upper case. What clients send is looser: an escape of either case wherever they like and, in a query or a form, a plus
// sign for a space. https://www.rfc-editor.org/rfc/rfc3986 section 2

// Unreserved says whether a byte stands for itself: a letter, a digit, '-', '.', '_' or '~'.
func Unreserved(c byte) bool { return unreserved[c] }

var unreserved = func() (set [256]bool) {
	for c := range set {
		set[c] = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", byte(c)) >= 0
	}
	return set
}()

const upperHex = "0123456789ABCDEF"

// Marks: what stands before the two digits of an escape.
const (
	Once  = "%"
	Twice = "%25" // escaped, and that escaped again
)

// AppendByte appends a byte, escaped unless it is unreserved.
func AppendByte(b []byte, c byte) []byte { return appendByte(b, c, Once) }

func appendByte(b []byte, c byte, mark string) []byte {
	if unreserved[c] {
		return append(b, c)
	}
	return append(append(b, mark...), upperHex[c>>4], upperHex[c&15])
}

// AppendEscaped appends what s holds, escaped.
func AppendEscaped(b []byte, s, mark string) []byte {
	from := 0
	for i := range len(s) { // most texts are unreserved throughout: what is goes over in one piece
		if !unreserved[s[i]] {
			b = appendByte(append(b, s[from:i]...), s[i], mark)
			from = i + 1
		}
	}
	return append(b, s[from:]...)
}

// AppendPart appends one side of a parameter of a query or a form, unescaped and escaped again. ok is false if it has
// a broken escape.
func AppendPart(b []byte, s, mark string) (_ []byte, ok bool) {
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if unreserved[c] {
			continue
		}
		b = append(b, s[from:i]...)
		switch c {
		case '+':
			c = ' '
		case '%':
			if c, ok = Escape(s[i:]); !ok {
				return b, false
			}
			i += 2
		}
		b, from = appendByte(b, c, mark), i+1
	}
	return append(b, s[from:]...), true
}

// AppendUnescaped appends one side of a parameter of a query or a form, unescaped. ok is false if it has a broken
// escape.
func AppendUnescaped(b []byte, s string) (_ []byte, ok bool) {
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '+' && c != '%' {
			continue
		}
		b = append(b, s[from:i]...)
		if c == '+' {
			c = ' '
		} else if c, ok = Escape(s[i:]); ok {
			i += 2
		} else {
			return b, false
		}
		b, from = append(b, c), i+1
	}
	return append(b, s[from:]...), true
}

// Unescape is one side of a parameter of a query or a form, unescaped: s itself where there is nothing to unescape.
// ok is false, and the text empty, if it has a broken escape.
func Unescape(s string) (_ string, ok bool) {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s, true
	}
	b, ok := AppendUnescaped(make([]byte, 0, len(s)), s)
	if !ok {
		return "", false
	}
	return string(b), true
}

// Escapes says whether every percent sign of s begins an escape.
func Escapes(s string) bool {
	for {
		i := strings.IndexByte(s, '%')
		if i < 0 {
			return true
		}
		if _, ok := Escape(s[i:]); !ok {
			return false
		}
		s = s[i+3:]
	}
}

// Escape is the byte of the escape that s begins with.
func Escape(s string) (c byte, ok bool) {
	if len(s) < 3 || s[0] != '%' {
		return 0, false
	}
	high, low := hexDigits[s[1]], hexDigits[s[2]]
	return high<<4 | low&15, high != noDigit && low != noDigit
}

// hexDigits are the values of hexadecimal digits, of those in upper case plus 16.
var hexDigits = func() (values [256]byte) {
	for c := range values {
		values[c] = noDigit
	}
	for i := range byte(16) {
		values["0123456789abcdef"[i]], values[upperHex[i]] = i, i
	}
	for i := byte(10); i < 16; i++ {
		values[upperHex[i]] = i + 16
	}
	return values
}()

const noDigit = 255

// DecodeHex decodes hexadecimal digits in lower case, twice as many as dst is long. ok is false if text is not
// that; then dst may hold anything.
func DecodeHex(dst []byte, text string) (ok bool) {
	if len(text) != 2*len(dst) {
		return false
	}
	bad := byte(0)
	for i := range dst {
		high, low := hexDigits[text[2*i]], hexDigits[text[2*i+1]]
		bad |= high | low
		dst[i] = high<<4 | low&15
	}
	return bad < 16
}

// Cut is strings.Cut at one character, which takes half the time.
func Cut(s string, at byte) (before, after string, found bool) {
	if i := strings.IndexByte(s, at); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}
