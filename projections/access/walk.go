package access

import (
	"bytes"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections/row"
)

// manyKeys is how many keys of an address are merged; if it named more of them in a month, the
// account's timeline is walked.
const manyKeys = 64

// walk offers what may match, the newest first: month by month, by the shortest way.
func (s *Store) walk(q Query, w window, visit visitor) error {
	if w.empty() {
		return nil
	}
	for _, m := range s.monthsWithin(monthOf(w.oldest.micros), monthOf(w.newest.micros)) {
		keys, known, err := s.keysOf(q, m)
		if err != nil {
			return err
		}
		var more bool
		if known {
			more, err = s.walkKeys(m, q, keys, w, visit)
		} else {
			more, err = s.walkTimeline(m, q, w, visit)
		}
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// keysOf are the keys that have all that can match in a month, if they are known and few.
func (s *Store) keysOf(q Query, m month) (keys []events.AccessKeyID, known bool, err error) {
	switch {
	case q.SourceIP.IsValid() && q.Key != "":
		found, err := s.lookup(append(appendAddress(nil, m, q.SourceIP, q.Account), q.Key...), func([]byte) error { return nil })
		if found {
			keys = append(keys, q.Key)
		}
		return keys, true, err
	case q.SourceIP.IsValid():
		return s.keysAt(q, m)
	case q.Key != "":
		return []events.AccessKeyID{q.Key}, true, nil
	}
	return nil, false, nil
}

// keysAt are the keys of the account that were named from the address in a month.
func (s *Store) keysAt(q Query, m month) (keys []events.AccessKeyID, few bool, err error) {
	prefix := appendAddress(nil, m, q.SourceIP, q.Account)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: behind(prefix)})
	if err != nil {
		return nil, false, err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if len(keys) == manyKeys {
			return nil, false, it.Error()
		}
		keys = append(keys, events.AccessKeyID(it.Key()[len(prefix):]))
	}
	return keys, true, it.Error()
}

// A stream is the records of a key within a window, the newest first.
type stream struct {
	it     *pebble.Iterator
	key    events.AccessKeyID
	prefix []byte
	oldest place
	at     place
}

// advance moves to the first or next record; ok is false at the end.
func (s *stream) advance(ok bool) (bool, error) {
	if !ok {
		return false, s.it.Error()
	}
	p := row.Parse(bytes.TrimPrefix(s.it.Key(), s.prefix))
	s.at = readPlace(&p)
	if err := p.Done(); err != nil {
		return false, fmt.Errorf("access: the place of a record of %s: %w", s.key, err)
	}
	return s.at.compare(s.oldest) >= 0, nil
}

func (s *Store) stream(m month, a events.AccountID, k events.AccessKeyID, w window) (*stream, bool, error) {
	prefix := appendRecords(nil, m, a, k)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: behind(prefix)})
	if err != nil {
		return nil, false, err
	}
	st := &stream{it: it, key: k, prefix: prefix, oldest: w.oldest}
	ok, err := st.advance(it.SeekGE(appendPlace(prefix[:len(prefix):len(prefix)], w.newest)))
	return st, ok, err
}

// walkKeys merges the records of some keys.
func (s *Store) walkKeys(m month, q Query, keys []events.AccessKeyID, w window, visit visitor) (more bool, err error) {
	streams := make([]*stream, 0, len(keys))
	all := make([]*stream, 0, len(keys))
	defer func() {
		for _, st := range all {
			_ = st.it.Close()
		}
	}()
	for _, k := range keys {
		st, ok, err := s.stream(m, q.Account, k, w)
		if st != nil {
			all = append(all, st)
		}
		if err != nil {
			return false, err
		}
		if ok {
			streams = append(streams, st)
		}
	}
	return merge(streams, q.Account, visit)
}

// merge offers the records of streams that are not at their end.
func merge(streams []*stream, a events.AccountID, visit visitor) (more bool, err error) {
	for len(streams) > 0 {
		i := 0
		for j := range streams {
			if streams[j].at.compare(streams[i].at) > 0 {
				i = j
			}
		}
		st := streams[i]
		more, err := visit(candidate{place: st.at, account: a, key: st.key, value: st.it.Value(), cost: 1})
		if err != nil || !more {
			return false, err
		}
		ok, err := st.advance(st.it.Next())
		if err != nil {
			return false, err
		}
		if !ok {
			streams = append(streams[:i], streams[i+1:]...)
		}
	}
	return true, nil
}

func (c *candidate) wrap(err error) error {
	if err != nil {
		return fmt.Errorf("access: record %d of message %d, of %s: %w", c.index, c.position, c.key, err)
	}
	return nil
}
