package verify

import (
	"hash/maphash"
	"sync"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/vault"
)

// What a cache may hold: about 300 bytes each.
const (
	shards   = 64
	perShard = 2048
)

// An entry is what a request that names a key is judged by: the key and its
// secret, or the decoy where there is no such key. It is never changed.
type entry struct {
	key    Key
	secret vault.Secret
	found  bool
}

// A cache keeps entries, never verdicts, until the log says something about
// their keys. Keys that do not exist are kept like those that do, so that the time an
// answer takes does not tell them apart.
type cache struct {
	seed   maphash.Seed
	shards [shards]shard
}

type shard struct {
	mu      sync.RWMutex
	entries map[events.AccessKeyID]*entry
	// version is raised when anything is forgotten: what was read from the store
	// before is not put in after.
	version uint64
}

func newCache() *cache { return &cache{seed: maphash.MakeSeed()} }

func (c *cache) of(id events.AccessKeyID) *shard {
	return &c.shards[maphash.String(c.seed, string(id))%shards]
}

func (s *shard) get(id events.AccessKeyID) (*entry, uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.entries[id], s.version
}

// put keeps an entry that was read at a version, unless something has been
// forgotten since. Where there is no room another entry goes, whichever it is.
func (s *shard) put(id events.AccessKeyID, e *entry, version uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.version != version {
		return
	}
	if s.entries == nil {
		s.entries = map[events.AccessKeyID]*entry{}
	}
	if len(s.entries) >= perShard {
		for other := range s.entries {
			delete(s.entries, other)
			break
		}
	}
	s.entries[id] = e
}

// Forget drops what is kept of a key. It is called when an event about it has been
// applied, and before anybody is told that it is.
func (v *Verifier) Forget(id events.AccessKeyID) {
	s := v.cache.of(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	delete(s.entries, id)
}

// ForgetAll drops everything that is kept: a policy has changed, or what is known
// was built anew.
func (v *Verifier) ForgetAll() {
	for i := range v.cache.shards {
		s := &v.cache.shards[i]
		s.mu.Lock()
		s.version++
		clear(s.entries)
		s.mu.Unlock()
	}
}
