package usage_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/services/journal"
	"github.com/keyledger/keyledger/services/usage"
)

// A shut log takes no writes while it is shut.
type shut struct {
	*journal.Journal
	on atomic.Bool
}

func (s *shut) AppendUses(ctx context.Context, id string, data []byte) (access.Position, error) {
	if s.on.Load() {
		return 0, &events.UnavailableError{Reason: "the disk is nearly full"}
	}
	return s.Journal.AppendUses(ctx, id, data)
}

// TestAsyncKeepsWhatItHasAnswered has the log take no writes for longer than the window: what
// was taken is kept, no more is taken, and when the log takes writes again each record is in it once.
func TestAsyncKeepsWhatItHasAnswered(t *testing.T) {
	log := &shut{Journal: opened(t)}
	log.on.Store(true)
	c := config(log)
	c.Async, c.Window, c.Attempts = true, 10*time.Millisecond, 1
	r := usage.New(c)
	want := map[events.AccessKeyID]bool{}
	var off *events.UnavailableError
	for i := 0; ; i++ {
		key := fmt.Sprint("K", i)
		err := r.Record(t.Context(), use(key))
		if errors.As(err, &off) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		want[events.AccessKeyID(key)] = true
	}
	if err := r.Record(t.Context(), attempt("K")); !errors.As(err, &off) {
		t.Errorf("an attempt: got %v, want an UnavailableError", err)
	}
	s := r.Stats()
	if s.Waiting != len(want) || s.Oldest <= s.Window || s.Window != c.Window || s.Shed != 2 || s.Failed+s.Uncertain != 0 || len(want) == 0 {
		t.Errorf("%d were taken; stats: %+v", len(want), s)
	}
	log.on.Store(false)
	for r.Stats().Waiting > 0 {
		time.Sleep(time.Millisecond) // until it has tried again
	}
	if err := r.Record(t.Context(), use("later")); err != nil {
		t.Errorf("when the log takes writes: got %v", err)
	}
	want["later"] = true
	ended(t, r)
	got, _ := recorded(t, log)
	for _, rec := range got {
		if !want[rec.Key] {
			t.Errorf("%s is there, and was not taken or is there already", rec.Key)
		}
		delete(want, rec.Key)
	}
	if len(want) > 0 {
		t.Errorf("%d records are lost", len(want))
	}
}

// TestAsyncLooksBeforeItSendsAgain has the answer to a batch be lost, and then nothing be
// answered until the log may have forgotten the batch's name: it does, here, at once. A batch that is there is not sent again, one
// that is not is.
func TestAsyncLooksBeforeItSendsAgain(t *testing.T) {
	for _, arrives := range []bool{true, false} {
		j := opened(t)
		sent := 0
		log := &forgetful{Journal: j}
		log.append = func(ctx context.Context, id string, data []byte) (access.Position, error) {
			if sent++; sent == 1 && arrives || sent > 5 {
				p, err := j.AppendUses(ctx, fmt.Sprint(id, " ", sent), data) // it is not known by its name
				log.is.Store(fmt.Sprint(id, " ", sent))
				if sent > 5 {
					return p, err
				}
			}
			return 0, fmt.Errorf("%w: lost", events.ErrUncertain)
		}
		c := usage.Doubtful(config(log), 300*time.Millisecond)
		c.Async = true
		r := usage.New(c)
		if err := r.Record(t.Context(), use("K")); err != nil {
			t.Fatal(err)
		}
		ended(t, r)
		if got, _ := recorded(t, j); len(got) != 1 {
			t.Errorf("it arrived at first: %v; it is there %d times, want once", arrives, len(got))
		}
		if s := r.Stats(); s.Recorded != 1 || s.Uncertain+s.Failed > 0 {
			t.Errorf("stats: got %+v", s)
		}
	}
}

// A forgetful log does not know a batch by its name.
type forgetful struct {
	*journal.Journal
	append func(context.Context, string, []byte) (access.Position, error)
	is     atomic.Value // the name under which the batch lies there
}

func (f *forgetful) AppendUses(ctx context.Context, id string, data []byte) (access.Position, error) {
	return f.append(ctx, id, data)
}

func (f *forgetful) SettleUses(ctx context.Context, id string, after access.Position) (access.Position, error) {
	if is, there := f.is.Load().(string); there {
		id = is
	}
	return f.Journal.SettleUses(ctx, id, after)
}

// TestAsyncSaysWhatItLost ends while the log takes no writes: the error says how many records of requests that were answered are lost.
func TestAsyncSaysWhatItLost(t *testing.T) {
	off := &events.UnavailableError{Reason: "the disk is full"}
	c := config(stub{append: func(context.Context, string, []byte) (access.Position, error) { return 0, off }})
	c.Async = true
	r := usage.New(c)
	const answered = 3 * access.MaxRecords // several batches
	for range answered {
		if _, err := r.Submit(use("K")); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	err := r.Close(ctx)
	if s := r.Stats(); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), fmt.Sprintf("%d access records", answered)) || s.Failed != answered {
		t.Errorf("got %v and %+v, want %d lost", err, s, answered)
	}
}
