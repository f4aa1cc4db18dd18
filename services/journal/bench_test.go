package journal

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
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
	for _, callers := range []int{1, 2, 4, 8, 16, 64, 256, 1024} {
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

// BenchmarkFollow reads a log of many messages through a follower, and through
// Read; BenchmarkFollowLatency is the time from an answered append to its delivery.
func BenchmarkFollow(b *testing.B) {
	const messages = 200_000
	c := testConfig(b.TempDir())
	c.Profile = Relaxed
	j := opened(b, c)
	load(b, j, messages)
	b.Run("follow", func(b *testing.B) { benchmarkReading(b, j.Follow, messages) })
	b.Run("read", func(b *testing.B) { benchmarkReading(b, j.Read, messages) })
	b.Run("check", func(b *testing.B) {
		begun := time.Now()
		if err := j.Check(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(messages/time.Since(begun).Seconds(), "messages/s")
		b.ReportMetric(0, "ns/op")
	})
}

func benchmarkReading(b *testing.B, from func(context.Context, events.Position) iter.Seq2[events.Message, error], messages int) {
	begun, seen := time.Now(), 0
	for _, err := range from(b.Context(), 0) {
		if err != nil {
			b.Fatal(err)
		}
		if seen++; seen == messages {
			break
		}
	}
	b.ReportMetric(float64(seen)/time.Since(begun).Seconds(), "messages/s")
	b.ReportMetric(0, "ns/op")
}

// load fills a log quickly: in batches.
func load(b *testing.B, j *Journal, messages int) {
	for n := 0; n < messages; n += batchMessages {
		entries := make([]*entry, batchMessages)
		for i := range entries {
			entries[i] = entryOf(b, logtest.Decision(logtest.Keyring(n+i), 0))
		}
		if _, err := j.sendBatch(context.Background(), nats.NewInbox(), entries); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFollowLatency(b *testing.B) {
	j := opened(b, testConfig(b.TempDir()))
	var last events.Position
	append1 := func() {
		p, err := j.Append(b.Context(), logtest.Decision(logtest.Keyring(1), last))
		if err != nil {
			b.Fatal(err)
		}
		last = p
	}
	append1()
	var took []time.Duration
	delivered := make(chan time.Time, 1)
	go func() {
		for range j.Follow(b.Context(), 0) {
			delivered <- time.Now()
		}
	}()
	<-delivered
	for range max(100, b.N) {
		append1()
		answered := time.Now()
		took = append(took, (<-delivered).Sub(answered))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkLines prints the processor time of an append whose answer comes on a line, and of one that is asked by
// the client's own request, by turns.
func BenchmarkLines(b *testing.B) {
	for _, callers := range []int{1, 4, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) { benchmarkLines(b, callers) })
	}
}

func benchmarkLines(b *testing.B, callers int) {
	j := opened(b, testConfig(b.TempDir()))
	lasts := make([]events.Position, callers)
	do := func(c int) (err error) {
		lasts[c], err = j.Append(context.Background(), logtest.Decision(logtest.Keyring(c), lasts[c]))
		return err
	}
	byClient := func(ctx context.Context, m *nats.Msg, _ request) (*nats.Msg, error) {
		return j.write.RequestMsgWithContext(ctx, m)
	}
	each := max(1, b.N/turns/callers)
	burst(b, callers, 1, do)
	var lines, client time.Duration
	b.ResetTimer()
	for range turns {
		j.config.between = byClient
		began := processorTime(b)
		burst(b, callers, each, do)
		client += processorTime(b) - began
		j.config.between = nil
		began = processorTime(b)
		burst(b, callers, each, do)
		lines += processorTime(b) - began
	}
	n := float64(each * callers * turns)
	b.ReportMetric(float64(lines.Nanoseconds())/n, "cpu-ns/append")
	b.ReportMetric(float64(client.Nanoseconds())/n, "client-cpu-ns/append")
	b.ReportMetric(float64(lines)/float64(client), "ratio")
	b.ReportMetric(0, "ns/op")
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCheckBlocks is what a start pays before its server runs: for a block that
// is not compressed, of which a stream has one, and for a ledger of 128 compressed ones.
func BenchmarkCheckBlocks(b *testing.B) {
	b.Run("plain", func(b *testing.B) { benchmarkCheckBlocks(b, 1, func(plain []byte) []byte { return plain }) })
	b.Run("compressed", func(b *testing.B) {
		benchmarkCheckBlocks(b, 128, func(plain []byte) []byte { return compressedBlock(b, plain) })
	})
}

func benchmarkCheckBlocks(b *testing.B, blocks int, written func(plain []byte) []byte) {
	dir := b.TempDir()
	at := filepath.Join(dir, streamLedger, "msgs")
	if err := os.MkdirAll(at, 0o700); err != nil {
		b.Fatal(err)
	}
	size := 0
	for i := range uint32(blocks) {
		plain := records(streamLedger, i+1, 8400, func(n int) string { return noise(n, 900) }) // 8 MB, as the server has them
		size += len(plain)
		if err := os.WriteFile(filepath.Join(at, fmt.Sprintf("%d.blk", i+1)), written(plain), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(size))
	for b.Loop() {
		if err := checkBlocks(dir, 0); err != nil {
			b.Fatal(err)
		}
	}
}
