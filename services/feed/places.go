package feed

import (
	"sync"

	"github.com/keyledger/keyledger/events"
)

// How many may read at once, unless a Config says otherwise.
const (
	MaxReaders    = 64
	MaxPerAccount = 16
	MaxPerUser    = 4
)

// A Caller is who reads.
type Caller struct {
	Account  events.AccountID
	User     events.UserID
	Oversees bool // may read all that happens in the account, not only what is the user's own
	Operator bool // the account is the operator's
}

// places are the readers there are, so counted that nobody can shut out whoever watches
// over them: a user has a few, users who read their own events share half of their account's,
// and all accounts leave as many as one may have to the operator's.
type places struct {
	all, perAccount, perUser int

	mu       sync.Mutex
	total    int
	tenants  int // of accounts that are not the operator's
	accounts map[events.AccountID]int
	plain    map[events.AccountID]int // of users who don't oversee their account
	users    map[userOf]int
}

type userOf struct {
	account events.AccountID
	user    events.UserID
}

func newPlaces(c Config) places {
	return places{
		all: c.Readers, perAccount: c.PerAccount, perUser: c.PerUser,
		accounts: map[events.AccountID]int{}, plain: map[events.AccountID]int{}, users: map[userOf]int{},
	}
}

// take gives c a place. The error is a *RefusedError.
func (p *places) take(c Caller) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := userOf{c.Account, c.User}
	switch {
	case p.users[u] >= p.perUser:
		return refuse(Crowded, "%d readers of the user follow events here already; try again when one has left", p.users[u])
	case p.accounts[c.Account] >= p.perAccount:
		return refuse(Crowded, "%d readers of the account follow events here already; try again when one has left", p.accounts[c.Account])
	case !c.Oversees && p.plain[c.Account] >= p.perAccount/2:
		return refuse(Crowded, "%d readers of the account's users follow events here already, and the other places are its admins' and auditors'; try again when one has left", p.plain[c.Account])
	case p.total >= p.all, !c.Operator && p.tenants >= p.all-p.perAccount:
		return refuse(Crowded, "%d readers follow events here already; try again when one has left", p.total)
	}
	p.count(c, 1)
	return nil
}

// leave gives back what take gave to c.
func (p *places) leave(c Caller) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count(c, -1)
}

func (p *places) count(c Caller, n int) {
	p.total += n
	add(p.accounts, c.Account, n)
	add(p.users, userOf{c.Account, c.User}, n)
	if !c.Oversees {
		add(p.plain, c.Account, n)
	}
	if !c.Operator {
		p.tenants += n
	}
}

// add counts, and forgets whom there is nothing of.
func add[K comparable](counts map[K]int, k K, n int) {
	if counts[k] += n; counts[k] == 0 {
		delete(counts, k)
	}
}
