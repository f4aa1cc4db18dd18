package vault

import (
	"fmt"
	"log/slog"
)

// hidden is what every way of printing a secret prints.
const hidden = "[secret]"

// A Secret is a secret access key in the clear. It prints as "[secret]" however
// it is printed, also as a field of something else; only Reveal gives it out.
// Copies of a Secret share their bytes. The zero Secret holds nothing. Secrets
// cannot be compared with ==, which would tell by its timing where they differ.
type Secret struct {
	// held is a function because no printer can look into one: those that walk
	// through unexported fields and pointers end here.
	held func() *[]byte
}

// NewSecret takes over b: the caller must not use it any more.
func NewSecret(b []byte) Secret {
	return Secret{held: func() *[]byte { return &b }}
}

// Reveal is the secret itself, not a copy. Whoever calls it must not keep,
// change, print or send the bytes, except to answer the one who asked for the key.
func (s Secret) Reveal() []byte {
	if s.held == nil {
		return nil
	}
	return *s.held()
}

// IsZero says whether there is no secret: none was given, or it was cleared.
func (s Secret) IsZero() bool { return len(s.Reveal()) == 0 }

// Clear overwrites the bytes with zeros, in every copy, and leaves them empty.
// Nobody may be using them. It cannot reach what others copied from Reveal.
func (s Secret) Clear() {
	if s.held == nil {
		return
	}
	b := s.held()
	clear(*b)
	*b = nil
}

func (Secret) String() string               { return hidden }
func (Secret) GoString() string             { return hidden }
func (Secret) LogValue() slog.Value         { return slog.StringValue(hidden) }
func (Secret) Format(f fmt.State, _ rune)   { fmt.Fprint(f, hidden) }
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }
