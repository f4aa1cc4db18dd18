package account

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/keyledger/keyledger/events"
)

// The first byte of what is encoded. What follows it are the fields in the order
// of eachField for a header, of AppendUser for a user, of AppendGatewayToken for a gateway token: a text is its length as
// uvarint and its bytes, a list its length as uvarint and its texts, a number a varint, a
// bool one byte.
const (
	headerLayout       = 4 // 3 had no rule on leaks, 2 no networks, 1 no gateway tokens; all are still read
	userLayout         = 1
	gatewayTokenLayout = 1
)

// eachField is every field that s has in a layout, but its users and gateway
// tokens. A field that is added here is added at the end, under another layout.
func eachField(s *State, c coder, layout byte) {
	c.bool(&s.Opened)
	c.text((*string)(&s.ID))
	c.text(&s.Name)
	c.bool(&s.Operator)
	c.text(&s.Preset)
	c.bytes((*[]byte)(&s.Overrides))
	c.text((*string)(&s.RootUser))
	p := &s.Policy
	c.int(&p.Quota.Max)
	c.text(&p.Quota.Counts)
	c.int64(&p.Recycle.RetentionSeconds)
	c.int(&p.Recycle.MaxPerUser)
	c.text(&p.Recycle.Overflow)
	c.bool(&p.Recycle.AppliesToRoot)
	c.bool(&p.Delete.RequiresDisabled)
	c.int64(&p.Delete.MinIdleSeconds)
	c.text(&p.Delete.MinIdleMode)
	c.text(&p.Confirm.Disable)
	c.text(&p.Confirm.Enable)
	c.text(&p.Confirm.Delete)
	c.text(&p.Root.Create)
	c.text(&p.SelfService)
	c.list(&p.Signature.Schemes)
	if layout >= 2 {
		c.int(&s.LiveGatewayTokens)
	}
	if layout >= 3 {
		c.text(&p.Network.Precedence)
		c.network(&s.Network)
	}
	if layout >= 4 {
		c.text(&p.Leak.Action)
		c.text(&p.Leak.Unrestrict)
	}
}

// AppendState appends the header of s in binary to dst, as ParseState reads it: all
// but its users and gateway tokens.
func AppendState(dst []byte, s State) []byte {
	w := writer{dst: append(dst, headerLayout)}
	eachField(&s, &w, headerLayout)
	return w.dst
}

// ParseState is the inverse of AppendState, in this build and those before it: rows
// of theirs answer until they are rebuilt. It refuses everything else, and never panics.
// The state has no users and no gateway tokens, and shares no memory with data.
func ParseState(data []byte) (State, error) {
	r, err := readerOf(data, 1, 2, 3, headerLayout)
	if err != nil {
		return State{}, fmt.Errorf("account: encoded state: %w", err)
	}
	var s State
	eachField(&s, &r, data[0])
	if r.bad || r.left() > 0 {
		return State{}, errors.New("account: encoded state: cut short, too long or damaged")
	}
	return s, nil
}

// AppendUser appends u in binary to dst, as ParseUser reads it.
func AppendUser(dst []byte, u User) []byte {
	w := writer{dst: append(dst, userLayout)} // written out, not by a list of fields: this is many times the faster
	w.text((*string)(&u.ID))
	w.text(&u.Name)
	w.text(&u.Kind)
	w.text(&u.Role)
	w.list(&u.Grants)
	return w.dst
}

// ParseUser is the inverse of AppendUser. It refuses everything else, and never
// panics. The user shares no memory with data.
func ParseUser(data []byte) (User, error) {
	r, err := readerOf(data, userLayout)
	if err != nil {
		return User{}, fmt.Errorf("account: encoded user: %w", err)
	}
	var u User
	r.text((*string)(&u.ID))
	r.text(&u.Name)
	r.text(&u.Kind)
	r.text(&u.Role)
	r.list(&u.Grants)
	if r.bad || r.left() > 0 {
		return User{}, errors.New("account: encoded user: cut short, too long or damaged")
	}
	return u, nil
}

// AppendGatewayToken appends t in binary to dst, as ParseGatewayToken reads it.
func AppendGatewayToken(dst []byte, t GatewayToken) []byte {
	w := writer{dst: append(dst, gatewayTokenLayout)}
	w.text((*string)(&t.ID))
	w.text(&t.Name)
	w.bool(&t.Revoked)
	return w.dst
}

