package access

import (
	"context"
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2"

	"github.com/keyledger/keyledger/projections"
)

// Check reads every row there is, and returns why one cannot be read.
func (s *Store) Check(ctx context.Context) error {
	if err := projections.CheckRows(ctx, s.db); err != nil {
		return fmt.Errorf("access: %w", err)
	}
	return nil
}

// Reset has the store forget everything, which is then to be read from the log again, like a new one for the log with this identity. It
// reads nothing of what it forgets: that may be damaged. Only months that were dropped stay dropped. A crash in its midst leaves an empty store.
func (s *Store) Reset(identity string) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	low := s.low.Load()
	everything := pebble.KeyRange{Start: []byte{0}, End: []byte{math.MaxUint8}}
	err := projections.Guarded(func() error { return s.db.Excise(context.Background(), everything) })
	if err == nil {
		err = s.begin(identity)
	}
	if err == nil {
		err = s.raise(month(low))
	}
	if err != nil {
		return fmt.Errorf("access: reset: %w", err)
	}
	return nil
}
