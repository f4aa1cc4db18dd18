package access

import (
	"fmt"
	"net/netip"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/keyledger/keyledger/events"
)

// Field numbers of access.proto.
const (
	fieldRecords protowire.Number = 1

	fieldID        protowire.Number = 1
	fieldTime      protowire.Number = 2
	fieldKey       protowire.Number = 3
	fieldAccount   protowire.Number = 4
	fieldUser      protowire.Number = 5
	fieldOutcome   protowire.Number = 6
	fieldReason    protowire.Number = 7
	fieldScheme    protowire.Number = 8
	fieldService   protowire.Number = 9
	fieldAction    protowire.Number = 10
	fieldRegion    protowire.Number = 11
	fieldSourceIP  protowire.Number = 12
	fieldUserAgent protowire.Number = 13
	fieldRequestID protowire.Number = 14
	fieldPosition  protowire.Number = 15
	fieldReplay    protowire.Number = 16
	fieldCount     protowire.Number = 17
)

// A MalformedError says that a message is not a batch of access records.
type MalformedError struct{ Reason string }

func (e *MalformedError) Error() string { return "access: not a batch of access records: " + e.Reason }

// Append appends a message with the records.
func Append(dst []byte, records []Record) []byte {
	one := make([]byte, 0, 512) // on the stack
	for i := range records {
		one = appendRecord(one[:0], &records[i])
		dst = protowire.AppendTag(dst, fieldRecords, protowire.BytesType)
		dst = protowire.AppendBytes(dst, one)
	}
	return dst
}

func appendRecord(b []byte, r *Record) []byte {
	b = appendBytes(b, fieldID, r.ID[:])
	b = protowire.AppendTag(b, fieldTime, protowire.Fixed64Type)
	b = protowire.AppendFixed64(b, uint64(r.Time.UnixMicro()))
	b = appendText(b, fieldKey, string(r.Key))
	b = appendText(b, fieldAccount, string(r.Account))
	b = appendText(b, fieldUser, string(r.User))
	b = appendNumber(b, fieldOutcome, uint64(r.Outcome))
	b = appendText(b, fieldReason, r.Reason)
	b = appendText(b, fieldScheme, r.Scheme)
	b = appendText(b, fieldService, r.Service)
	b = appendText(b, fieldAction, r.Action)
	b = appendText(b, fieldRegion, r.Region)
	if r.SourceIP.IsValid() {
		b = appendBytes(b, fieldSourceIP, r.SourceIP.Unmap().AsSlice())
	}
	b = appendText(b, fieldUserAgent, r.UserAgent)
	b = appendText(b, fieldRequestID, r.RequestID)
	b = appendNumber(b, fieldPosition, uint64(r.Position))
	if r.Replay != [16]byte{} {
		b = appendBytes(b, fieldReplay, r.Replay[:])
	}
	return appendNumber(b, fieldCount, uint64(r.Count))
}

func appendBytes(b []byte, n protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), v)
}

func appendText(b []byte, n protowire.Number, v string) []byte {
	if v == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), v)
}

func appendNumber(b []byte, n protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
}

// Parse appends the records of a message to dst. They share one copy of the
// message's text. Fields that this version does not know are passed over. The error is a
// *MalformedError.
func Parse(dst []Record, data []byte) ([]Record, error) {
	text := string(data) // what the records' strings are parts of
	for at := 0; at < len(data); {
		n, kind, tag := protowire.ConsumeTag(data[at:])
		if tag < 0 {
			return dst, malformed("tag", tag)
		}
		at += tag
		if n != fieldRecords || kind != protowire.BytesType {
			size := protowire.ConsumeFieldValue(n, kind, data[at:])
			if size < 0 {
				return dst, malformed("field", size)
			}
			at += size
			continue
		}
		one, size := protowire.ConsumeBytes(data[at:])
		if size < 0 {
			return dst, malformed("record", size)
		}
		dst = append(dst, Record{})
		if err := parseRecord(&dst[len(dst)-1], one, text[at+size-len(one):at+size]); err != nil {
			return dst[:len(dst)-1], err
		}
		at += size
	}
	return dst, nil
}

