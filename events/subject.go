package events

import (
	"fmt"
	"strings"
)

// A Subject is a consistency boundary and its place in the log: an account's
// own facts (User empty) or the keyring of one user. Its text is the NATS
// subject, one literal subject per boundary.
type Subject struct {
	Account AccountID
	User    UserID
}

// AccountSubject is where an account's own facts are.
func AccountSubject(a AccountID) Subject { return Subject{Account: a} }

// KeyringSubject is where the facts about one user's keys are.
func KeyringSubject(a AccountID, u UserID) Subject { return Subject{Account: a, User: u} }

// String is "ledger.<account>" or "ledger.<account>.<user>".
func (s Subject) String() string {
	if s.User == "" {
		return "ledger." + string(s.Account)
	}
	return "ledger." + string(s.Account) + "." + string(s.User)
}

// Source is the subject as a CloudEvents source: "/accounts/<account>" or
// "/accounts/<account>/users/<user>".
func (s Subject) Source() string {
	if s.User == "" {
		return "/accounts/" + string(s.Account)
	}
	return "/accounts/" + string(s.Account) + "/users/" + string(s.User)
}

// Valid says what is wrong with the subject, or nil.
func (s Subject) Valid() error {
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
		return Subject{}, fmt.Errorf("subject %q: want ledger.<account> or ledger.<account>.<user>", text)
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
