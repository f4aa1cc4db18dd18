package journal

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/logtest"
)

// BenchmarkAppend prints appends by callers on subjects of their own, and the
// ratio to plain JetStream publishes of the same bytes, without an expectation, by
// as many callers on the same server. Both take turns, so that neither has the
// quieter disk.
func BenchmarkAppend(b *testing.B) {
	for _, callers := range []int{1, 8, 16, 17, 32, 64, 256, 1024} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) { benchmarkAppend(b, callers) })
	}
}

const turns = 6

func benchmarkAppend(b *testing.B, callers int) {
	j := opened(b, testConfig(b.TempDir()))
	js, err := jetstream.New(j.write)
	if err != nil {
		b.Fatal(err)
	}
	lasts := make([]events.Position, callers)
	raw := make([]*nats.Msg, callers)
	for c := range callers {
		e := entryOf(b, logtest.Decision(logtest.Keyring(callers+c), 0))
		raw[c] = &nats.Msg{Subject: e.subject, Data: e.data}
	}
	ours := func(c int) error {
		p, err := j.Append(context.Background(), logtest.Decision(logtest.Keyring(c), lasts[c]))
		lasts[c] = p
		return err
	}
	theirs := func(c int) error {
		_, err := js.PublishMsg(context.Background(), raw[c])
		return err
	}
	each := max(1, b.N/turns/callers)
	burst(b, callers, 1, ours)
	burst(b, callers, 1, theirs)
	var took, rawTook time.Duration
	b.ResetTimer()
	for range turns {
		rawTook += burst(b, callers, each, theirs)
		took += burst(b, callers, each, ours)
	}
	n := float64(each * callers * turns)
	b.ReportMetric(n/took.Seconds(), "appends/s")
	b.ReportMetric(n/rawTook.Seconds(), "raw/s")
	b.ReportMetric(rawTook.Seconds()/took.Seconds(), "ratio")
	b.ReportMetric(0, "ns/op")
}

func entryOf(tb testing.TB, d events.Decision) *entry {
	data, err := events.Encode(d)
	if err != nil {
		tb.Fatal(err)
	}
	return &entry{decision: d, subject: d.Subject.String(), after: d.After, data: data}
}

// burst has every caller do each operations, one after the other.
func burst(b *testing.B, callers, each int, do func(caller int) error) time.Duration {
	begun := time.Now()
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			for range each {
				if err := do(c); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	return time.Since(begun)
}
