package api

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A scanner reads JSON of a known shape. What is not of that shape, and the rare that takes care (half a
// character escaped), it fails at; it reads nothing then. Strings without escapes are parts of the text that
// is read, and keep it alive.
type scanner struct {
	rest   string
	failed bool
}

// members yields the name of each member of an object; whoever takes it reads the value.
func (s *scanner) members(yield func(name string) bool) {
	s.each('{', '}', func() bool {
		name := s.text(0, len(s.rest))
		s.want(':')
		return !s.failed && yield(name)
	})
}

// elements yields for each element of a list; whoever takes it reads the element.
func (s *scanner) elements(yield func() bool) { s.each('[', ']', yield) }

func (s *scanner) each(begin, end byte, one func() bool) {
	s.want(begin)
	if s.next(end) {
		return
	}
	for !s.failed && one() {
		if s.next(end) {
			return
		}
		s.want(',')
	}
	s.failed = true // also where whoever takes them stopped
}

// text reads a string of so many bytes.
func (s *scanner) text(shortest, longest int) string {
	s.want('"')
	for i := 0; i < len(s.rest) && !s.failed; i++ {
		switch c := s.rest[i]; {
		case c == '"':
			text := s.rest[:i]
			s.rest = s.rest[i+1:]
			s.failed = len(text) < shortest || len(text) > longest
			return text
		case c == '\\':
			text := s.escaped()
			s.failed = s.failed || len(text) < shortest || len(text) > longest
			return text
		case c < ' ':
			s.failed = true
		}
	}
	s.failed = true
	return ""
}

// escaped reads what is left of a string that has escapes.
func (s *scanner) escaped() string {
	var b []byte
	for i := 0; i < len(s.rest); {
		switch c := s.rest[i]; {
		case c == '"':
			s.rest = s.rest[i+1:]
			return string(b)
		case c < ' ':
			s.failed = true
			return ""
		case c != '\\':
			b = append(b, c)
			i++
		default:
			r, n := unescape(s.rest[i:])
			if n == 0 {
				s.failed = true
				return ""
			}
			b = utf8.AppendRune(b, r)
			i += n
		}
	}
	s.failed = true
	return ""
}

// unescape is the character that s begins with an escape of, and the escape's length; none if there
// is no such escape, or it is half of a character.
func unescape(s string) (r rune, n int) {
	const letters, meant = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if len(s) < 2 {
		return 0, 0
	}
	if i := strings.IndexByte(letters, s[1]); i >= 0 {
		return rune(meant[i]), 2
	}
	if s[1] != 'u' || len(s) < 6 {
		return 0, 0
	}
	code, err := strconv.ParseUint(s[2:6], 16, 16)
	if err != nil || utf16.IsSurrogate(rune(code)) {
		return 0, 0
	}
	return rune(code), 6
}

// want takes c, or fails.
func (s *scanner) want(c byte) { s.failed = !s.next(c) || s.failed }

// next takes c if it is next.
func (s *scanner) next(c byte) bool {
	s.space()
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// ended says whether all was read, and nothing failed.
func (s *scanner) ended() bool {
	s.space()
	return !s.failed && s.rest == ""
}

func (s *scanner) space() {
	for s.rest != "" && (s.rest[0] == ' ' || s.rest[0] == '\t' || s.rest[0] == '\n' || s.rest[0] == '\r') {
		s.rest = s.rest[1:]
	}
}
