package row

import (
	"encoding/hex"
)

// Forms of strings that are usually random bytes in disguise.
const (
	asText  = 0 // as AppendString writes it
	asBytes = 1 // the bytes themselves
)

// AppendUUID appends s, in 17 bytes if it is a UUID in canonical lower case.
// It has no order.
func AppendUUID[S ~string](dst []byte, s S) []byte {
	var b [16]byte
	if !uuid(&b, string(s)) {
		return AppendString(append(dst, asText), s)
	}
	return append(append(dst, asBytes), b[:]...)
}

// AppendDigest appends s, in 33 bytes if it is a SHA-256 in lower-case hex. It
// has no order.
func AppendDigest(dst []byte, s string) []byte {
	if len(s) == 64 && lowerHex(s) {
		out, err := hex.AppendDecode(append(dst, asBytes), []byte(s))
		if err == nil {
			return out
		}
	}
	return AppendString(append(dst, asText), s)
}

// UUID reads what AppendUUID wrote.
func (p *Parser) UUID() string {
	if p.form() == asText {
		s := p.Str()
		if uuid(new([16]byte), s) {
			p.fail("a UUID in the form of text")
		}
		return s
	}
	b := p.next(16)
	if b == nil {
		return ""
	}
	out := make([]byte, 36)
	hex.Encode(out[0:8], b[0:4])
	hex.Encode(out[9:13], b[4:6])
	hex.Encode(out[14:18], b[6:8])
	hex.Encode(out[19:23], b[8:10])
	hex.Encode(out[24:36], b[10:16])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out)
}

// Digest reads what AppendDigest wrote.
func (p *Parser) Digest() string {
	if p.form() == asText {
		s := p.Str()
		if len(s) == 64 && lowerHex(s) {
			p.fail("a digest in the form of text")
		}
		return s
	}
	return hex.EncodeToString(p.next(32))
}

func lowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// uuid reads a canonical UUID; b is of no use if s is none.
func uuid(b *[16]byte, s string) bool {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	var all byte
	for i, at := range [16]int{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34} {
		high, low := nibbles[s[at]], nibbles[s[at+1]]
		all |= high | low
		b[i] = high<<4 | low
	}
	return all < 16
}

// nibbles is what each hexadecimal digit in lower case is worth, and 16 for all other bytes.
var nibbles = func() (of [256]byte) {
	for c := range of {
		of[c] = 16
	}
	for n, c := range []byte("0123456789abcdef") {
		of[c] = byte(n)
	}
	return of
}()

func (p *Parser) form() byte {
	f := p.Byte()
	if f > asBytes {
		p.fail("no such form of string")
	}
	return f
}
