package keyring

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/keyledger/keyledger/events"
)

// layout is the first byte of an encoded state. What follows it:
//
//	closed       1 byte, 0 or 1
//	keys         uvarint, how many, then for each:
//	  status     1 byte: 0 active, 1 disabled, 2 deleted
//	  id         uvarint length, bytes
//	  description  uvarint length, bytes
//	  if deleted:
//	    purge at   varint Unix seconds, uvarint nanoseconds
//	    place in the bin's order  uvarint
const layout = 1

var statuses = [...]Status{Active, Disabled, Deleted}

// AppendState appends s in binary to dst, as ParseState reads it.
func AppendState(dst []byte, s State) []byte {
	dst = append(dst, layout, 0)
	if s.Closed {
		dst[len(dst)-1] = 1
	}
	dst = binary.AppendUvarint(dst, uint64(len(s.Keys)))
	for i := range s.Keys {
		dst = appendKey(dst, &s.Keys[i])
	}
	return dst
}

func appendKey(dst []byte, k *Key) []byte {
	dst = append(dst, statusByte(k.Status))
	dst = appendText(dst, string(k.ID))
	dst = appendText(dst, k.Description)
	if k.Status == Deleted {
		dst = binary.AppendVarint(dst, k.PurgeAt.Unix())
		dst = binary.AppendUvarint(dst, uint64(k.PurgeAt.Nanosecond()))
		dst = binary.AppendUvarint(dst, k.Binned)
	}
	return dst
}

func statusByte(s Status) byte {
	switch s {
	case Disabled:
		return 1
	case Deleted:
		return 2
	}
	return 0
}

func appendText(dst []byte, text string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// ParseState is the inverse of AppendState. It refuses everything else, and never
// panics. The state shares no memory with data.
func ParseState(data []byte) (State, error) {
	if len(data) == 0 || data[0] != layout {
		return State{}, fmt.Errorf("keyring: encoded state: want layout %d", layout)
	}
	r := reader{data: data[1:], text: string(data[1:])} // one copy, of which all texts are parts
	s := State{Closed: r.below(2) == 1}
	if n := r.count(); n > 0 {
		s.Keys = make([]Key, n)
	}
	for i := range s.Keys {
		r.key(&s.Keys[i])
	}
	if r.bad || r.left() > 0 {
		return State{}, errors.New("keyring: encoded state: cut short, too long or damaged")
	}
	return s, nil
}

// A reader takes values out of data, of which text is a copy. After the first that
// is not there it is bad, and all that follow are zero.
type reader struct {
	data []byte
	text string
	at   int
	bad  bool
}

func (r *reader) key(k *Key) {
	k.Status = statuses[r.below(byte(len(statuses)))]
	k.ID = events.AccessKeyID(r.string())
	k.Description = r.string()
	if k.Status == Deleted {
		k.PurgeAt = r.time()
		k.Binned = r.uvarint()
	}
}

func (r *reader) left() int { return len(r.data) - r.at }

func (r *reader) fail() { r.at, r.bad = len(r.data), true }

// below is a byte less than n.
func (r *reader) below(n byte) byte {
	if r.left() == 0 || r.data[r.at] >= n {
		r.fail()
		return 0
	}
	r.at++
	return r.data[r.at-1]
}

// count is the number of keys to come. It is bounded by what is left to read, so
// that damage cannot ask for more memory than a small multiple of the data's length.
func (r *reader) count() int {
	const leastKey = 3 // status and two empty texts
	n := r.uvarint()
	if n > uint64(r.left()/leastKey) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) string() string {
	n := r.uvarint()
	if n > uint64(r.left()) {
		r.fail()
		return ""
	}
	from := r.at
	r.at += int(n)
	return r.text[from:r.at]
}

func (r *reader) time() time.Time {
	seconds, size := binary.Varint(r.data[r.at:])
	if size <= 0 {
		r.fail()
		return time.Time{}
	}
	r.at += size
	nanos := r.uvarint()
	if nanos >= uint64(time.Second) {
		r.fail()
		return time.Time{}
	}
	return time.Unix(seconds, int64(nanos)).UTC()
}

func (r *reader) uvarint() uint64 {
	n, size := binary.Uvarint(r.data[r.at:])
	if size <= 0 {
		r.fail()
		return 0
	}
	r.at += size
	return n
}
