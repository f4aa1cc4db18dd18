package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/services/journal"
	"github.com/keyledger/keyledger/services/ledger"
	"github.com/keyledger/keyledger/services/ledger/ledgertest"
	"github.com/keyledger/keyledger/services/view"
)

// BenchmarkCommands disables and enables keys of different users in process,
// durably, beside raw JetStream publishes of the same bytes by as many callers with
// the same durability. They take turns, so that neither has the better disk.
// "x-raw" is commands per second over publishes per second; the processor time of each is
// what stays comparable when others use the machine too.
func BenchmarkCommands(b *testing.B) {
	for _, callers := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			w := durableWorld(b)
			keys := manyKeys(b, w, callers)
			publish := rawPublisher(b, callers, sizeOfLast(b, w))
			var ours, theirs, oursBusy, theirsBusy time.Duration
			own := b.N/turns/callers | 1
			each := own * callers
			b.ResetTimer()
			for turn := range turns + 1 {
				before := busy()
				command := toggle(b, w, keys, turn, own)
				between := busy()
				raw := publish(each)
				if turn > 0 { // the first one warms up
					ours, theirs = ours+command, theirs+raw
					oursBusy, theirsBusy = oursBusy+between-before, theirsBusy+busy()-between
				}
			}
			n := float64(each * turns)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(n/ours.Seconds(), "commands/s")
			b.ReportMetric(n/theirs.Seconds(), "raw/s")
			b.ReportMetric(theirs.Seconds()/ours.Seconds(), "x-raw")
			b.ReportMetric(float64(oursBusy.Microseconds())/n, "cpu-us/command")
			b.ReportMetric(float64(theirsBusy.Microseconds())/n, "cpu-us/raw")
		})
	}
}

// busy is the processor time that this process has used.
func busy() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(fmt.Sprint("getrusage: ", err))
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// turns is how often commands and publishes alternate.
const turns = 8

// BenchmarkCreates creates keys of different users in process, durably.
func BenchmarkCreates(b *testing.B) {
	w := durableWorld(b)
	a := w.Open(b, "strict").Account
	owners := make([]events.Subject, b.N)
	inParallel(b, 64, len(owners), func(i int) error {
		u, err := w.AddUser(b.Context(), ledgertest.Request(""), a, fmt.Sprintf("u%d", i), "", "")
		owners[i] = events.KeyringSubject(a, u.User.ID)
		return err
	})
	b.ResetTimer()
	start := time.Now()
	inParallel(b, 64, len(owners), func(i int) error {
		_, err := w.CreateKey(b.Context(), ledgertest.Request(""), owners[i], "")
		return err
	})
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "creates/s")
}

func durableWorld(b *testing.B) *ledgertest.World {
	b.Helper()
	j, err := journal.Open(b.Context(), journal.Config{Dir: b.TempDir(), Create: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := j.Close(); err != nil {
			b.Error(err)
		}
	})
	store, err := view.OpenStore(b.TempDir(), slog.New(slog.DiscardHandler), projections.Options{})
	if err != nil {
		b.Fatal(err)
	}
	return ledgertest.Over(b, j, store, time.Minute)
}

// manyKeys gives n keys of n users.
func manyKeys(b *testing.B, w *ledgertest.World, n int) []events.AccessKeyID {
	b.Helper()
	a := w.Open(b, "strict").Account
	keys := make([]events.AccessKeyID, n)
	inParallel(b, min(n, 64), n, func(i int) error {
		u, err := w.AddUser(b.Context(), ledgertest.Request(""), a, fmt.Sprintf("u%d", i), "", "")
		if err != nil {
			return err
		}
		k, err := w.CreateKey(b.Context(), ledgertest.Request(""), events.KeyringSubject(a, u.User.ID), "")
		keys[i] = k.Key
		return err
	})
	if err := errors.Join(flip(b.Context(), w, keys[0], 0), flip(b.Context(), w, keys[0], 1)); err != nil {
		b.Fatal(err)
	}
	return keys
}

// toggle lets one caller per key disable it, or enable it in odd turns and back,
// n times each, which is odd.
func toggle(b *testing.B, w *ledgertest.World, keys []events.AccessKeyID, turn, n int) time.Duration {
	start := time.Now()
	var wg sync.WaitGroup
	for c, k := range keys {
		wg.Go(func() {
			for i := range n {
				if err := flip(b.Context(), w, k, turn+i); err != nil {
					b.Errorf("caller %d: %v", c, err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(start)
}

func flip(ctx context.Context, w *ledgertest.World, k events.AccessKeyID, i int) error {
	req := ledger.Request{Actor: ledgertest.Tester, Digest: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}
	var err error
	if i%2 == 0 {
		_, err = w.DisableKey(ctx, req, k, "")
	} else {
		_, err = w.EnableKey(ctx, req, k)
	}
	return err
}

func sizeOfLast(b *testing.B, w *ledgertest.World) int {
	last, err := w.Log.Last(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	m, err := w.Log.At(b.Context(), last)
	if err != nil {
		b.Fatal(err)
	}
	return len(m.Data)
}

// rawPublisher gives a function that has as many callers publish n messages
// straight to JetStream, each to a subject of its own, written through to the disk.
func rawPublisher(b *testing.B, callers, size int) func(n int) time.Duration {
	b.Helper()
	s, err := server.NewServer(&server.Options{DontListen: true, NoSigs: true, JetStream: true, StoreDir: b.TempDir(), SyncAlways: true})
	if err != nil {
		b.Fatal(err)
	}
	s.Start()
	b.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		b.Fatal("the raw server is not ready")
	}
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := js.CreateStream(b.Context(), jetstream.StreamConfig{Name: "RAW", Subjects: []string{"raw.>"}, Compression: jetstream.S2Compression}); err != nil {
		b.Fatal(err)
	}
	data := make([]byte, size)
	return func(n int) time.Duration {
		start := time.Now()
		inParallel(b, callers, n, func(i int) error {
			_, err := js.Publish(b.Context(), fmt.Sprintf("raw.%d", i%callers), data)
			return err
		})
		return time.Since(start)
	}
}

// inParallel does n things by as many callers.
func inParallel(b *testing.B, callers, n int, do func(i int) error) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if err := do(int(i)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
