package verify

import (
	"hash/maphash"
	"sync"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/vault"
)

// What a cache may hold: about 300 bytes each. Keys that do not exist have few places,
// and of their own: anybody can name as many of them as he likes.
const (
	shards         = 64
	perShard       = 2048
	absentPerShard = 64
)

// An entry is what a request that names a key is judged by: the key and its
// secret, or the decoy where there is no such key. It is never changed.
type entry struct {
	key    Key
	secret vault.Secret
	found  bool
}

// A cache keeps entries, never verdicts, until the log says something about
// their keys. Keys that do not exist are kept too, so that of a key that is named again and
// again the time an answer takes does not tell whether there is one; but they push out
// each other alone.
type cache struct {
	seed   maphash.Seed
	shards [shards]shard
}

type shard struct {
	mu      sync.RWMutex
	entries map[events.AccessKeyID]*entry
	absent  map[events.AccessKeyID]*entry // of keys that do not exist
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
	if e := s.entries[id]; e != nil {
		return e, s.version
	}
	return s.absent[id], s.version
}

// put keeps an entry that was read at a version, unless something has been
// forgotten since. Where there is no room another entry goes, whichever it is.
func (s *shard) put(id events.AccessKeyID, e *entry, version uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.version != version {
		return
	}
	if e.found {
		s.entries = keep(s.entries, id, e, perShard)
	} else {
		s.absent = keep(s.absent, id, e, absentPerShard)
	}
}

func keep(in map[events.AccessKeyID]*entry, id events.AccessKeyID, e *entry, most int) map[events.AccessKeyID]*entry {
	if in == nil {
		in = map[events.AccessKeyID]*entry{}
	}
	if _, there := in[id]; !there && len(in) >= most {
		for other := range in {
			delete(in, other)
			break
		}
	}
	in[id] = e
	return in
}

// Forget drops what is kept of a key. It is called when an event about it has been
// applied, and before anybody is told that it is.
func (v *Verifier) Forget(id events.AccessKeyID) {
	s := v.cache.of(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	delete(s.entries, id)
	delete(s.absent, id)
}

// ForgetAll drops everything that is kept: a policy has changed, or what is known
// was built anew.
func (v *Verifier) ForgetAll() {
	for i := range v.cache.shards {
		s := &v.cache.shards[i]
		s.mu.Lock()
		s.version++
		clear(s.entries)
		clear(s.absent)
		s.mu.Unlock()
	}
}
