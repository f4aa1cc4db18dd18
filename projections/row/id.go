package row

import (
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/keyledger/keyledger/events"
)

// odd begins an ID or actor that has not the usual shape: its text follows as
// AppendString writes it. No usual ID begins with this byte.
const odd = 0xff

// AppendAccount appends an account ID: five bytes, in the order of the number.
func AppendAccount(dst []byte, a events.AccountID) []byte {
	n, ok := number(string(a), 12)
	if !ok {
		return AppendString(append(dst, odd), a)
	}
	return append(dst, byte(n>>32), byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

// AppendUser appends a user ID: eight bytes, in the order of the number.
func AppendUser(dst []byte, u events.UserID) []byte {
	n, ok := number(string(u), 18)
	if !ok {
		return AppendString(append(dst, odd), u)
	}
	return binary.BigEndian.AppendUint64(dst, n)
}

// AppendSubject appends a subject: the account, then the user, or eight zero
// bytes for the account's own facts.
func AppendSubject(dst []byte, s events.Subject) []byte {
	dst = AppendAccount(dst, s.Account)
	if s.User == "" {
		return binary.BigEndian.AppendUint64(dst, 0)
	}
	return AppendUser(dst, s.User)
}

// Forms of actors.
const (
	actorUser = 0 // account and user
	actorText = 1 // anything else, as AppendString writes it
)

// AppendActor appends an actor: 14 bytes for a user of an account.
func AppendActor(dst []byte, a events.Actor) []byte {
	account, user, ok := strings.Cut(string(a), "/")
	if _, known := number(account, 12); ok && known {
		if n, known := number(user, 18); known {
			dst = AppendAccount(append(dst, actorUser), events.AccountID(account))
			return binary.BigEndian.AppendUint64(dst, n)
		}
	}
	return AppendString(append(dst, actorText), a)
}

// number reads exactly n digits of which the first is not zero.
func number(s string, n int) (uint64, bool) {
	if len(s) != n || s[0] == '0' {
		return 0, false
	}
	var v uint64
	for i := range n {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		v = v*10 + uint64(c)
	}
	return v, true
}

// Account reads what AppendAccount wrote.
func (p *Parser) Account() events.AccountID {
	if p.odd() {
		s := events.AccountID(p.Str())
		if _, usual := number(string(s), 12); usual {
			p.fail("an account ID of the usual shape in the odd form")
		}
		return s
	}
	b := p.next(5)
	if b == nil {
		return ""
	}
	n := uint64(b[0])<<32 | uint64(binary.BigEndian.Uint32(b[1:]))
	return events.AccountID(p.digits(n, 1e11, 1e12))
}

// User reads what AppendUser wrote.
func (p *Parser) User() events.UserID {
	if p.odd() {
		s := events.UserID(p.Str())
		if _, usual := number(string(s), 18); usual {
			p.fail("a user ID of the usual shape in the odd form")
		}
		return s
	}
	return events.UserID(p.digits(p.Uint64(), 1e17, 1e18))
}

// Subject reads what AppendSubject wrote.
func (p *Parser) Subject() events.Subject {
	s := events.Subject{Account: p.Account()}
	if len(p.rest) >= 8 && binary.BigEndian.Uint64(p.rest) == 0 {
		p.rest = p.rest[8:]
		return s
	}
	s.User = p.User()
	if s.User == "" {
		p.fail("a subject's user is empty")
	}
	return s
}

// Actor reads what AppendActor wrote.
func (p *Parser) Actor() events.Actor {
	switch form := p.Byte(); form {
	case actorUser:
		account := p.digitsOf(5, 1e11, 1e12)
		return events.Actor(account + "/" + p.digitsOf(8, 1e17, 1e18))
	case actorText:
		a := events.Actor(p.Str())
		if len(AppendActor(nil, a)) == 14 && p.err == nil && AppendActor(nil, a)[0] == actorUser {
			p.fail("a user's actor in the form of text")
		}
		return a
	default:
		p.fail("no such form of actor")
		return ""
	}
}

func (p *Parser) odd() bool {
	if len(p.rest) == 0 || p.rest[0] != odd {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

func (p *Parser) digitsOf(width int, low, high uint64) string {
	var n uint64
	for _, b := range p.next(width) {
		n = n<<8 | uint64(b)
	}
	return p.digits(n, low, high)
}

// digits is n in decimal, which must be within [low, high).
func (p *Parser) digits(n, low, high uint64) string {
	if p.err != nil {
		return ""
	}
	if n < low || n >= high {
		p.fail("an ID has not the right number of digits")
		return ""
	}
	return strconv.FormatUint(n, 10)
}
