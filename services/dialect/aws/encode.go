package aws

// unreserved are the bytes that AWS's UriEncode leaves alone.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
var unreserved = func() (set [256]bool) {
	for c := range set {
		set[c] = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
			c == '-' || c == '.' || c == '_' || c == '~'
	}
	return set
}()

// appendEncoded appends every byte of s, escaped unless it is unreserved or a
// slash. A percent sign is a byte like any other.
func appendEncoded(b []byte, s string) []byte {
	for i := range len(s) {
		if s[i] == '/' {
			b = append(b, '/')
		} else {
			b = appendByte(b, s[i])
		}
	}
	return b
}

func appendByte(b []byte, c byte) []byte {
	if unreserved[c] {
		return append(b, c)
	}
	return appendEscape(b, c)
}

func appendEscape(b []byte, c byte) []byte {
	const digits = "0123456789ABCDEF"
	return append(b, '%', digits[c>>4], digits[c&15])
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
