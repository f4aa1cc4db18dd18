package keyring

import (
	"unicode"
	"unicode/utf8"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/events"
)

// How many characters a text may have.
const (
	MaxText    = 256  // a description or a reason
	maxFoundIn = 1024 // where a secret was seen: room for a URL
)

// lookup is the key with the ID, or what is wrong: before, if that is set, else
// that there is no such key.
func lookup(s State, id events.AccessKeyID, before error) (Key, error) {
	if before != nil {
		return Key{}, before
	}
	if k, ok := s.Key(id); ok {
		return k, nil
	}
	return Key{}, aggregate.Refuse(aggregate.NotFound, "key.not_found", "the user has no key %q; it may have been purged", id)
}

// validText holds what people write about a key to one line of bounded length.
func validText(field, text string) error { return validTextOf(field, text, MaxText) }

func validTextOf(field, text string, most int) error {
	if !utf8.ValidString(text) {
		return aggregate.Refuse(aggregate.Invalid, "key."+field, "the %s is not valid UTF-8", field)
	}
	if n := utf8.RuneCountInString(text); n > most {
		return aggregate.Refuse(aggregate.Invalid, "key."+field, "the %s has %d characters; want at most %d", field, n, most)
	}
	for _, r := range text {
		if unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) || bidirectional(r) {
			return aggregate.Refuse(aggregate.Invalid, "key."+field, "the %s holds the control character %U; want one line of text", field, r)
		}
	}
	return nil
}

func validUser(id events.UserID) error {
	if err := id.Valid(); err != nil {
		return aggregate.Refuse(aggregate.Invalid, "user.id", "%v", err)
	}
	return nil
}

// validPolicy refuses a command whose policy was left out: the zero policy would
// purge what it should keep.
func validPolicy(p events.Policy) error {
	if p.Quota.Max < 1 {
		return aggregate.Refuse(aggregate.Invalid, "policy.missing", "the command carries no policy; want the one in force in the account")
	}
	return nil
}

// isRoot says whether the kind of user is root. It refuses kinds it does not know,
// so that a forgotten one does not pass for an ordinary user.
func isRoot(kind string) (bool, error) {
	switch kind {
	case events.KindRoot:
		return true, nil
	case events.KindUser, events.KindCollaborator:
		return false, nil
	}
	return false, aggregate.Refuse(aggregate.Invalid, "user.kind", "%q is not a kind of user; want root, user or collaborator", kind)
}

// bidirectional says whether a character turns the text around it: what is shown
// would not be what is recorded.
func bidirectional(r rune) bool {
	return r == 0x061c || r == 0x200e || r == 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}
