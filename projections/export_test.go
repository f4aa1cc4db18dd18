package projections

import "github.com/cockroachdb/pebble/v2"

// Strays is how many rows belong to no generation that answers.
func (s *Store) Strays() (int, error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{byte(tableMeta) + 1}})
	if err != nil {
		return 0, err
	}
	n, live := 0, s.live.Load()
	for ok := it.First(); ok; ok = it.Next() {
		if key := it.Key(); key[1] != live[key[0]] {
			n++
		}
	}
	return n, it.Close()
}
