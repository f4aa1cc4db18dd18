package verify

import (
	"time"

	"github.com/keyledger/keyledger/events"
)

// MaxKept is how many keys are kept at most, and MaxAbsent how many that do not exist.
const (
	MaxKept   = shards * perShard
	MaxAbsent = shards * absentPerShard
)

// Kept is how many keys are kept, and how many that do not exist.
func (v *Verifier) Kept() (n, absent int) {
	for i := range v.cache.shards {
		s := &v.cache.shards[i]
		s.mu.RLock()
		n += len(s.entries)
		absent += len(s.absent)
		s.mu.RUnlock()
	}
	return n, absent
}

// BoundNonces lets tests reach the bounds.
func (v *Verifier) BoundNonces(ofKey, all int) { v.nonces.ofKey, v.nonces.all = ofKey, all }

// Seen is what a request with a nonce asks.
func (v *Verifier) Seen(id events.AccessKeyID, n Nonce, now time.Time) (bool, error) {
	return v.nonces.add(id, n, now, now.Add(time.Hour))
}
