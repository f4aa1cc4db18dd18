package account

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/keyledger/keyledger/events"
)

// The first byte of what is encoded. An account's header is JSON after it: it is
// small, rarely written and worth reading by eye. A user is binary:
//
//	id, name, kind, role  uvarint length, bytes
//	grants                uvarint, how many, then uvarint length, bytes each
const (
	headerLayout = 1
	userLayout   = 1
)

// header is a State without its users.
type header struct {
	Opened    bool             `json:"opened"`
	ID        events.AccountID `json:"account_id"`
	Name      string           `json:"name"`
	Operator  bool             `json:"operator,omitempty"`
	Preset    string           `json:"preset"`
	Overrides json.RawMessage  `json:"overrides,omitempty"`
	Policy    events.Policy    `json:"policy"`
	RootUser  events.UserID    `json:"root_user_id"`
}

// AppendState appends the header of s to dst, as ParseState reads it: all but its
// users.
func AppendState(dst []byte, s State) []byte {
	text, err := json.Marshal(header{
		Opened: s.Opened, ID: s.ID, Name: s.Name, Operator: s.Operator, Preset: s.Preset, Overrides: s.Overrides,
		Policy: s.Policy, RootUser: s.RootUser,
	})
	if err != nil { // only if the overrides are not JSON, which no event can carry
		panic("account: " + err.Error())
	}
	return append(append(dst, headerLayout), text...)
}

// ParseState is the inverse of AppendState. It refuses everything else, and never
// panics. The state has no users.
func ParseState(data []byte) (State, error) {
	if len(data) == 0 || data[0] != headerLayout {
		return State{}, fmt.Errorf("account: encoded state: want layout %d", headerLayout)
	}
	var h header
	d := json.NewDecoder(bytes.NewReader(data[1:]))
	d.DisallowUnknownFields()
	if err := d.Decode(&h); err != nil {
		return State{}, fmt.Errorf("account: encoded state: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return State{}, errors.New("account: encoded state: too long")
	}
	return State{
		Opened: h.Opened, ID: h.ID, Name: h.Name, Operator: h.Operator, Preset: h.Preset, Overrides: h.Overrides,
		Policy: h.Policy, RootUser: h.RootUser,
	}, nil
}

// AppendUser appends u in binary to dst, as ParseUser reads it.
func AppendUser(dst []byte, u User) []byte {
	dst = append(dst, userLayout)
	for _, text := range [...]string{string(u.ID), u.Name, u.Kind, u.Role} {
		dst = appendText(dst, text)
	}
	dst = binary.AppendUvarint(dst, uint64(len(u.Grants)))
	for _, grant := range u.Grants {
		dst = appendText(dst, grant)
	}
	return dst
}

func appendText(dst []byte, text string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// ParseUser is the inverse of AppendUser. It refuses everything else, and never
// panics. The user shares no memory with data.
func ParseUser(data []byte) (User, error) {
	if len(data) == 0 || data[0] != userLayout {
		return User{}, fmt.Errorf("account: encoded user: want layout %d", userLayout)
	}
	r := reader{data: data[1:], text: string(data[1:])} // one copy, of which all texts are parts
	u := User{ID: events.UserID(r.string()), Name: r.string(), Kind: r.string(), Role: r.string()}
	n := r.uvarint()
	if n > uint64(len(r.data)) { // each takes a byte at least
		r.fail()
	} else if n > 0 {
		u.Grants = make([]string, n)
	}
	for i := range u.Grants {
		u.Grants[i] = r.string()
	}
	if r.bad || len(r.data) > 0 {
		return User{}, errors.New("account: encoded user: cut short, too long or damaged")
	}
	return u, nil
}

// A reader takes values off the front of data, of which text is a copy. After the
// first that is not there it is bad, and all that follow are zero.
type reader struct {
	data []byte
	text string
	bad  bool
}

func (r *reader) fail() { r.data, r.text, r.bad = nil, "", true }

func (r *reader) uvarint() uint64 {
	n, size := binary.Uvarint(r.data)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.data, r.text = r.data[size:], r.text[size:]
	return n
}

func (r *reader) string() string {
	n := r.uvarint()
	if n > uint64(len(r.data)) {
		r.fail()
		return ""
	}
	text := r.text[:n]
	r.data, r.text = r.data[n:], r.text[n:]
	return text
}
