package keyring

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keyledger/keyledger/events"
)

// The first byte of an encoded state. What follows it:
//
//	closed       1 byte, 0 or 1
//	keys         uvarint, how many, then for each:
//	  status     1 byte: 0 active, 1 disabled, 2 deleted
//	  id         uvarint length, bytes
//	  description  uvarint length, bytes
//	  if deleted:
//	    purge at   varint Unix seconds, uvarint nanoseconds
//	    place in the bin's order  uvarint
//	  in the layouts with networks and with restrictions:
//	    status     uvarint length, bytes; empty: it was never set
//	    statements uvarint, how many, then for each:
//	      type, VPC  uvarint length, bytes
//	      addresses  uvarint, how many, then for each uvarint length, bytes
//	  in the layout with restrictions:
//	    restricted  1 byte, 0 or 1
//
// The layout with restrictions is that of a state in which a key is restricted, the one with
// networks that of another in which a key has a network policy: what was written before there
// were any is written so today.
const (
	layout           = 1
	layoutNetworks   = 2
	layoutRestricted = 3
)

var statuses = [...]Status{Active, Disabled, Deleted}

// AppendState appends s in binary to dst, as ParseState reads it.
func AppendState(dst []byte, s State) []byte {
	form := s.layout()
	dst = append(dst, form, boolByte(s.Closed))
	dst = binary.AppendUvarint(dst, uint64(len(s.Keys)))
	for i := range s.Keys {
		dst = appendKey(dst, &s.Keys[i])
		if form >= layoutNetworks {
			dst = appendNetwork(dst, &s.Keys[i].Network)
		}
		if form >= layoutRestricted {
			dst = append(dst, boolByte(s.Keys[i].Restricted))
		}
	}
	return dst
}

// layout is the one that s is written in: the first that has room for it.
func (s State) layout() byte {
	switch {
	case slices.ContainsFunc(s.Keys, func(k Key) bool { return k.Restricted }):
		return layoutRestricted
	case slices.ContainsFunc(s.Keys, func(k Key) bool { return !k.Network.IsZero() }):
		return layoutNetworks
	}
	return layout
}

func boolByte(yes bool) byte {
	if yes {
		return 1
	}
	return 0
}

func appendNetwork(dst []byte, p *events.NetworkPolicy) []byte {
	dst = appendText(dst, p.Status)
	dst = binary.AppendUvarint(dst, uint64(len(p.Statements)))
	for i := range p.Statements {
		s := &p.Statements[i]
		dst = appendText(appendText(dst, s.Type), s.VPC)
		dst = binary.AppendUvarint(dst, uint64(len(s.Addresses)))
		for _, a := range s.Addresses {
			dst = appendText(dst, a)
		}
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
	if len(data) == 0 || data[0] < layout || data[0] > layoutRestricted {
		return State{}, fmt.Errorf("keyring: encoded state: want layout %d to %d", layout, layoutRestricted)
	}
	r := reader{data: data[1:], text: string(data[1:])} // one copy, of which all texts are parts
	s := State{Closed: r.below(2) == 1}
	const leastKey = 3 // status and two empty texts
	if n := r.count(leastKey); n > 0 {
		s.Keys = make([]Key, n)
	}
	for i := range s.Keys {
		r.key(&s.Keys[i])
		if data[0] >= layoutNetworks {
			r.network(&s.Keys[i].Network)
		}
		if data[0] >= layoutRestricted {
			s.Keys[i].Restricted = r.below(2) == 1
		}
	}
	if r.bad || r.left() > 0 || s.layout() != data[0] {
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

func (r *reader) network(p *events.NetworkPolicy) {
	p.Status = r.string()
	const leastStatement = 3 // two empty texts and no address
	if n := r.count(leastStatement); n > 0 {
		p.Statements = make([]events.NetworkStatement, n)
	}
	for i := range p.Statements {
		s := &p.Statements[i]
		s.Type, s.VPC = r.string(), r.string()
		if n := r.count(1); n > 0 {
			s.Addresses = make([]string, n)
		}
		for j := range s.Addresses {
			s.Addresses[j] = r.string()
		}
	}
}

// count is the number of things to come, each of so many bytes at least. It is bounded by what
// is left to read, so that damage cannot ask for more memory than a small multiple of the data's length.
func (r *reader) count(least int) int {
	n := r.uvarint()
	if n > uint64(r.left()/least) {
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
