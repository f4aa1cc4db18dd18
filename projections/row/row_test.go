package row_test

import (
	"bytes"
	"cmp"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections/row"
	"pgregory.net/rapid"
)

// ordered holds that byte order is the order of what stands for it, and that
// reading gives back what was written.
func ordered[T comparable](t *rapid.T, g *rapid.Generator[T], compare func(a, b T) int, write func([]byte, T) []byte, read func(*row.Parser) T) {
	a, b := g.Draw(t, "a"), g.Draw(t, "b")
	x, y := write(nil, a), write(nil, b)
	if got, want := bytes.Compare(append(x, 0x80), append(y, 0x80)), compare(a, b); got != want && want != 0 {
		t.Fatalf("%v and %v: bytes compare %d, want %d (%x, %x)", a, b, got, want, x, y)
	}
	p := row.Parse(x)
	if got := read(&p); got != a || p.Done() != nil {
		t.Fatalf("wrote %v, read %v, %v", a, got, p.Done())
	}
}

// same holds that reading gives back what was written, behind and before
// something else.
func same[T comparable](t *rapid.T, g *rapid.Generator[T], write func([]byte, T) []byte, read func(*row.Parser) T) {
	a := g.Draw(t, "a")
	p := row.Parse(append(write([]byte{7}, a), 9))
	before, got, after := p.Byte(), read(&p), p.Byte()
	if before != 7 || got != a || after != 9 || p.Done() != nil {
		t.Fatalf("wrote 7 %v 9, read %d %v %d, %v", a, before, got, after, p.Done())
	}
}

var (
	accounts = rapid.Custom(func(t *rapid.T) events.AccountID {
		return events.AccountID(rapid.OneOf(rapid.StringMatching(`[1-9][0-9]{11}`), rapid.String()).Draw(t, "account"))
	})
	users = rapid.Custom(func(t *rapid.T) events.UserID {
		return events.UserID(rapid.OneOf(rapid.StringMatching(`[1-9][0-9]{17}`), rapid.StringN(1, 20, -1)).Draw(t, "user"))
	})
	actors = rapid.Custom(func(t *rapid.T) events.Actor {
		return events.Actor(rapid.OneOf(rapid.StringMatching(`[1-9][0-9]{11}/[1-9][0-9]{17}`), rapid.String()).Draw(t, "actor"))
	})
	times = rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(-1e11, 1e12).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
	})
	near = rapid.Custom(func(t *rapid.T) time.Time { // what an instant can hold
		return time.Unix(0, rapid.Int64().Draw(t, "ns")).UTC()
	})
)

func TestKeyParts(t *testing.T) {
	usualAccount := rapid.StringMatching(`[1-9][0-9]{11}`)
	usualUser := rapid.StringMatching(`[1-9][0-9]{17}`)
	for name, check := range map[string]func(*rapid.T){
		"uint64": func(t *rapid.T) {
			ordered(t, rapid.Uint64(), cmp.Compare[uint64], row.AppendUint64, (*row.Parser).Uint64)
		},
		"descending": func(t *rapid.T) {
			ordered(t, rapid.Uint64(), func(a, b uint64) int { return cmp.Compare(b, a) }, row.AppendDescending, (*row.Parser).Descending)
		},
		"text": func(t *rapid.T) {
			ordered(t, rapid.String(), strings.Compare, row.AppendText[string], (*row.Parser).Text)
		},
		"text with zeros": func(t *rapid.T) {
			ordered(t, rapid.StringMatching(`[\x00\x01a]{0,6}`), strings.Compare, row.AppendText[string], (*row.Parser).Text)
		},
		"instant": func(t *rapid.T) {
			ordered(t, near, time.Time.Compare, func(dst []byte, t time.Time) []byte { return row.AppendUint64(dst, row.Instant(t)) },
				func(p *row.Parser) time.Time { return row.InstantTime(p.Uint64()) })
		},
		"latest first": func(t *rapid.T) {
			ordered(t, near, func(a, b time.Time) int { return b.Compare(a) }, func(dst []byte, t time.Time) []byte { return row.AppendDescending(dst, row.Instant(t)) },
				func(p *row.Parser) time.Time { return row.InstantTime(p.Descending()) })
		},
		"account": func(t *rapid.T) {
			ordered(t, rapid.Map(usualAccount, func(s string) events.AccountID { return events.AccountID(s) }), cmp.Compare[events.AccountID], row.AppendAccount, (*row.Parser).Account)
		},
		"user": func(t *rapid.T) {
			ordered(t, rapid.Map(usualUser, func(s string) events.UserID { return events.UserID(s) }), cmp.Compare[events.UserID], row.AppendUser, (*row.Parser).User)
		},
	} {
		t.Run(name, func(t *testing.T) { rapid.Check(t, check) })
	}
}

