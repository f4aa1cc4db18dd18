package access

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/keyledger/keyledger/events"
	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/projections/row"
)

// A Use is the last of its kind of a key.
type Use struct {
	ID       [16]byte // of the record
	Time     time.Time
	Position uses.Position // of the record's message
	Index    int           // in the message
	SourceIP netip.Addr
	Service  string
	Action   string
	Region   string
	Reason   string // why it was refused
}

// Last is when a key was last used. Attempts never move it.
type Last struct {
	Key     events.AccessKeyID
	Used    *Use // the last use that was allowed; nil if there never was one
	Refused *Use // the last use that was denied; nil if there never was one
}

// MaxKeys is how many keys LastOf takes at once.
const MaxKeys = 100

// A TooManyError says that more was asked for at once than is answered.
type TooManyError struct{ Given, Most int }

func (e *TooManyError) Error() string {
	return fmt.Sprintf("access: %d keys at once; want at most %d", e.Given, e.Most)
}

// Last is when a key was last used. It is told however long ago that was.
func (s *Store) Last(key events.AccessKeyID) (Last, error) {
	out := Last{Key: key}
	_, err := s.lookup(lastKey(nil, key), func(value []byte) (err error) {
		out, err = parseLast(key, value)
		return err
	})
	return out, err
}

// LastOf is when each of up to MaxKeys keys was last used, in the order given.
func (s *Store) LastOf(keys []events.AccessKeyID) ([]Last, error) {
	if len(keys) > MaxKeys {
		return nil, &TooManyError{len(keys), MaxKeys}
	}
	out := make([]Last, len(keys))
	for i, k := range keys {
		var err error
		if out[i], err = s.Last(k); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// lastVersion is the version of the value of a row of a key.
const lastVersion = 1

// appendLast appends the value: the two uses as appendUse writes them, or nothing.
func appendLast(dst, used, refused []byte) []byte {
	dst = append(dst, lastVersion)
	return row.AppendBytes(row.AppendBytes(dst, used), refused)
}

// splitLast is the two uses of a value, as they are written there.
func splitLast(value []byte) (used, refused []byte, err error) {
	p := row.Parse(value)
	p.Version(lastVersion)
	used, refused = p.Bytes(), p.Bytes()
	return used, refused, p.Done()
}

func parseLast(key events.AccessKeyID, value []byte) (Last, error) {
	out := Last{Key: key}
	used, refused, err := splitLast(value)
	if err != nil {
		return out, fmt.Errorf("access: the last use of %s: %w", key, err)
	}
	if out.Used, err = parseUse(used); err != nil {
		return out, fmt.Errorf("access: the last use of %s: %w", key, err)
	}
	if out.Refused, err = parseUse(refused); err != nil {
		return out, fmt.Errorf("access: the last refused use of %s: %w", key, err)
	}
	return out, nil
}

// appendUse appends a use: its place, then what is told of it.
func appendUse(dst []byte, at place, r *uses.Record) []byte {
	dst = append(appendPlace(dst, at), r.ID[:]...)
	head := len(dst)
	dst, form := appendIP(append(dst, 0), r.SourceIP)
	dst[head] = form
	dst = row.AppendString(dst, r.Service)
	dst = row.AppendString(dst, r.Action)
	dst = row.AppendString(dst, r.Region)
	return row.AppendString(dst, r.Reason)
}

// append appends the use as the store has it; nothing if there never was one.
func (u *Use) append(dst []byte) []byte {
	if u == nil {
		return dst
	}
	r := uses.Record{ID: u.ID, SourceIP: u.SourceIP, Service: u.Service, Action: u.Action, Region: u.Region, Reason: u.Reason}
	return appendUse(dst, u.place(), &r)
}

func (u *Use) place() place { return place{u.Time.UnixMicro(), u.Position, uint16(u.Index)} }

// parseUse reads what appendUse wrote; nothing is a use that never was.
func parseUse(b []byte) (*Use, error) {
	if len(b) == 0 {
		return nil, nil
	}
	f := fields{Parser: row.Parse(b), text: string(b)}
	at := readPlace(&f.Parser)
	u := Use{Time: at.time(), Position: at.position, Index: int(at.index)}
	f.fixed(u.ID[:])
	u.SourceIP = f.ip(f.Byte())
	u.Service, u.Action, u.Region, u.Reason = f.shared(), f.shared(), f.shared(), f.shared()
	return &u, f.Done()
}

// placeOfUse is the place that a written use begins with.
func placeOfUse(b []byte) place {
	p := row.Parse(b)
	return readPlace(&p)
}
