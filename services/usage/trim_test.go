package usage_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/projections"
	records "github.com/keyledger/keyledger/projections/access"
	"github.com/keyledger/keyledger/services/journal"
	"github.com/keyledger/keyledger/services/usage"
)

// newYear is when the stories of this file begin: three months later lies in April.
var newYear = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

var trimmedKeys = []events.AccessKeyID{"OLD", "DAILY", "FORGED"}

// told appends a message for each of so many days, at half past eleven in the night: OLD is used on the first
// day only, DAILY on each, FORGED named on each.
func told(t *testing.T, log access.Log, days int) {
	t.Helper()
	for d := range days {
		batch := []access.Record{use("DAILY"), attempt("FORGED")}
		if d == 0 {
			batch = append(batch, use("OLD"))
		}
		at := newYear.AddDate(0, 0, d).Add(23*time.Hour + 30*time.Minute)
		for i := range batch {
			batch[i].Time = at.Add(time.Duration(i) * time.Millisecond)
		}
		appendBatch(t, log, fmt.Sprint("day ", d), batch...)
	}
}

func appendBatch(t *testing.T, log access.Log, id string, batch ...access.Record) {
	t.Helper()
	for i := range batch {
		batch[i].ID = [16]byte{byte(i + 1)}
		copy(batch[i].ID[1:], id)
	}
	if _, err := log.AppendUses(t.Context(), id, access.Append(nil, batch)); err != nil {
		t.Fatal(err)
	}
}

