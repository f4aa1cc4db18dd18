package access

import (
	"encoding/binary"
	"net/netip"

	"github.com/keyledger/keyledger/events"
	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/projections/row"
)

// recordVersion is the version of a record's value.
const recordVersion = 1

// The head of a record: what is there, and two numbers.
const (
	headTimedID = 1 << 0 // the ID begins with the record's time in milliseconds, which is left out
	headReplay  = 1 << 1
	headCount   = 1 << 2
	headAddress = 3 // shift: 0 none, 1 four bytes, 2 sixteen
	headOutcome = 5 // shift
	headUnused  = 1 << 7
)

// appendRecord appends the fields of a record that are not in its key.
func appendRecord(dst []byte, r *uses.Record) []byte {
	head := len(dst) + 1
	dst = append(dst, recordVersion, byte(r.Outcome)<<headOutcome)
	dst = row.AppendUser(dst, r.User)
	dst, form := appendIP(dst, r.SourceIP)
	dst[head] |= form << headAddress
	dst = row.AppendString(dst, r.Scheme)
	dst = row.AppendString(dst, r.Service)
	dst = row.AppendString(dst, r.Action)
	dst = row.AppendString(dst, r.Region)
	dst = row.AppendString(dst, r.UserAgent)
	dst = row.AppendString(dst, r.Reason)
	dst = row.AppendUvarint(dst, uint64(r.Position))
	if r.Count != 0 {
		dst[head] |= headCount
		dst = row.AppendUvarint(dst, uint64(r.Count))
	}
	if timed(r.ID, r.Time.UnixMicro()) {
		dst[head] |= headTimedID
		dst = append(dst, r.ID[6:]...)
	} else {
		dst = append(dst, r.ID[:]...)
	}
	dst = row.AppendUUID(dst, r.RequestID)
	if r.Replay != [16]byte{} {
		dst[head] |= headReplay
		dst = append(dst, r.Replay[:]...)
	}
	return dst
}

// appendIP appends an address and is its form.
func appendIP(dst []byte, ip netip.Addr) ([]byte, byte) {
	switch {
	case !ip.IsValid():
		return dst, 0
	case ip.Is4():
		four := ip.As4()
		return append(dst, four[:]...), 1
	}
	sixteen := ip.As16()
	return append(dst, sixteen[:]...), 2
}

// timed says whether an ID begins with a time's milliseconds, as a UUID of version 7 does.
func timed(id [16]byte, micros int64) bool { return [6]byte(id[:6]) == millis(micros) }

func millis(micros int64) (out [6]byte) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(micros/1000))
	copy(out[:], b[2:])
	return out
}

// parseRecord reads what appendRecord wrote into r, whose time is set by the key. Its strings share one
// copy of the value.
func parseRecord(r *uses.Record, value []byte) error {
	f := fields{Parser: row.Parse(value), text: string(value)}
	f.Version(recordVersion)
	head := f.Byte()
	r.Outcome = uses.Outcome(head >> headOutcome & 3)
	if r.Outcome > uses.Allowed || head&headUnused != 0 {
		f.Fail("a head that is not known")
	}
	r.User = f.User()
	r.SourceIP = f.ip(head >> headAddress & 3)
	r.Scheme, r.Service, r.Action, r.Region = f.shared(), f.shared(), f.shared(), f.shared()
	r.UserAgent, r.Reason = f.shared(), f.shared()
	r.Position = events.Position(f.Uvarint())
	r.Count = f.count(head)
	f.id(r, head)
	r.RequestID = f.UUID()
	r.Replay = f.replay(head)
	return f.Done()
}

// fields reads the parts of a value; text is the same bytes.
type fields struct {
	row.Parser
	text string
}

// shared is what AppendString wrote, as a part of text.
func (f *fields) shared() string {
	b := f.Bytes()
	end := len(f.text) - f.Left()
	return f.text[end-len(b) : end]
}

// fixed reads so many bytes.
func (f *fields) fixed(dst []byte) {
	for i := range dst {
		dst[i] = f.Byte()
	}
}

func (f *fields) ip(form byte) netip.Addr {
	switch form {
	case 0:
		return netip.Addr{}
	case 1:
		var four [4]byte
		f.fixed(four[:])
		return netip.AddrFrom4(four)
	case 2:
		var sixteen [16]byte
		f.fixed(sixteen[:])
		return netip.AddrFrom16(sixteen)
	}
	f.Fail("no such form of address")
	return netip.Addr{}
}

func (f *fields) count(head byte) uint32 {
	if head&headCount == 0 {
		return 0
	}
	n := f.Uvarint()
	if n == 0 || n > 1<<32-1 {
		f.Fail("a count that is none")
	}
	return uint32(n)
}

func (f *fields) id(r *uses.Record, head byte) {
	micros := r.Time.UnixMicro()
	if head&headTimedID != 0 {
		short := millis(micros)
		copy(r.ID[:], short[:])
		f.fixed(r.ID[6:])
		return
	}
	f.fixed(r.ID[:])
	if timed(r.ID, micros) {
		f.Fail("an ID with its time in the long form")
	}
}

func (f *fields) replay(head byte) (out [16]byte) {
	if head&headReplay == 0 {
		return out
	}
	f.fixed(out[:])
	if out == [16]byte{} {
		f.Fail("a replay hash of zeros")
	}
	return out
}
