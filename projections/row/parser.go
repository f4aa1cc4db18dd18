package row

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// A Parser reads parts back. The first part that is not as Append writes it
// makes every later read return zero; Done says what was wrong.
type Parser struct {
	rest []byte
	err  error
}

// Parse begins to read b, which the parser does not change. Strings that it
// returns are copies.
func Parse(b []byte) Parser { return Parser{rest: b} }

// ErrMalformed is what every error of a Parser is.
var ErrMalformed = errors.New("malformed row")

// Done says what was wrong, an error that is ErrMalformed, or nil if every part
// could be read and nothing is left over.
func (p *Parser) Done() error {
	if p.err == nil && len(p.rest) > 0 {
		p.fail(fmt.Sprintf("%d bytes are left over", len(p.rest)))
	}
	return p.err
}

// Err says what was wrong so far, or nil.
func (p *Parser) Err() error { return p.err }

// Left is how many bytes are still to be read.
func (p *Parser) Left() int { return len(p.rest) }

func (p *Parser) fail(what string) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: %s", ErrMalformed, what)
	}
	p.rest = nil
}

// Fail makes the parser fail: what was read makes no sense to its owner.
func (p *Parser) Fail(what string) { p.fail(what) }

func (p *Parser) next(n int) []byte {
	if p.err != nil || n < 0 || n > len(p.rest) {
		p.fail("it ends too early")
		return nil
	}
	b := p.rest[:n]
	p.rest = p.rest[n:]
	return b
}

// Version reads the version byte of a value, which must be one of known.
func (p *Parser) Version(known ...byte) byte {
	v := p.Byte()
	for _, k := range known {
		if v == k {
			return v
		}
	}
	p.fail(fmt.Sprintf("version %d is not known", v))
	return 0
}

// Byte reads one byte.
func (p *Parser) Byte() byte {
	if b := p.next(1); b != nil {
		return b[0]
	}
	return 0
}

// Bool reads what AppendBool wrote.
func (p *Parser) Bool() bool {
	v := p.Byte()
	if v > 1 {
		p.fail("neither true nor false")
	}
	return v == 1
}

// Uint64 reads what AppendUint64 wrote.
func (p *Parser) Uint64() uint64 {
	if b := p.next(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// Descending reads what AppendDescending wrote.
func (p *Parser) Descending() uint64 {
	if b := p.next(8); b != nil {
		return ^binary.BigEndian.Uint64(b)
	}
	return 0
}

// Uvarint reads what AppendUvarint wrote.
func (p *Parser) Uvarint() uint64 {
	v, n := binary.Uvarint(p.rest)
	if n <= 0 || n > 1 && p.rest[n-1] == 0 {
		p.fail("not a shortest varint")
		return 0
	}
	p.rest = p.rest[n:]
	return v
}

func (p *Parser) varint() int64 {
	u := p.Uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// Bytes reads what AppendBytes wrote. The result is part of what is parsed, nil
// if it is empty.
func (p *Parser) Bytes() []byte {
	n := p.Uvarint()
	if n == 0 {
		return nil
	}
	if n > uint64(len(p.rest)) {
		p.fail("a length goes beyond the end")
		return nil
	}
	return p.next(int(n))
}

// Str reads what AppendString wrote.
func (p *Parser) Str() string { return string(p.Bytes()) }

// Rest reads all that is left.
func (p *Parser) Rest() string {
	s := string(p.rest)
	p.rest = nil
	return s
}

// Text reads what AppendText wrote.
func (p *Parser) Text() string {
	var out []byte
	for i := 0; i+1 < len(p.rest); i++ {
		switch {
		case p.rest[i] != 0:
			out = append(out, p.rest[i])
		case p.rest[i+1] == 0xff:
			out = append(out, 0)
			i++
		case p.rest[i+1] == 1:
			p.rest = p.rest[i+2:]
			return string(out)
		default:
			p.fail("a text with a stray zero byte")
			return ""
		}
	}
	p.fail("a text without an end")
	return ""
}

// Time reads what AppendTime wrote, in UTC.
func (p *Parser) Time() time.Time {
	if !p.Bool() {
		return time.Time{}
	}
	seconds, nanos := p.varint(), p.Uvarint()
	if p.err != nil {
		return time.Time{}
	}
	t := time.Unix(seconds, int64(nanos)).UTC()
	if nanos >= 1e9 || t.Unix() != seconds || t.IsZero() {
		p.fail("not a time")
		return time.Time{}
	}
	return t
}