func newStore(t *testing.T) *records.Store {
	t.Helper()
	s, err := records.Open(t.TempDir(), "trim", projections.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// read brings a store up to the end of the log, from what is left of it.
func read(t *testing.T, s *records.Store, log access.Log) {
	t.Helper()
	last, err := log.LastUse(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for m, err := range log.FollowUses(t.Context(), s.Position()) {
		if err == nil {
			err = s.Apply([]access.Message{m})
		}
		if err != nil {
			t.Fatal(err)
		}
		if m.Position == last {
			return
		}
	}
}

func trimmer(log access.Log, s *records.Store) *usage.Trimmer {
	return &usage.Trimmer{Log: log, Store: s, Keep: access.Kept, Logger: slog.New(slog.DiscardHandler)}
}

func trim(t *testing.T, r *usage.Trimmer, now time.Time) {
	t.Helper()
	if err := r.Trim(t.Context(), now); err != nil {
		t.Fatal(err)
	}
}

func first(t *testing.T, log access.Log, want access.Position) {
	t.Helper()
	if got, err := log.FirstUse(t.Context()); err != nil || got != want {
		t.Errorf("the log begins at %d, %v; want %d", got, err, want)
	}
}

// rebuilt is a store made of what the log still has.
func rebuilt(t *testing.T, log access.Log) *records.Store {
	t.Helper()
	s := newStore(t)
	for page, err := range log.Summaries(t.Context()) {
		if err == nil {
			err = s.ApplySummary(page)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	begins, err := log.FirstUse(t.Context())
	if err == nil {
		err = s.SkipTo(begins)
	}
	if err != nil {
		t.Fatal(err)
	}
	if last, err := log.LastUse(t.Context()); err != nil || begins <= last {
		read(t, s, log)
	}
	return s
}

func knowTheSame(t *testing.T, got, want *records.Store, since time.Time) {
	t.Helper()
	a, err := got.LastOf(trimmedKeys)
	b, err2 := want.LastOf(trimmedKeys)
	if err := errors.Join(err, err2); err != nil || !reflect.DeepEqual(a, b) {
		t.Errorf("last uses: got %+v, %v; want %+v", a, err, b)
	}
	for _, k := range trimmedKeys {
		a, err := got.Counts(k, records.Period{NotBefore: since})
		b, err2 := want.Counts(k, records.Period{NotBefore: since})
		if err := errors.Join(err, err2); err != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("counts of %s: got %+v, %v; want %+v", k, a, err, b)
		}
	}
}

// TestTrim lives through a year and a quarter, a day at a time: the log never holds more than is
// kept, and what is built from it anew knows what the one knows that lived through it all.
func TestTrim(t *testing.T) {
	j, s := opened(t), newStore(t)
	told(t, j, 450)
	read(t, s, j)
	r := trimmer(j, s)
	for _, days := range []int{0, 91, 92, 93, 94, 95, 120, 121, 300, 450} {
		now := newYear.AddDate(0, 0, days).Add(12 * time.Hour)
		trim(t, r, now)
		first(t, j, access.Position(max(days-92, 0)+1))
	}
	again := rebuilt(t, j)
	knowTheSame(t, again, s, newYear.AddDate(0, 0, 358))
	last, err := again.Last("OLD")
	if err != nil || last.Used == nil || !last.Used.Time.Equal(newYear.Add(23*time.Hour+30*time.Minute+2*time.Millisecond)) {
		t.Errorf("a key used once, more than a year ago: got %+v, %v", last, err)
	}
	trim(t, r, newYear.AddDate(0, 0, 600)) // all of it
	first(t, j, 451)
	knowTheSame(t, rebuilt(t, j), s, newYear.AddDate(0, 0, 508))
}

// A brittle log fails when it is told to, after it has done what was asked.
type brittle struct {
	access.Log
	left int // calls that go well
}

var errBrittle = errors.New("the log broke")

func (b *brittle) fail(err error) error {
	if b.left--; b.left < 0 {
		return errBrittle
	}
	return err
}

func (b *brittle) AppendSummary(ctx context.Context, day time.Time, page []byte) error {
	return b.fail(b.Log.AppendSummary(ctx, day, page))
}

func (b *brittle) TrimUses(ctx context.Context, last access.Position) error {
	return b.fail(b.Log.TrimUses(ctx, last))
}

// TestTrimInterrupted stops at every step and goes on.
func TestTrimInterrupted(t *testing.T) {
	j, s := opened(t), newStore(t)
	told(t, j, 100)
	read(t, s, j)
	now, failures := newYear.AddDate(0, 0, 98), 0
	for n := 0; ; n++ {
		err := trimmer(&brittle{Log: j, left: n % 3}, s).Trim(t.Context(), now)
		if err == nil {
			break
		}
		if failures++; !errors.Is(err, errBrittle) || failures > 50 {
			t.Fatal(err)
		}
		knowTheSame(t, rebuilt(t, j), s, newYear.AddDate(0, 0, 6))
	}
	if first(t, j, 7); failures < 6 {
		t.Errorf("it was interrupted %d times", failures)
	}
	knowTheSame(t, rebuilt(t, j), s, newYear.AddDate(0, 0, 6))
}

// TestTrimWaitsForTheStore removes nothing that the summaries do not know yet.
func TestTrimWaitsForTheStore(t *testing.T) {
	j, s := opened(t), newStore(t)
	told(t, j, 3)
	r := trimmer(j, s)
	now := newYear.AddDate(1, 0, 0)
	trim(t, r, now)
	first(t, j, 1)
	read(t, s, j)
	trim(t, r, now)
	first(t, j, 4)
}

// TestTrimAtMidnight trims a day of which all that there is was at its first moment.
func TestTrimAtMidnight(t *testing.T) {
	j, s := opened(t), newStore(t)
	old := use("OLD")
	old.Time = newYear
	appendBatch(t, j, "midnight", old)
	read(t, s, j)
	trim(t, trimmer(j, s), newYear.AddDate(0, 0, 93))
	first(t, j, 2)
	again := rebuilt(t, j)
	knowTheSame(t, again, s, newYear)
	if last, err := again.Last("OLD"); err != nil || last.Used == nil || !last.Used.Time.Equal(newYear) {
		t.Errorf("a key used at midnight: got %+v, %v", last, err)
	}
}

// TestTrimOverTheEndOfAMonth trims a message that began in one month and ended in the next, on the
// day on which only the first half of it was old enough and on the day after.
func TestTrimOverTheEndOfAMonth(t *testing.T) {
	j, s := opened(t), newStore(t)
	february := newYear.AddDate(0, 1, 0)
	before, after := use("OLD"), use("DAILY")
	before.Time, after.Time = february.Add(-time.Millisecond), february.Add(time.Millisecond)
	appendBatch(t, j, "midnight", before, after)
	read(t, s, j)
	r := trimmer(j, s)
	trim(t, r, february.Add(access.Kept))
	first(t, j, 1)
	trim(t, r, february.Add(access.Kept).AddDate(0, 0, 1))
	first(t, j, 2)
	knowTheSame(t, rebuilt(t, j), s, february)
}

// TestTrimKeepsWhatIsToCome has a clock that ran a year ahead for one message: it and what lies behind it
// stay, and so does what the store knows of them.
func TestTrimKeepsWhatIsToCome(t *testing.T) {
	j, s := opened(t), newStore(t)
	told(t, j, 1)
	early := use("EARLY")
	early.Time = newYear.AddDate(1, 0, 0)
	appendBatch(t, j, "early", early)
	behind := use("OLD")
	behind.Time = newYear.AddDate(0, 0, 2)
	appendBatch(t, j, "behind", behind)
	read(t, s, j)
	r := trimmer(j, s)
	trim(t, r, newYear.AddDate(0, 6, 0))
	first(t, j, 2)
	knowTheSame(t, rebuilt(t, j), s, newYear)
	trim(t, r, newYear.AddDate(1, 6, 0))
	first(t, j, 4)
	knowTheSame(t, rebuilt(t, j), s, newYear.AddDate(1, 3, 0))
}

var _ access.Log = (*journal.Journal)(nil)