func TestValueParts(t *testing.T) {
	subjects := rapid.Custom(func(t *rapid.T) events.Subject {
		s := events.Subject{Account: accounts.Draw(t, "account")}
		if rapid.Bool().Draw(t, "keyring") {
			s.User = users.Draw(t, "user")
		}
		return s
	})
	uuids := rapid.OneOf(rapid.StringMatching(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), rapid.StringMatching(`[-0-9a-f]{36}`), rapid.String())
	digests := rapid.OneOf(rapid.StringMatching(`[0-9a-f]{64}`), rapid.StringMatching(`[0-9A-F]{64}`), rapid.String())
	for name, check := range map[string]func(*rapid.T){
		"account": func(t *rapid.T) { same(t, accounts, row.AppendAccount, (*row.Parser).Account) },
		"user":    func(t *rapid.T) { same(t, users, row.AppendUser, (*row.Parser).User) },
		"subject": func(t *rapid.T) { same(t, subjects, row.AppendSubject, (*row.Parser).Subject) },
		"actor":   func(t *rapid.T) { same(t, actors, row.AppendActor, (*row.Parser).Actor) },
		"uuid":    func(t *rapid.T) { same(t, uuids, row.AppendUUID[string], (*row.Parser).UUID) },
		"digest":  func(t *rapid.T) { same(t, digests, row.AppendDigest, (*row.Parser).Digest) },
		"string":  func(t *rapid.T) { same(t, rapid.String(), row.AppendString[string], (*row.Parser).Str) },
		"uvarint": func(t *rapid.T) { same(t, rapid.Uint64(), row.AppendUvarint, (*row.Parser).Uvarint) },
		"bool":    func(t *rapid.T) { same(t, rapid.Bool(), row.AppendBool, (*row.Parser).Bool) },
		"time":    func(t *rapid.T) { same(t, times, row.AppendTime, (*row.Parser).Time) },
	} {
		t.Run(name, func(t *testing.T) { rapid.Check(t, check) })
	}
}

func TestNoTimeIsOneByte(t *testing.T) {
	b := row.AppendTime(nil, time.Time{})
	p := row.Parse(b)
	if got := p.Time(); len(b) != 1 || !got.IsZero() || p.Done() != nil {
		t.Errorf("got %x, %v, %v", b, got, p.Done())
	}
}

func TestInstantsOutOfRangeAreTheNearest(t *testing.T) {
	if got := row.Instant(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)); got != math.MaxUint64 {
		t.Errorf("the far future: got %x", got)
	}
	if got := row.Instant(time.Time{}); got != 0 {
		t.Errorf("the far past: got %x", got)
	}
}

func TestWhatAppendCouldNotHaveWrittenIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		bytes string
		read  func(*row.Parser)
	}{
		"nothing there":                 {"", func(p *row.Parser) { p.Byte() }},
		"left over":                     {"ab", func(p *row.Parser) { p.Byte() }},
		"a long varint":                 {"\x80\x00", func(p *row.Parser) { p.Uvarint() }},
		"a length beyond the end":       {"\x05abc", func(p *row.Parser) { p.Str() }},
		"a truth of two":                {"\x02", func(p *row.Parser) { p.Bool() }},
		"a text without an end":         {"abc\x00", func(p *row.Parser) { p.Text() }},
		"a stray zero":                  {"a\x00b\x00\x01", func(p *row.Parser) { p.Text() }},
		"an account with eleven digits": {"\x00\x00\x00\x00\x01", func(p *row.Parser) { p.Account() }},
		"an odd account that is usual":  {"\xff\x0c123456789012", func(p *row.Parser) { p.Account() }},
		"an odd user that is usual":     {"\xff\x12123456789012345678", func(p *row.Parser) { p.User() }},
		"an actor of a third form":      {"\x02", func(p *row.Parser) { p.Actor() }},
		"a user's actor as text":        {"\x01\x1f123456789012/123456789012345678", func(p *row.Parser) { p.Actor() }},
		"a UUID as text":                {"\x00\x2400000000-0000-7000-9000-000000000000", func(p *row.Parser) { p.UUID() }},
		"a second too long":             {"\x01\x00\x80\x94\xeb\xdc\x03", func(p *row.Parser) { p.Time() }},
		"an unknown version":            {"\x03", func(p *row.Parser) { p.Version(1, 2) }},
	} {
		p := row.Parse([]byte(c.bytes))
		c.read(&p)
		if err := p.Done(); !errors.Is(err, row.ErrMalformed) {
			t.Errorf("%s: got %v, want ErrMalformed", name, err)
		}
	}
}

// FuzzParse reads any bytes as every part there is: nothing may panic, and what
// is read is written again as it stood.
func FuzzParse(f *testing.F) {
	f.Add(byte(0), row.AppendAccount(nil, "123456789012"))
	f.Add(byte(3), row.AppendActor(nil, "system:timekeeper"))
	f.Add(byte(6), row.AppendText(nil, "a\x00b"))
	f.Add(byte(8), row.AppendTime(nil, time.Unix(1, 2)))
	parts := []func(*row.Parser, []byte) []byte{
		func(p *row.Parser, dst []byte) []byte { return row.AppendAccount(dst, p.Account()) },
		func(p *row.Parser, dst []byte) []byte { return row.AppendUser(dst, p.User()) },
		func(p *row.Parser, dst []byte) []byte { return row.AppendSubject(dst, p.Subject()) },
		func(p *row.Parser, dst []byte) []byte { return row.AppendActor(dst, p.Actor()) },
		func(p *row.Parser, dst []byte) []byte { return row.AppendUUID(dst, p.UUID()) },
		func(p *row.Parser, dst []byte) []byte { return row.AppendDigest(dst, p.Digest()) },
		func(p *row.Parser, dst []byte) []byte { return row.AppendText(dst, p.Text()) },
		func(p *row.Parser, dst []byte) []byte { return row.AppendString(dst, p.Str()) },
		func(p *row.Parser, dst []byte) []byte { return row.AppendTime(dst, p.Time()) },
		func(p *row.Parser, dst []byte) []byte { return row.AppendUvarint(dst, p.Uvarint()) },
	}
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		p := row.Parse(b)
		again := parts[int(which)%len(parts)](&p, nil)
		if p.Done() == nil && !bytes.Equal(again, b) {
			t.Errorf("part %d: read %x, wrote %x", int(which)%len(parts), b, again)
		}
	})
}