// ParseGatewayToken is the inverse of AppendGatewayToken. It refuses everything
// else, and never panics. The token shares no memory with data.
func ParseGatewayToken(data []byte) (GatewayToken, error) {
	r, err := readerOf(data, gatewayTokenLayout)
	if err != nil {
		return GatewayToken{}, fmt.Errorf("account: encoded gateway token: %w", err)
	}
	var t GatewayToken
	r.text((*string)(&t.ID))
	r.text(&t.Name)
	r.bool(&t.Revoked)
	if r.bad || r.left() > 0 {
		return GatewayToken{}, errors.New("account: encoded gateway token: cut short, too long or damaged")
	}
	return t, nil
}

// A coder writes fields or fills them in: one list of fields serves both ways.
type coder interface {
	text(*string)
	bytes(*[]byte)
	list(*[]string)
	network(*events.NetworkPolicy)
	int(*int)
	int64(*int64)
	bool(*bool)
}

type writer struct{ dst []byte }

func (w *writer) text(v *string) {
	w.dst = append(binary.AppendUvarint(w.dst, uint64(len(*v))), *v...)
}

func (w *writer) bytes(v *[]byte) {
	w.dst = append(binary.AppendUvarint(w.dst, uint64(len(*v))), *v...)
}

func (w *writer) list(v *[]string) {
	w.dst = binary.AppendUvarint(w.dst, uint64(len(*v)))
	for i := range *v {
		w.text(&(*v)[i])
	}
}

// network writes the status, and each statement's type, VPC and addresses behind how many there are.
func (w *writer) network(v *events.NetworkPolicy) {
	w.text(&v.Status)
	w.dst = binary.AppendUvarint(w.dst, uint64(len(v.Statements)))
	for i := range v.Statements {
		s := &v.Statements[i]
		w.text(&s.Type)
		w.text(&s.VPC)
		w.list(&s.Addresses)
	}
}

func (w *writer) int(v *int) { w.dst = binary.AppendVarint(w.dst, int64(*v)) }

func (w *writer) int64(v *int64) { w.dst = binary.AppendVarint(w.dst, *v) }

func (w *writer) bool(v *bool) {
	if *v {
		w.dst = append(w.dst, 1)
	} else {
		w.dst = append(w.dst, 0)
	}
}

// A reader takes values out of data, of which all is a copy. After the first that
// is not there it is bad, and all that follow are zero.
type reader struct {
	data []byte
	all  string
	at   int
	bad  bool
}

func readerOf(data []byte, layouts ...byte) (reader, error) {
	if len(data) == 0 || !slices.Contains(layouts, data[0]) {
		return reader{}, fmt.Errorf("want layout %d", layouts)
	}
	return reader{data: data, all: string(data), at: 1}, nil // one copy, of which all texts are parts
}

func (r *reader) left() int { return len(r.data) - r.at }

func (r *reader) fail() { r.at, r.bad = len(r.data), true }

// length is the length of what comes next, of which each element takes a byte at
// least: damage cannot ask for more memory than a small multiple of the data's length.
func (r *reader) length() int {
	n, size := binary.Uvarint(r.data[r.at:])
	if size <= 0 || n > uint64(r.left()-size) {
		r.fail()
		return 0
	}
	r.at += size
	return int(n)
}

func (r *reader) text(v *string) {
	n := r.length()
	*v = r.all[r.at : r.at+n]
	r.at += n
}

func (r *reader) bytes(v *[]byte) {
	var text string
	if r.text(&text); text != "" {
		*v = []byte(text)
	}
}

func (r *reader) list(v *[]string) {
	if n := r.length(); n > 0 {
		*v = make([]string, n)
	}
	for i := range *v {
		r.text(&(*v)[i])
	}
}

func (r *reader) network(v *events.NetworkPolicy) {
	r.text(&v.Status)
	if n := r.length(); n > 0 {
		v.Statements = make([]events.NetworkStatement, n)
	}
	for i := range v.Statements {
		s := &v.Statements[i]
		r.text(&s.Type)
		r.text(&s.VPC)
		r.list(&s.Addresses)
	}
}

func (r *reader) int(v *int) {
	var n int64
	r.int64(&n)
	*v = int(n)
}

func (r *reader) int64(v *int64) {
	n, size := binary.Varint(r.data[r.at:])
	if size <= 0 {
		r.fail()
		return
	}
	r.at += size
	*v = n
}

func (r *reader) bool(v *bool) {
	if r.left() == 0 || r.data[r.at] > 1 {
		r.fail()
		return
	}
	*v = r.data[r.at] == 1
	r.at++
}
