package usage

import (
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
)

// ReasonSurplus is the reason of a summary: the record stands for Count attempts
// on its key in a second, beyond those that were recorded one by one.
const ReasonSurplus = "attempts_beyond_bound"

// surplus counts the attempts on each key within a second. Anybody can forge
// an attempt; so one key costs the log no more than the bound and one summary a
// second. Only keys of ours are counted here, so that the map is bounded too.
type surplus struct {
	bound int

	mu     sync.Mutex
	keys   map[events.AccessKeyID]*tally
	past   []access.Record // summaries of seconds that are over, maxPast at most
	closed bool            // everything was taken, and nobody comes for more
}

// maxPast is how many summaries may wait while nothing can be put in line. Then a key's next one stands for more than a second.
const maxPast = 4096

type tally struct {
	second int64
	seen   int
	over   access.Record // its Count is what goes into the summary
}

// counts reports whether an attempt is beyond the bound, and counts it if it is. Once everything was
// taken none is: it goes in line like the others, where it is refused.
func (s *surplus) counts(rec access.Record) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.keys == nil {
		s.keys = map[events.AccessKeyID]*tally{}
	}
	t := s.keys[rec.Key]
	if t == nil {
		t = &tally{}
		s.keys[rec.Key] = t
	}
	if second := rec.Time.Unix(); t.second != second {
		t.second, t.seen = second, 0
		if t.over.Count > 0 && len(s.past) < maxPast {
			s.past = append(s.past, t.over)
			t.over = access.Record{}
		}
	}
	if t.seen++; t.seen <= s.bound {
		return false
	}
	if t.over.Count == 0 {
		t.over = access.Record{
			Time: rec.Time, Key: rec.Key, Account: rec.Account, User: rec.User, Outcome: access.Attempt,
			Reason: ReasonSurplus, Scheme: rec.Scheme, Position: rec.Position,
		}
	}
	t.over.Count++
	return true
}

// take gives the summaries of what was counted and forgets keys that were quiet
// for a second; all of them if everything is wanted.
func (s *surplus) take(now time.Time, everything bool) (out []access.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = s.closed || everything
	out, s.past = s.past, nil
	for key, t := range s.keys {
		if t.over.Count > 0 {
			out = append(out, t.over)
			t.over = access.Record{}
		}
		if everything || t.second < now.Unix()-1 {
			delete(s.keys, key)
		}
	}
	return out
}

// summarise puts the summaries in line, and reports whether there were any.
func (r *Recorder) summarise(everything bool) bool {
	if !everything && r.full() {
		return false // they go on being counted
	}
	over := r.surplus.take(r.Now(), everything)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range over {
		var err error
		if rec.ID, err = r.Draw.UseID(rec.Time); err != nil {
			r.Logger.Error("attempts beyond the bound were not recorded", "attempts", rec.Count, "error", err)
			continue
		}
		b := r.filling()
		b.add(access.Append(nil, []access.Record{rec}))
		b.due = true
		r.waiting++
		r.stats.Summarised += uint64(rec.Count)
	}
	return len(over) > 0
}

// full reports whether no more records may wait.
func (r *Recorder) full() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waiting >= r.Queue || r.Async && r.oldest() > r.Window
}

// bound cuts what came from outside, and makes it text that a protobuf may hold.
func bound(rec *access.Record) {
	for _, s := range []*string{&rec.Reason, &rec.Scheme, &rec.Service, &rec.Action, &rec.Region, &rec.RequestID} {
		*s = cut(*s, access.MaxText)
	}
	rec.UserAgent = cut(rec.UserAgent, access.MaxUserAgent)
}

func cut(s string, n int) string {
	if len(s) > n {
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "?")
}
