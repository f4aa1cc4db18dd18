package access

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/keyledger/keyledger/projections"
)

// Reclaim takes from the disk what [Store.Drop] left there: a file that held dropped rows beside others
// stays whole until it is written anew, and nothing else would write it. What is left of such files is compacted
// here, which Drop does not wait for. It does nothing if there are none. Some may be left if others compact at the same time:
// the next call takes them.
func (s *Store) Reclaim(ctx context.Context) error {
	for range reclaimTries {
		first, last, err := s.touchRemains()
		if err != nil || first == nil {
			return err
		}
		err = projections.Guarded(func() error { return s.db.Compact(ctx, first, append(last, 0), false) })
		if err != nil {
			return fmt.Errorf("access: reclaim: %w", err)
		}
	}
	return nil
}

const reclaimTries = 4

// touchRemains writes a row of each of these files once more, as it is, and says between which keys they are: files that
// lie in the lowest level already are compacted only with something above them. first is nil if there are none.
func (s *Store) touchRemains() (first, last []byte, err error) {
	s.applying.Lock()
	defer s.applying.Unlock()
	levels, err := s.db.SSTables()
	if err != nil {
		return nil, nil, fmt.Errorf("access: reclaim: %w", err)
	}
	b := s.db.NewBatch()
	defer b.Close()
	for _, level := range levels {
		for _, table := range level {
			if !table.Virtual {
				continue
			}
			key := table.Smallest.UserKey
			if err := s.touch(b, key); err != nil {
				return nil, nil, fmt.Errorf("access: reclaim: %w", err)
			}
			if first == nil || bytes.Compare(key, first) < 0 {
				first = bytes.Clone(key)
			}
			if end := table.Largest.UserKey; bytes.Compare(end, last) > 0 {
				last = bytes.Clone(end)
			}
		}
	}
	if first == nil {
		return nil, nil, nil
	}
	return first, last, s.commit(b, pebble.NoSync)
}

// touch writes a row as it is.
func (s *Store) touch(b *pebble.Batch, key []byte) error {
	value, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return b.Delete(key, nil)
	}
	if err != nil {
		return err
	}
	return errors.Join(b.Set(key, value, nil), closer.Close())
}
