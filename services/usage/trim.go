package usage

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/keyledger/keyledger/events/access"
	records "github.com/keyledger/keyledger/projections/access"
)

// day is by what access records are trimmed, in UTC.
const day = 24 * time.Hour

// A Trimmer takes access records out of USED when they have been kept long enough.
// What must outlive them (when each key was last used, and how often on each day) goes into
// SUMMARY before. Two that trim at once do no harm. One goroutine at a time may use it.
type Trimmer struct {
	Log    access.Log
	Store  *records.Store // from which the summaries are made, and whose old months are dropped
	Keep   time.Duration
	Logger *slog.Logger
	// Passed is whether an operator let a message pass that cannot be read; none if it is nil.
	Passed func(access.Position) bool

	done time.Time // nothing that ended before is left
}

// Trim removes every day that ended Keep or longer before now. Whoever calls it must trust
// the clock. What an error leaves undone, or what Store has not read yet, the next call does.
//
// Days go in the order of the log: a record that a wrong clock has stamped with a later time
// keeps itself and all behind it until that time.
func (t *Trimmer) Trim(ctx context.Context, now time.Time) error {
	cutoff := now.Add(-t.Keep).Truncate(day)
	for !t.done.Equal(cutoff) {
		s, err := t.front(ctx, cutoff)
		if err != nil {
			return fmt.Errorf("usage: trim: %w", err)
		}
		if s.last == 0 {
			return t.finish(ctx, s, cutoff, now)
		}
		if t.Store.Position() < s.last {
			return nil
		}
		if err := t.remove(ctx, s); err != nil {
			return fmt.Errorf("usage: trim: %w", err)
		}
	}
	return nil
}

// A span is messages at the front of the log, a day's or less, and of when their records are.
type span struct {
	last           access.Position // zero if the first message is not due
	oldest, newest time.Time
	rest           time.Time // newest record of the message after last; zero if there is none
}

// front finds the messages of the first day, if it ended at cutoff or before.
func (t *Trimmer) front(ctx context.Context, cutoff time.Time) (s span, err error) {
	first, err := t.Log.FirstUse(ctx)
	if err != nil {
		return s, err
	}
	last, err := t.Log.LastUse(ctx)
	if err != nil || first > last {
		return s, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	end, buffer := cutoff, []access.Record(nil)
	for m, err := range t.Log.FollowUses(ctx, first-1) {
		if err != nil {
			return s, err
		}
		if buffer, err = access.Parse(buffer[:0], m.Data); err != nil && (t.Passed == nil || !t.Passed(m.Position)) {
			return s, fmt.Errorf("message %d: %w", m.Position, err)
		}
		if err != nil || len(buffer) == 0 { // it tells of no time, and goes with what it lies before or behind
			if s.last = m.Position; m.Position >= last {
				return s, nil
			}
			continue
		}
		oldest, newest := extent(buffer)
		if s.newest.IsZero() && newest.Before(end) {
			end = newest.Truncate(day).Add(day)
			s.oldest = oldest
		}
		if !newest.Before(end) {
			s.rest = newest
			return s, nil
		}
		s.last, s.newest = m.Position, later(s.newest, newest)
		if oldest.Before(s.oldest) {
			s.oldest = oldest
		}
		if m.Position >= last {
			return s, nil
		}
	}
	return s, ctx.Err()
}

// extent is the times of the oldest and the newest record.
func extent(batch []access.Record) (oldest, newest time.Time) {
	for i, r := range batch {
		if i == 0 || r.Time.Before(oldest) {
			oldest = r.Time
		}
		newest = later(newest, r.Time)
	}
	return oldest, newest
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// remove keeps what must outlive the messages of a span, and then removes them.
func (t *Trimmer) remove(ctx context.Context, s span) error {
	pages := 0
	for page, err := range t.summaries(s) {
		if err != nil {
			return err
		}
		if err := t.Log.AppendSummary(ctx, s.newest, page); err != nil {
			return err
		}
		pages++
	}
	if err := t.Log.TrimUses(ctx, s.last); err != nil {
		return err
	}
	t.Logger.Info("access records were trimmed", "from", s.oldest, "to", s.newest, "through", s.last, "summary_pages", pages)
	return nil
}

// summaries are those of the days of a span; none if its messages tell of no time.
func (t *Trimmer) summaries(s span) iter.Seq2[[]byte, error] {
	if s.newest.IsZero() {
		return func(func([]byte, error) bool) {}
	}
	return t.Store.Summaries(s.oldest.Truncate(day), s.newest.Truncate(day).Add(day))
}

// finish drops what the store has of months that are trimmed, a day later: what is not due may
// hold records of the day before, or hold them back behind it, and their summaries are still to be made,
// from these rows. What a wrong clock holds back is waited for.
func (t *Trimmer) finish(ctx context.Context, s span, cutoff, now time.Time) error {
	if s.rest.After(now.Add(day)) {
		t.Logger.Warn("access records are not trimmed: the first that is left has a time to come", "time", s.rest)
	} else if err := t.Store.Drop(cutoff.Add(-day)); err != nil {
		return err
	} else if err := t.Store.Reclaim(ctx); err != nil {
		return err
	}
	t.done = cutoff
	return nil
}
