package events

import (
	"errors"
	"fmt"
	"strings"
)

// An AccountID is 12 decimal digits, so that it serves as AWS account,
// Alibaba and Tencent owner ID and NATS subject token alike.
type AccountID string

// A UserID is 18 decimal digits, the first not zero; it fits an int64.
type UserID string

// An AccessKeyID is the public half of an access key: 1 to 128 letters, digits,
// '-' or '_'. Ours are KLAK and 16 characters of Crockford base32; imported
// keys keep their own shape.
type AccessKeyID string

// A GatewayTokenID names a gateway token and is no secret: KLGT and 16
// characters of Crockford base32.
type GatewayTokenID string

// An EventID is a UUID of version 7 in its canonical text form.
type EventID string

// A RequestID names a request of one actor in one account: 1 to 128 printable
// ASCII characters. Those that clients choose never contain '#', which the ledger uses
// to name the later steps of a request that takes several decisions.
type RequestID string

// An Actor is who asked: "<account>/<user>" for a person or program, or
// "system:<part>" for the ledger itself.
type Actor string

// UserActor is the actor that a user of an account is.
func UserActor(a AccountID, u UserID) Actor { return Actor(string(a) + "/" + string(u)) }

// Actors that are part of the ledger itself.
const (
	ActorTimekeeper Actor = "system:timekeeper"
	ActorFirstStart Actor = "system:first-start"
	ActorRecovery   Actor = "system:recovery"
)

// Valid says what is wrong with the ID, or nil.
func (id AccountID) Valid() error { return digits("account ID", string(id), 12) }

// Valid says what is wrong with the ID, or nil.
func (id UserID) Valid() error { return digits("user ID", string(id), 18) }

// Valid says what is wrong with the ID, or nil.
func (id AccessKeyID) Valid() error {
	if len(id) < 1 || len(id) > 128 {
		return fmt.Errorf("access key ID: want 1 to 128 characters, got %d", len(id))
	}
	for i, c := range id { // by characters, to name one as it was written
		if !(c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '-' || c == '_') {
			return fmt.Errorf("access key ID: want letters, digits, '-' and '_', got %q at %d", c, i)
		}
	}
	return nil
}

// Valid says what is wrong with the ID, or nil.
func (id GatewayTokenID) Valid() error {
	letters, ours := strings.CutPrefix(string(id), "KLGT")
	if !ours || len(letters) != 16 || strings.Trim(letters, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") != "" {
		return errors.New("gateway token ID: want KLGT and 16 digits or upper-case letters without I, L, O and U")
	}
	return nil
}

// Valid says what is wrong with the ID, or nil.
func (id RequestID) Valid() error {
	if len(id) < 1 || len(id) > 128 {
		return fmt.Errorf("request ID: want 1 to 128 characters, got %d", len(id))
	}
	for i := range len(id) {
		if id[i] < 0x21 || id[i] > 0x7e {
			return fmt.Errorf("request ID: want printable ASCII without spaces, got %q at %d", id[i], i)
		}
	}
	return nil
}

func digits(what, s string, n int) error {
	if len(s) != n {
		return fmt.Errorf("%s: want %d digits, got %d characters", what, n, len(s))
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return fmt.Errorf("%s: want digits only, got %q at %d", what, s[i], i)
		}
	}
	if s[0] == '0' {
		return fmt.Errorf("%s: the first digit may not be 0", what)
	}
	return nil
}
