package projections

import (
	"github.com/cockroachdb/pebble/v2"
)

// generations says which generation of each table answers. The second byte of
// every key is the generation; a rebuild writes another one beside it, and one
// row of the meta table decides which of them is live.
//
// The order that makes this safe: the rows of the new generation, then the meta
// row, then this map, then the removal of the old rows, by range tombstones. A reader
// takes the map, then its snapshot, then looks whether the map is still the same: so the
// rows it was told to read were not removed before its snapshot. (Excise would be cheaper
// than tombstones, but it removes rows from snapshots too.) A crash at any point leaves rows
// that no meta row names, and those are removed at the next start.
type generations [256]byte

// firstGeneration is that of a projection that was never rebuilt. Zero is
// never a generation, so that a table nobody registered reads as empty.
const firstGeneration byte = 1

func nextGeneration(g byte) byte {
	if g == 255 {
		return firstGeneration
	}
	return g + 1
}

// turn makes the tables answer from generation g.
func (s *Store) turn(tables []TableID, g byte) {
	next := *s.live.Load()
	for _, t := range tables {
		next[t] = g
	}
	s.live.Store(&next)
}

// sweep removes the rows of every generation of a table but keep.
func (s *Store) sweep(t TableID, keep byte) error {
	ranges := [][2][]byte{
		{{byte(t), 0}, {byte(t), keep}},
		{{byte(t), keep + 1}, {byte(t) + 1}},
	}
	if keep == 255 {
		ranges = ranges[:1]
	}
	for _, r := range ranges {
		some, err := s.any(r[0], r[1])
		if err != nil {
			return err
		}
		if !some {
			continue
		}
		if err := s.remove(r[0], r[1]); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) any(low, high []byte) (bool, error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: low, UpperBound: high})
	if err != nil {
		return false, err
	}
	some := it.First()
	return some, it.Close()
}

func (s *Store) remove(low, high []byte) error {
	b := s.db.NewBatch()
	defer b.Close()
	if err := b.DeleteRange(low, high, nil); err != nil {
		return err
	}
	return s.commit(b)
}
