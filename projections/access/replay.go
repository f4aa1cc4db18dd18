package access

import (
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/keyledger/keyledger/events"
	uses "github.com/keyledger/keyledger/events/access"
)

// A Replay is a hash of what must not come twice.
type Replay struct {
	Key     events.AccessKeyID
	Time    time.Time
	Outcome uses.Outcome
	Hash    [16]byte
}

// ReplayHashes yields the replay hashes recorded at or after a time, key by key, of each the
// newest first. It seeks once for each key that was named in those months. An error ends it.
func (s *Store) ReplayHashes(since time.Time) iter.Seq2[Replay, error] {
	low := ceiling(since)
	return func(yield func(Replay, error) bool) {
		for _, m := range s.monthsWithin(monthOf(low), math.MaxUint16) {
			if more, err := s.replaysOf(m, low, yield); err != nil || !more {
				if err != nil {
					yield(Replay{}, err)
				}
				return
			}
		}
	}
}

func (s *Store) replaysOf(m month, low int64, yield func(Replay, error) bool) (more bool, err error) {
	prefix := append(appendMonth(nil, m), tableRecords)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: behind(prefix)})
	if err != nil {
		return false, err
	}
	defer it.Close()
	for ok := it.First(); ok; {
		account, key, at, shared, err := parseRecordKey(it.Key())
		if err != nil {
			return false, fmt.Errorf("access: a key of a record: %w", err)
		}
		if at.micros < low {
			ok = it.SeekGE(behind(it.Key()[:shared]))
			continue
		}
		e, err := (&candidate{place: at, account: account, key: key, value: it.Value()}).entry()
		if err != nil {
			return false, err
		}
		if e.Replay != [16]byte{} && !yield(Replay{key, e.Time, e.Outcome, e.Replay}, nil) {
			return false, nil
		}
		ok = it.Next()
	}
	return true, it.Error()
}
