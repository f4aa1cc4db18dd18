package verify

import (
	"time"

	"github.com/keyledger/keyledger/events"
)

// MaxKept is how many keys are kept at most.
const MaxKept = shards * perShard

// Kept is how many keys are kept.
func (v *Verifier) Kept() int {
	n := 0
	for i := range v.cache.shards {
		s := &v.cache.shards[i]
		s.mu.RLock()
		n += len(s.entries)
		s.mu.RUnlock()
	}
	return n
}

// BoundNonces lets tests reach the bounds.
func (v *Verifier) BoundNonces(ofKey, all int) { v.nonces.ofKey, v.nonces.all = ofKey, all }

// Seen is what a request with a nonce asks.
func (v *Verifier) Seen(id events.AccessKeyID, n Nonce, now time.Time) (bool, error) {
	return v.nonces.add(id, n, now, now.Add(time.Hour))
}
