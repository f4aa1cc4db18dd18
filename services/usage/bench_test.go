package usage_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/services/identity"
	"github.com/keyledger/keyledger/services/journal"
	"github.com/keyledger/keyledger/services/usage"
)

// turns is how often records and raw appends alternate.
const turns = 8

// BenchmarkRecord prints records a second, durably, by callers, and the ratio to raw appends of
// messages with as many records, made beforehand and sent one after the other, as the packer does. They take turns.
// "cpu-us" and "raw-cpu-us" are processor time per record, the log's included.
func BenchmarkRecord(b *testing.B) {
	for _, callers := range []int{1, 64, 1024} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			j := opened(b)
			r := usage.New(config(j))
			contexts := contextsOf(b, callers)
			var ours, theirs cost
			each := max(b.N/turns, 4*callers)
			b.ResetTimer()
			for turn := range turns + 1 {
				before := r.Stats()
				recorded := measure(func() { recordAll(b, r, contexts, each) })
				s := r.Stats()
				messages := int(s.Messages - before.Messages)
				raw := rawAppends(b, j, turn, messages, each)
				if turn > 0 { // the first one warms up
					ours, theirs = ours.plus(recorded), theirs.plus(raw)
				}
			}
			ended(b, r)
			s, n := r.Stats(), float64(each*turns)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(n/ours.took.Seconds(), "records/s")
			b.ReportMetric(n/theirs.took.Seconds(), "raw/s")
			b.ReportMetric(float64(s.Recorded)/float64(s.Messages), "records/message")
			b.ReportMetric(float64(theirs.took)/float64(ours.took), "x-raw")
			b.ReportMetric(float64(ours.cpu.Nanoseconds())/1e3/n, "cpu-us")
			b.ReportMetric(float64(theirs.cpu.Nanoseconds())/1e3/n, "raw-cpu-us")
		})
	}
}

// contextsOf are contexts that end, one for each caller, as requests have them.
func contextsOf(b *testing.B, callers int) []context.Context {
	out := make([]context.Context, callers)
	for i := range out {
		ctx, cancel := context.WithCancel(b.Context())
		b.Cleanup(cancel)
		out[i] = ctx
	}
	return out
}

// recordAll records so many records, by one caller for each context.
func recordAll(b *testing.B, r *usage.Recorder, callers []context.Context, records int) {
	var next atomic.Int64
	var all sync.WaitGroup
	for _, ctx := range callers {
		all.Go(func() {
			for next.Add(1) <= int64(records) {
				if err := r.Record(ctx, use("KLAK0123456789ABCDEF")); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// rawAppends is what it costs when as many records go straight to the log in as many messages.
func rawAppends(b *testing.B, j *journal.Journal, turn, messages, records int) cost {
	parts := make([][]byte, messages)
	for i := range parts {
		batch := make([]access.Record, records/messages)
		if i < records%messages {
			batch = append(batch, access.Record{})
		}
		for k := range batch {
			batch[k] = use("KLAK0123456789ABCDEF")
			var err error
			if batch[k].ID, err = (identity.Source{}).UseID(noon); err != nil {
				b.Fatal(err)
			}
		}
		parts[i] = access.Append(nil, batch)
	}
	return measure(func() {
		for i, data := range parts {
			if _, err := j.AppendUses(b.Context(), fmt.Sprintf("raw-%d-%d", turn, i), data); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// A cost is what something took.
type cost struct{ took, cpu time.Duration }

func (c cost) plus(d cost) cost { return cost{c.took + d.took, c.cpu + d.cpu} }

func measure(f func()) cost {
	used, start := processorTime(), time.Now()
	f()
	return cost{time.Since(start), processorTime() - used}
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(fmt.Sprint("getrusage: ", err))
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
