package events

import (
	"errors"
	"fmt"
	"strings"
)

// A Subject is a consistency boundary and its place in the log: an account's
// own facts (Account alone), the keyring of one user (Account and User), or the
// reservation of an access key ID (Key alone). Its text is the NATS subject, one
// literal subject per boundary.
type Subject struct {
	Account AccountID
	User    UserID
	Key     AccessKeyID
}

// AccountSubject is where an account's own facts are.
func AccountSubject(a AccountID) Subject { return Subject{Account: a} }

// KeyringSubject is where the facts about one user's keys are.
func KeyringSubject(a AccountID, u UserID) Subject { return Subject{Account: a, User: u} }

// ReservationSubject is where it is that the ID of an imported key is reserved. It
// holds one message, for ever: whoever wants to write another must expect none.
func ReservationSubject(k AccessKeyID) Subject { return Subject{Key: k} }

// reservations is the token that stands before an access key ID, where other
// subjects have an account's 12 digits.
const reservations = "key"

// String is "ledger.<account>", "ledger.<account>.<user>" or "ledger.key.<access key ID>".
func (s Subject) String() string {
	if s.Key != "" {
		return "ledger." + reservations + "." + string(s.Key)
	}
	if s.User == "" {
		return "ledger." + string(s.Account)
	}
	return "ledger." + string(s.Account) + "." + string(s.User)
}

// Source is the subject as a CloudEvents source: "/accounts/<account>",
// "/accounts/<account>/users/<user>" or "/keys/<access key ID>".
func (s Subject) Source() string {
	if s.Key != "" {
		return "/keys/" + string(s.Key)
	}
	if s.User == "" {
		return "/accounts/" + string(s.Account)
	}
	return "/accounts/" + string(s.Account) + "/users/" + string(s.User)
}

// Valid says what is wrong with the subject, or nil.
func (s Subject) Valid() error {
	if s.Key != "" {
		if s.Account != "" || s.User != "" {
			return errors.New("subject: the reservation of an access key ID belongs to no account")
		}
		return s.Key.Valid()
	}
	if err := s.Account.Valid(); err != nil {
		return err
	}
	if s.User == "" {
		return nil
	}
	return s.User.Valid()
}

// ParseSubject is the inverse of String. It refuses everything else.
func ParseSubject(text string) (Subject, error) {
	rest, ok := strings.CutPrefix(text, "ledger.")
	if !ok {
		return Subject{}, fmt.Errorf("subject %q: want ledger.<account>, ledger.<account>.<user> or ledger.key.<access key ID>", text)
	}
	if key, reserved := strings.CutPrefix(rest, reservations+"."); reserved {
		id := AccessKeyID(key)
		if err := id.Valid(); err != nil {
			return Subject{}, fmt.Errorf("subject %q: %w", text, err)
		}
		return ReservationSubject(id), nil
	}
	account, user, keyring := strings.Cut(rest, ".")
	s := Subject{Account: AccountID(account), User: UserID(user)}
	if keyring && user == "" {
		return Subject{}, fmt.Errorf("subject %q: the user is missing after the last dot", text)
	}
	if err := s.Valid(); err != nil {
		return Subject{}, fmt.Errorf("subject %q: %w", text, err)
	}
	return s, nil
}
