package feed

import (
	"slices"
	"strings"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
)

// A Filter says which events a reader wants and may have. Empty fields ask for
// nothing.
type Filter struct {
	Account events.AccountID   // empty: of every account
	User    events.UserID      // about this user's keys, and about the user
	Key     events.AccessKeyID // about this key
	Types   map[string]bool    // CloudEvents types, as [Types] lists them
}

// Types are the CloudEvents types of everything a feed can bring.
func Types() []string {
	var out []string
	for _, e := range events.Catalog() {
		out = append(out, e.Type)
	}
	return append(out, access.TypeUsed, access.TypeAttempted)
}

// TypeOf is the type that a name means: the type itself, or what stands between
// "dev.keyledger." and its version ("key.created").
func TypeOf(name string) (string, bool) {
	all := Types()
	if slices.Contains(all, name) {
		return name, true
	}
	i := slices.IndexFunc(all, func(t string) bool {
		short := strings.TrimPrefix(t, events.TypePrefix)
		return short[:strings.LastIndex(short, ".v")] == name
	})
	if i < 0 {
		return "", false
	}
	return all[i], true
}

// wantsLedger and wantsUsed are whether anything that is wanted can be in a stream.
func (f Filter) wantsLedger() bool {
	n := len(f.Types)
	return n == 0 || n > f.usedTypes()
}

func (f Filter) wantsUsed() bool { return len(f.Types) == 0 || f.usedTypes() > 0 }

func (f Filter) usedTypes() (n int) {
	for _, t := range []string{access.TypeUsed, access.TypeAttempted} {
		if f.Types[t] {
			n++
		}
	}
	return n
}

func (f Filter) wantsType(t string) bool { return len(f.Types) == 0 || f.Types[t] }

// subject is whether a message of LEDGER can hold anything that is wanted.
func (f Filter) subject(s events.Subject) bool {
	if s.Key != "" { // a reservation: its event says whose
		return f.Key == "" || f.Key == s.Key
	}
	return (f.Account == "" || f.Account == s.Account) && (f.User == "" || s.User == "" || f.User == s.User) && (f.Key == "" || s.User != "")
}

// event is whether an event of a message that the filter's subject let through is
// wanted. A user's events are those of the keyring, those that are about the user and
// the reservations for him: s is the owner of the record.
func (f Filter) event(s events.Subject, e events.Event) bool {
	if f.Account != "" && f.Account != s.Account {
		return false
	}
	if !f.wantsType(events.TypeOf(e)) || f.Key != "" && e.About() != string(f.Key) {
		return false
	}
	return f.User == "" || s.User == f.User || strings.HasPrefix(e.Kind(), "user.") && e.About() == string(f.User)
}

func (f Filter) record(r *access.Record) bool {
	return (f.Account == "" || f.Account == r.Account) && (f.User == "" || f.User == r.User) && (f.Key == "" || f.Key == r.Key) &&
		f.wantsType(access.TypeOf(r))
}
