package projections

// A filter is a Bloom filter of the keys that were ever written, by their hashes: what it does
// not have was never there. It grows by parts, each twice as large as the one before.
type filter struct {
	parts [][]uint64
	room  int // hashes that the last part can still take
}

// The first part has room for so many hashes; each takes 16 bits, and has four of
// one word set. Of keys that were never there two in a hundred seem to be.
const firstRoom = 1 << 14

func (f *filter) add(hash uint64) {
	if f.room == 0 {
		f.room = firstRoom << len(f.parts)
		f.parts = append(f.parts, make([]uint64, f.room/4))
	}
	f.room--
	last := f.parts[len(f.parts)-1]
	last[hash&uint64(len(last)-1)] |= filterBits(hash)
}

// has says whether hash may be among those that were added.
func (f *filter) has(hash uint64) bool {
	bits := filterBits(hash)
	for _, part := range f.parts {
		if part[hash&uint64(len(part)-1)]&bits == bits {
			return true
		}
	}
	return false
}

// filterBits are the bits of a hash within its word, which its lower bits choose.
func filterBits(hash uint64) uint64 {
	return 1<<(hash>>58) | 1<<(hash>>52&63) | 1<<(hash>>46&63) | 1<<(hash>>40&63)
}
