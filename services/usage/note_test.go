package usage_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/services/usage"
)

// TestNote has records that nobody waits for share a message, which is sent without anybody asking;
// with one that somebody waits for; when they are flushed; and when the recorder ends.
func TestNote(t *testing.T) {
	j := opened(t)
	r := usage.New(config(j))
	note := func(key string) {
		t.Helper()
		if err := r.Note(use(key)); err != nil {
			t.Fatal(err)
		}
	}
	inLog := func() (keys []string, messages int) {
		records, messages := recorded(t, j)
		for _, rec := range records {
			keys = append(keys, string(rec.Key))
		}
		return keys, messages
	}
	for _, key := range []string{"A", "B", "C"} {
		note(key)
	}
	for deadline := time.Now().Add(10 * time.Second); r.Stats().Recorded < 3; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("what nobody waits for is not recorded")
		}
	}
	note("D")
	if err := r.Record(t.Context(), use("E")); err != nil {
		t.Fatal(err)
	}
	if got, _ := inLog(); fmt.Sprint(got) != "[A B C D E]" {
		t.Errorf("got %v when the one that was waited for is recorded", got)
	}
	note("F")
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, _ := inLog(); fmt.Sprint(got) != "[A B C D E F]" {
		t.Errorf("got %v when what was taken is flushed", got)
	}
	if err := r.Flush(t.Context()); err != nil {
		t.Errorf("nothing to flush: %v", err)
	}
	note("G")
	ended(t, r)
	if got, messages := inLog(); fmt.Sprint(got) != "[A B C D E F G]" || messages > 6 {
		t.Errorf("got %v in %d messages at the end", got, messages)
	}
	var off *events.UnavailableError
	if err := r.Note(use("late")); !errors.As(err, &off) {
		t.Errorf("after Close: got %v, want an UnavailableError", err)
	}
}

// TestFlushUnderWay waits for what the log has not acknowledged yet.
func TestFlushUnderWay(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	r := usage.New(config(stub{append: func(context.Context, string, []byte) (access.Position, error) {
		asked <- struct{}{}
		<-release
		return 1, nil
	}}))
	if _, err := r.Submit(use("K")); err != nil {
		t.Fatal(err)
	}
	<-asked
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := r.Flush(ctx); !errors.Is(err, events.ErrUncertain) {
		t.Errorf("while the log has not answered: got %v, want ErrUncertain", err)
	}
	close(release)
	if err := r.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	ended(t, r)
}

// TestGather has records that nobody waits for come for longer than one waits for others: that a message is
// under way is no reason to send the next.
func TestGather(t *testing.T) {
	for _, async := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var messages []int
			c := config(stub{append: func(_ context.Context, _ string, data []byte) (access.Position, error) {
				time.Sleep(time.Millisecond)
				batch, err := access.Parse(nil, data)
				messages = append(messages, len(batch))
				return access.Position(len(messages)), err
			}})
			c.Async, c.Gather = async, 9500*time.Microsecond
			r := usage.New(c)
			take := r.Note
			if async {
				take = func(rec access.Record) error { return r.Record(t.Context(), rec) }
			}
			for range 40 {
				if err := take(use("K")); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Millisecond)
			}
			ended(t, r)
			if fmt.Sprint(messages) != "[10 10 10 10]" {
				t.Errorf("async %v: messages of %v records, want 10 in each", async, messages)
			}
		})
	}
}

// TestGatherFull does not hold back a message that can take no more.
func TestGatherFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, messages := time.Now(), 0
		c := config(stub{append: func(context.Context, string, []byte) (access.Position, error) {
			if messages++; messages == 1 && time.Since(began) > 0 {
				t.Errorf("it went after %v", time.Since(began))
			}
			return 1, nil
		}})
		r := usage.New(c)
		for range access.MaxRecords + 1 {
			if err := r.Note(use("K")); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		ended(t, r)
		if messages != 2 {
			t.Errorf("%d messages, want 2", messages)
		}
	})
}
