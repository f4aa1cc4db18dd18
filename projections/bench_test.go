package projections_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/projtest"
)

// BenchmarkRebuild folds a whole mixed history into an empty store, all
// projections at once, from messages in memory. It prints events and their cost in
// processor time, flushes and compactions included. The history has 200,000 events, or
// KEYLEDGER_REBUILD_EVENTS.
func BenchmarkRebuild(b *testing.B) {
	n := 200_000
	if wanted, err := strconv.Atoi(os.Getenv("KEYLEDGER_REBUILD_EVENTS")); err == nil {
		n = wanted
	}
	h := projtest.NewHistory(1)
	h.MaxUsers = n / 4
	story := h.Messages(n)
	b.Run("all", func(b *testing.B) { rebuild(b, story, all) })
	for _, p := range all() {
		b.Run(p.Projection.Name(), func(b *testing.B) { rebuild(b, story, func() []projections.Part { return []projections.Part{p} }) })
	}
	b.Run("decode", func(b *testing.B) {
		used := cpu()
		for b.Loop() {
			for _, m := range story {
				if _, err := events.Decode(m); err != nil {
					b.Fatal(err)
				}
			}
		}
		report(b, len(story), used)
	})
}

func rebuild(b *testing.B, story []events.Message, parts func() []projections.Part) {
	used := cpu()
	for b.Loop() {
		b.StopTimer()
		dir := b.TempDir()
		b.StartTimer()
		store, err := projections.Open(dir, projections.Options{})
		if err != nil {
			b.Fatal(err)
		}
		run(b, store, projtest.NewLog(story...), parts(), events.Position(len(story)))
		b.StopTimer()
		store.Settle() // compactions that come later are part of the price
		b.StartTimer()
		b.ReportMetric(float64(store.DiskBytes())/float64(len(story)), "disk-B/event")
		if err := store.Close(); err != nil {
			b.Fatal(err)
		}
	}
	report(b, len(story), used)
}

// run applies a log up to a position.
func run(b *testing.B, store *projections.Store, log projections.Source, parts []projections.Part, to events.Position) {
	r, err := projections.NewRunner(context.Background(), projections.Config{Store: store, Source: log, Identity: projtest.Identity, Parts: parts})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	if err := r.Wait(ctx, to); err != nil {
		b.Fatal(err)
	}
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}

func report(b *testing.B, each int, before time.Duration) {
	n := float64(each) * float64(b.N)
	b.ReportMetric(n/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64((cpu()-before).Microseconds())/n, "cpu-us/event")
	b.ReportMetric(0, "ns/op")
}

// cpu is the processor time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(fmt.Sprint("getrusage: ", err))
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
