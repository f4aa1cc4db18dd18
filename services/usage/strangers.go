package usage

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/keyledger/keyledger/services/clientip"
)

// maxSources bounds how many sources are told apart.
const maxSources = 1024

// A Source is where requests came from that named no key of this ledger.
type Source struct {
	Prefix netip.Prefix // see clientip.Source
	Count  uint64       // at least so many were not its own: see More
	More   uint64       // at most so many of Count may be those of a source that it took the place of
	Last   time.Time
}

// strangers counts by source, in bounded memory, by the Space-Saving algorithm (Metwally,
// Agrawal, El Abbadi, 2005): a new source takes the place of the one with the fewest, and its count as
// what it may be too high by. Whoever sends a good part of all cannot hide behind many others.
type strangers struct {
	mu      sync.Mutex
	total   uint64
	sources map[netip.Prefix]*Source
}

// Stranger counts a request that named no key of this ledger, and wait returns when it would if it had. The error is why
// nothing could be recorded then: the answer must be the same, and as late, or it would tell which keys there are.
func (r *Recorder) Stranger(from netip.Addr) (wait func(context.Context) error, err error) {
	r.strangers.count(from, r.Now())
	if off := r.able(); off != nil {
		return nil, off
	}
	if off := r.crowded(); off != nil {
		return nil, off
	}
	return r.unrecorded(), nil
}

// Strangers are the sources that most such requests came from since New, the first
// the busiest.
func (r *Recorder) Strangers(limit int) []Source { return r.strangers.most(limit) }

func (s *strangers) count(from netip.Addr, now time.Time) {
	p := clientip.Source(from)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total++
	if !p.IsValid() {
		return
	}
	src := s.sources[p]
	if src == nil {
		src = s.place(p)
	}
	src.Count++
	src.Last = now.UTC()
}

// place makes room for a source. The caller holds mu.
func (s *strangers) place(p netip.Prefix) *Source {
	src := &Source{Prefix: p}
	if s.sources == nil {
		s.sources = map[netip.Prefix]*Source{}
	}
	if len(s.sources) >= maxSources {
		var least *Source
		for _, other := range s.sources {
			if least == nil || other.Count < least.Count {
				least = other
			}
		}
		delete(s.sources, least.Prefix)
		src.Count, src.More = least.Count, least.Count
	}
	s.sources[p] = src
	return src
}

func (s *strangers) all() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

func (s *strangers) most(limit int) []Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Source, 0, len(s.sources))
	for _, src := range s.sources {
		out = append(out, *src)
	}
	slices.SortFunc(out, func(a, b Source) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), a.Prefix.Addr().Compare(b.Prefix.Addr()))
	})
	return out[:min(limit, len(out))]
}
