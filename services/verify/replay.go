package verify

import (
	"crypto/sha256"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/dialect"
)

// ErrRefilling says that this process does not know, or not yet, which nonces came before it was
// started. It refuses to decide about requests that carry one and may have come then.
var ErrRefilling = errors.New("verify: the memory of nonces is being refilled; try again")

// ErrCrowded says that a key, or all together, have made more requests with a nonce than can
// be remembered while they could be made again. It refuses to decide about more.
var ErrCrowded = errors.New("verify: more requests with a nonce than can be remembered; try again later")

// How many nonces are remembered: about 50 bytes each.
const (
	maxNoncesOfKey = 2 << 20
	maxNonces      = 4 << 20
)

// MaxReplayWindow is the longest time that any nonce is remembered: both sides of the widest
// clock window, and what was signed at its very end.
const MaxReplayWindow = 31 * time.Minute

// A Nonce is what is remembered, and recorded, of a nonce: the first 16 bytes of the SHA-256
// of the access key ID, a zero byte and the nonce.
type Nonce [16]byte

func nonceOf(id events.AccessKeyID, nonce string) (n Nonce) {
	sum := sha256.Sum256([]byte(string(id) + "\x00" + nonce))
	copy(n[:], sum[:])
	return n
}

// nonces are those that came while they could come again. Only whoever holds a key's
// secret can make it remember anything.
type nonces struct {
	ready      atomic.Bool  // what came before the process began is here too
	unknown    atomic.Int64 // Unix nanoseconds: of requests signed until then it is not known whether they came
	total      atomic.Int64
	ofKey, all int // how many may be remembered

	mu   sync.Mutex
	keys map[events.AccessKeyID]*nonceSet
}

// A nonceSet is the nonces of a key, each with the time (Unix nanoseconds) until which it counts.
type nonceSet struct {
	mu    sync.Mutex
	until map[Nonce]int64
	sweep int       // how many there may be before those that count no more are looked for
	swept time.Time // when they were last
	gone  bool      // no longer among the keys: nothing may be added
}

func (s *nonces) of(id events.AccessKeyID) *nonceSet {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.keys[id]
	if k == nil {
		if s.keys == nil {
			s.keys = map[events.AccessKeyID]*nonceSet{}
		}
		k = &nonceSet{until: map[Nonce]int64{}, sweep: 1024}
		s.keys[id] = k
	}
	return k
}

// lock gives the nonces of a key, which nobody else has until they are unlocked.
func (s *nonces) lock(id events.AccessKeyID) *nonceSet {
	for {
		k := s.of(id)
		k.mu.Lock()
		if !k.gone {
			return k
		}
		k.mu.Unlock()
	}
}

// add remembers a nonce until a time, and says whether it was remembered before.
func (s *nonces) add(id events.AccessKeyID, n Nonce, now, until time.Time) (seen bool, err error) {
	k := s.lock(id)
	defer k.mu.Unlock()
	if k.until[n] > now.UnixNano() {
		return true, nil
	}
	if len(k.until) >= k.sweep || len(k.until) >= s.ofKey && now.Sub(k.swept).Abs() >= time.Second {
		s.total.Add(-int64(k.forget(now)))
		k.sweep, k.swept = max(1024, 2*len(k.until)), now
	}
	if len(k.until) >= s.ofKey || s.total.Load() >= int64(s.all) {
		return false, ErrCrowded
	}
	if _, there := k.until[n]; !there {
		s.total.Add(1)
	}
	k.until[n] = max(k.until[n], until.UnixNano())
	return false, nil
}

// forget drops what counts no more. The caller holds mu.
func (k *nonceSet) forget(now time.Time) (dropped int) {
	for n, until := range k.until {
		if until <= now.UnixNano() {
			delete(k.until, n)
			dropped++
		}
	}
	return dropped
}

// replayed judges the nonce of a claim that holds. A request can be made again until the
// clock window closes that its own time is in the middle of, which may lie a whole window ahead.
func (v *Verifier) replayed(id events.AccessKeyID, c dialect.Claim) (n Nonce, seen bool, err error) {
	if !v.nonces.ready.Load() || c.SignedAt.UnixNano() <= v.nonces.unknown.Load() {
		return n, false, ErrRefilling
	}
	n, now := nonceOf(id, c.Nonce), v.Now()
	seen, err = v.nonces.add(id, n, now, now.Add(min(2*c.Skew+time.Minute, MaxReplayWindow)))
	return n, seen, err
}

// Release takes back the nonce of a decision that nobody was told and that is not on
// record: the request may be made again.
func (v *Verifier) Release(d Decision) {
	if d.Nonce == (Nonce{}) {
		return
	}
	k := v.nonces.lock(d.Key)
	defer k.mu.Unlock()
	if _, there := k.until[d.Nonce]; there {
		delete(k.until, d.Nonce)
		v.nonces.total.Add(-1)
	}
}

// Remember is told of a nonce that came before this process began, at a time.
func (v *Verifier) Remember(id events.AccessKeyID, n Nonce, at time.Time) error {
	now, until := v.Now(), at.Add(MaxReplayWindow)
	if !until.After(now) {
		return nil
	}
	_, err := v.nonces.add(id, n, now, until)
	return err
}

// Forgotten says that some nonces of requests that were signed at t or before are not known, and
// never will be: such requests are not decided about. It does not take back what it said before.
func (v *Verifier) Forgotten(t time.Time) {
	v.nonces.unknown.Store(max(v.nonces.unknown.Load(), t.UnixNano()))
}

// Remembered says that Remember has been told of all: from now on requests with a nonce are
// decided about.
func (v *Verifier) Remembered() { v.nonces.ready.Store(true) }

// ForgetNonces drops what counts no more of keys that have fallen silent. It is called now
// and then.
func (v *Verifier) ForgetNonces() {
	now := v.Now()
	s := &v.nonces
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, k := range s.keys {
		k.mu.Lock()
		s.total.Add(-int64(k.forget(now)))
		if len(k.until) == 0 {
			k.gone = true
			delete(s.keys, id)
		}
		k.mu.Unlock()
	}
}
