package access

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"strings"

	"github.com/keyledger/keyledger/events"
)

// Bounds of what the folder remembers of rows that it wrote or read. What is forgotten is
// read again, or written again as it was.
const (
	maxKnown = 1 << 16 // keys in each of two generations
	maxSeen  = 1 << 18 // rows in each of two generations
)

// A known key is what the folder remembers of one.
type known struct {
	key events.AccessKeyID

	loaded        bool // used and refused are as in the store, or newer
	used, refused []byte
	changed       bool // used or refused are newer than in the store

	days  []dayRow // read or counted
	dirty []day    // those that are newer than in the store

	address      netip.Addr // the last whose row was written, in addressMonth and account
	addressMonth month
	account      events.AccountID

	stack      stack // of the rows of its records, in a month and a batch
	stackMonth month
	stackBatch int

	listed bool // among the folder's touched
}

// A recall is keys by ID, in two generations: those found in the older one move to the
// younger, and what is left in the older is forgotten when the younger is full.
type recall struct{ young, old map[events.AccessKeyID]*known }

func newRecall() recall { return recall{young: map[events.AccessKeyID]*known{}} }

// of is what is remembered of a key, from now on if nothing is.
func (c *recall) of(id events.AccessKeyID) *known {
	if k, ok := c.young[id]; ok {
		return k
	}
	k, ok := c.old[id]
	if !ok {
		k = &known{key: events.AccessKeyID(strings.Clone(string(id)))}
	}
	c.young[k.key] = k
	return k
}

// age forgets, if it is time. No key may be newer than in the store.
func (c *recall) age() {
	if len(c.young) >= maxKnown {
		c.old, c.young = c.young, map[events.AccessKeyID]*known{}
	}
}

// rows is the stack of what a batch has of its records in a month.
func (k *known) rows(batch int, m month) *stack {
	if k.stackBatch != batch || k.stackMonth != m {
		k.stack, k.stackMonth, k.stackBatch = stack{}, m, batch
	}
	return &k.stack
}

// settle forgets all days but the last two, which are the ones that go on.
func (k *known) settle() {
	k.changed, k.listed, k.dirty = false, false, k.dirty[:0]
	if n := len(k.days); n > 2 {
		k.days = append(k.days[:0], k.days[n-2:]...)
	}
}

// seen is a set of rows that were written, by 128 bits of two hashes whose seeds nobody
// knows, in two generations.
type seen struct {
	seeds      [2]maphash.Seed
	young, old map[[16]byte]struct{}
}

func newSeen() seen {
	return seen{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, young: map[[16]byte]struct{}{}}
}

// add says whether a row is new to the set, and adds it.
func (s *seen) add(key []byte) bool {
	var h [16]byte
	binary.NativeEndian.PutUint64(h[:8], maphash.Bytes(s.seeds[0], key))
	binary.NativeEndian.PutUint64(h[8:], maphash.Bytes(s.seeds[1], key))
	if _, ok := s.young[h]; ok {
		return false
	}
	_, ok := s.old[h]
	if len(s.young) >= maxSeen {
		s.old, s.young = s.young, map[[16]byte]struct{}{}
	}
	s.young[h] = struct{}{}
	return !ok
}
