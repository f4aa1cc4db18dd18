package verify

import (
	"net/netip"
	"sync"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/clientip"
	"github.com/keyledger/keyledger/services/dialect"
)

// maxFailing bounds what a lockout remembers, in pairs of key and source. Beyond it the oldest
// is forgotten, so that whoever has many addresses can at most undo locks.
const maxFailing = 4096

// A lockout is a vendor's lock against guessing: a key that is named with too many
// wrong signatures in a row is locked, but only for the source that they came from. Nobody
// can lock a key for its owner, unless he sends from the owner's address. Where nobody says where
// a request came from, nothing is counted: all the world would share one lock.
//
// Nothing of it is recorded: after a start no key is locked.
type lockout struct {
	rule dialect.Lockout

	mu      sync.Mutex
	failing map[failure]*failures
}

// A failure is whose wrong signatures are counted together.
type failure struct {
	key  events.AccessKeyID
	from netip.Prefix
}

type failures struct {
	inARow int
	last   time.Time
	until  time.Time // locked until then
}

// newLockouts makes the locks for the rules of schemes. Schemes of one rule share one: a key that is locked is
// locked for each.
func newLockouts(rules map[string]dialect.Lockout) map[string]*lockout {
	of, out := map[dialect.Lockout]*lockout{}, map[string]*lockout{}
	for scheme, rule := range rules {
		if of[rule] == nil {
			of[rule] = &lockout{rule: rule, failing: map[failure]*failures{}}
		}
		out[scheme] = of[rule]
	}
	return out
}

// lock refuses a request by a key that is locked for its source. Keys that are not active are left out: whether
// there is one is not told.
func (v *Verifier) lock(d Decision, source netip.Addr) Decision {
	l, wrong := v.lockouts[d.Claim.Scheme], d.Refused != nil && d.Refused.Reason == dialect.SignatureMismatch
	if l == nil || !source.IsValid() || d.Status != events.StatusActive || !wrong && !d.Genuine {
		return d
	}
	if l.locked(d.Key, source, wrong, v.Now()) {
		d.Allowed = false
		return d.refuse(KeyLocked, "the access key is locked for this source: too many wrong signatures came from it")
	}
	return d
}

// locked says whether the key is locked for the source. If it is not, the request is
// remembered: one that is wrong is counted, and one that is right ends the row.
func (l *lockout) locked(key events.AccessKeyID, from netip.Addr, wrong bool, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	of := failure{key, clientip.Source(from)}
	f := l.failing[of]
	switch {
	case f != nil && now.Before(f.until):
		return true
	case !wrong:
		delete(l.failing, of)
		return false
	case f == nil || now.Sub(f.last) > l.rule.For:
		l.makeRoom(of)
		f = &failures{}
		l.failing[of] = f
	}
	f.inARow, f.last = f.inARow+1, now
	if f.inARow > l.rule.Failures {
		f.inARow, f.until = 0, now.Add(l.rule.For)
	}
	return false
}

// makeRoom forgets the pair that failed longest ago, if there are too many.
func (l *lockout) makeRoom(of failure) {
	if len(l.failing) < maxFailing || l.failing[of] != nil {
		return
	}
	oldest := of
	for other, f := range l.failing {
		if oldest == of || f.last.Before(l.failing[oldest].last) {
			oldest = other
		}
	}
	delete(l.failing, oldest)
}
