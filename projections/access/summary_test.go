package access_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/projections/access"
	"github.com/keyledger/keyledger/projections/row"
)

// summaries are the pages of the month that a time is in.
func summaries(t testing.TB, s *access.Store, in time.Time) (out [][]byte) {
	t.Helper()
	month := time.Date(in.Year(), in.Month(), 1, 0, 0, 0, 0, time.UTC)
	return summariesOf(t, s, month, month.AddDate(0, 1, 0))
}

func summariesOf(t testing.TB, s *access.Store, first, end time.Time) (out [][]byte) {
	t.Helper()
	for page, err := range s.Summaries(first, end) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, page)
	}
	return out
}

func applySummaries(t testing.TB, s *access.Store, pages [][]byte) {
	t.Helper()
	for _, page := range pages {
		if err := s.ApplySummary(page); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAYearLater is a ledger of more than a year, in which a key was used in the first month
// only. The log is trimmed behind summaries; what is built again from the summaries and what is left of
// the log knows of every key what the ledger knows that lived through it all.
func TestAYearLater(t *testing.T) {
	lived := fresh(t)
	var log []uses.Message
	var pages [][]byte
	const each = 40
	for m := range 14 {
		now := begin.AddDate(0, m, 0)
		more := tell(lots(uint64(m)), now, uses.Position(1+each*m), each)
		if m > 0 {
			more = without(more, keys[0])
		}
		apply(t, lived, more)
		log = append(log, more...)
		if m < 3 {
			continue
		}
		gone := now.AddDate(0, -3, 0) // every month, what began four months ago is summarised, trimmed and dropped
		pages = append(pages, summaries(t, lived, gone)...)
		log = log[each:]
		if err := lived.Drop(gone.AddDate(0, 1, 1-gone.Day())); err != nil {
			t.Fatal(err)
		}
	}
	if last, err := lived.Last(keys[0]); err != nil || last.Used == nil || last.Used.Time.After(begin.AddDate(0, 2, 0)) {
		t.Fatalf("the story proves nothing: %+v, %v", last, err)
	}
	rebuilt := fresh(t)
	applySummaries(t, rebuilt, pages)
	if err := rebuilt.SkipTo(log[0].Position); err != nil {
		t.Fatal(err)
	}
	apply(t, rebuilt, log)
	knowsTheSame(t, rebuilt, lived, access.Period{NotBefore: begin.AddDate(0, 10, 20)})
	if err := rebuilt.Drop(begin.AddDate(0, 11, 1-begin.Day())); err != nil {
		t.Fatal(err)
	}
	knowsTheSame(t, rebuilt, lived, access.Period{})
}

func without(messages []uses.Message, key events.AccessKeyID) (out []uses.Message) {
	for _, m := range messages {
		records, err := uses.Parse(nil, m.Data)
		if err != nil {
			panic(err)
		}
		out = append(out, message(m.Position, slices.DeleteFunc(records, func(r uses.Record) bool { return r.Key == key })...))
	}
	return out
}

func knowsTheSame(t *testing.T, got, want *access.Store, p access.Period) {
	t.Helper()
	a, err := got.LastOf(keys)
	b, err2 := want.LastOf(keys)
	if err := errors.Join(err, err2); err != nil || !reflect.DeepEqual(a, b) {
		t.Errorf("last uses: got %+v, %v; want %+v", a, err, b)
	}
	for _, k := range keys {
		a, err := got.Counts(k, p)
		b, err2 := want.Counts(k, p)
		if err := errors.Join(err, err2); err != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("counts of %s: got %+v, %v; want %+v", k, a, err, b)
		}
	}
}

// TestWhatIsSummarisedIsNotCountedTwice rebuilds from summaries that were made at different
// moments and a log of which none, some or all of what they count is left, with pages that come
// again and in another order.
func TestWhatIsSummarisedIsNotCountedTwice(t *testing.T) {
	story := months(5)
	lived := fresh(t)
	var pages [][]byte
	for i := range story {
		apply(t, lived, story[i:i+1])
		if i == 40 || i == 75 || i == len(story)-1 {
			for m := range 5 {
				pages = append(pages, summaries(t, lived, begin.AddDate(0, m-1, 0))...)
			}
		}
	}
	for seed := range uint64(6) {
		draw, rebuilt := lots(seed), fresh(t)
		for range 3 * len(pages) {
			applySummaries(t, rebuilt, [][]byte{pages[draw(len(pages))]})
		}
		applySummaries(t, rebuilt, pages)
		trimmed := draw(len(story))
		if err := rebuilt.SkipTo(story[trimmed].Position); err != nil {
			t.Fatal(err)
		}
		apply(t, rebuilt, story[trimmed:])
		knowsTheSame(t, rebuilt, lived, access.Period{})
	}
}

// TestSummariesOfManyKeys has more keys than fit a page.
func TestSummariesOfManyKeys(t *testing.T) {
	lived := fresh(t)
	var records []uses.Record
	for i := range 2500 {
		r := record(lots(uint64(i)), begin)
		r.Key = events.AccessKeyID(fmt.Sprintf("KLAK%016d", i))
		records = append(records, r)
	}
	apply(t, lived, []uses.Message{message(1, records...)})
	pages := summaries(t, lived, begin)
	var got []events.AccessKeyID
	for _, page := range pages {
		keys, err := access.ParseSummary(page)
		if err != nil || len(page) > 300<<10 {
			t.Fatalf("%d bytes, %v", len(page), err)
		}
		for _, k := range keys {
			got = append(got, k.Key)
			last, err := lived.Last(k.Key)
			if err != nil || !reflect.DeepEqual(k.Last, last) {
				t.Fatalf("got %+v, %v; want %+v", k.Last, err, last)
			}
		}
		if again := access.AppendSummary(nil, keys); !bytes.Equal(again, page) {
			t.Error("a page is written otherwise when it was read")
		}
	}
	if len(pages) < 3 || len(got) != 2500 || !slices.IsSorted(got) {
		t.Errorf("got %d pages with %d keys, want 2500 in order", len(pages), len(got))
	}
	for range lived.Summaries(begin, begin.AddDate(0, 1, 0)) { // a reader may leave
		break
	}
}

func TestABadSummaryWritesNothing(t *testing.T) {
	lived := told(t, months(6))
	page := summaries(t, lived, begin)[0]
	s := fresh(t)
	want := s.Dump()
	for n := range len(page) {
		if err := s.ApplySummary(page[:n]); !errors.Is(err, row.ErrMalformed) && !isPrefix(page[:n]) {
			t.Fatalf("the first %d bytes: got %v, want ErrMalformed", n, err)
		} else if err == nil {
			s = fresh(t)
		}
		same(t, s.Dump(), want)
	}
}

// isPrefix says whether the bytes are a page of fewer keys.
func isPrefix(page []byte) bool { _, err := access.ParseSummary(page); return err == nil }