// parseRecord reads a record from b; text is the same bytes.
func parseRecord(r *Record, b []byte, text string) error {
	p := parser{b: b, text: text}
	for p.next() {
		if p.kind == protowire.BytesType && p.number <= fieldReplay {
			p.readBytes(r)
			continue
		}
		p.readNumber(r)
	}
	if p.err != nil {
		return p.err
	}
	if r.ID == [16]byte{} || r.Key == "" || r.Time.IsZero() || r.Outcome > Allowed {
		return &MalformedError{Reason: fmt.Sprintf("a record without its ID, key, time or a known outcome (%d)", r.Outcome)}
	}
	return nil
}

// A parser walks over the fields of a record.
type parser struct {
	b      []byte
	text   string
	at     int
	number protowire.Number
	kind   protowire.Type
	err    error
}

func (p *parser) next() bool {
	if p.err != nil || p.at >= len(p.b) {
		return false
	}
	number, kind, size := protowire.ConsumeTag(p.b[p.at:])
	if size < 0 {
		p.err = malformed("tag", size)
		return false
	}
	p.at += size
	p.number, p.kind = number, kind
	return true
}

func (p *parser) readBytes(r *Record) {
	value, size := protowire.ConsumeBytes(p.b[p.at:])
	if size < 0 {
		p.err = malformed("field", size)
		return
	}
	p.at += size
	text := p.text[p.at-len(value) : p.at]
	switch p.number {
	case fieldID:
		p.fixed(r.ID[:], value)
	case fieldKey:
		r.Key = events.AccessKeyID(text)
	case fieldAccount:
		r.Account = events.AccountID(text)
	case fieldUser:
		r.User = events.UserID(text)
	case fieldReason:
		r.Reason = text
	case fieldScheme:
		r.Scheme = text
	case fieldService:
		r.Service = text
	case fieldAction:
		r.Action = text
	case fieldRegion:
		r.Region = text
	case fieldSourceIP:
		var ok bool
		if r.SourceIP, ok = netip.AddrFromSlice(value); !ok {
			p.err = &MalformedError{Reason: fmt.Sprintf("an address of %d bytes; want 4 or 16", len(value))}
		}
	case fieldUserAgent:
		r.UserAgent = text
	case fieldRequestID:
		r.RequestID = text
	case fieldReplay:
		p.fixed(r.Replay[:], value)
	}
}

func (p *parser) fixed(dst, value []byte) {
	if len(value) != len(dst) {
		p.err = &MalformedError{Reason: fmt.Sprintf("field %d has %d bytes; want %d", p.number, len(value), len(dst))}
		return
	}
	copy(dst, value)
}

func (p *parser) readNumber(r *Record) {
	var v uint64
	size := 0
	switch p.kind {
	case protowire.VarintType:
		v, size = protowire.ConsumeVarint(p.b[p.at:])
	case protowire.Fixed64Type:
		v, size = protowire.ConsumeFixed64(p.b[p.at:])
	default:
		size = protowire.ConsumeFieldValue(p.number, p.kind, p.b[p.at:])
	}
	if size < 0 {
		p.err = malformed("field", size)
		return
	}
	p.at += size
	switch {
	case p.number == fieldTime && p.kind == protowire.Fixed64Type:
		r.Time = time.UnixMicro(int64(v)).UTC()
	case p.kind != protowire.VarintType:
	case p.number == fieldOutcome:
		r.Outcome = Outcome(min(v, 255))
	case p.number == fieldPosition:
		r.Position = events.Position(v)
	case p.number == fieldCount:
		r.Count = uint32(min(v, 1<<32-1))
	}
}

func malformed(what string, code int) error {
	return &MalformedError{Reason: what + ": " + protowire.ParseError(code).Error()}
}
