package verify

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
