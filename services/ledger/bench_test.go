package ledger_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/journal"
	"github.com/keyledger/keyledger/services/ledger"
	"github.com/keyledger/keyledger/services/ledger/ledgertest"
)

// BenchmarkCommands disables and enables keys of different users in process,
// durably, beside raw JetStream publishes of the same bytes by as many callers with
// the same durability. "x-raw" is commands per second over publishes per second.
func BenchmarkCommands(b *testing.B) {
	for _, callers := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			w := durableWorld(b)
			keys := manyKeys(b, w, callers)
			payload := sizeOfLast(b, w)
			b.ResetTimer()
			perSecond := toggle(b, w, keys)
			b.StopTimer()
			raw := rawPublishes(b, callers, payload)
			b.ReportMetric(perSecond, "commands/s")
			b.ReportMetric(raw, "raw/s")
			b.ReportMetric(perSecond/raw, "x-raw")
		})
	}
}

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
	return ledgertest.New(b, j, time.Minute)
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
	if _, err := w.DisableKey(b.Context(), ledgertest.Request(""), keys[0], ""); err != nil {
		b.Fatal(err)
	}
	return keys
}

// toggle lets one caller per key disable and enable it, b.N commands in all.
func toggle(b *testing.B, w *ledgertest.World, keys []events.AccessKeyID) float64 {
	var done atomic.Int64
	start := time.Now()
	var wg sync.WaitGroup
	for _, k := range keys {
		wg.Go(func() {
			for i := 0; done.Add(1) <= int64(b.N); i++ {
				if err := flip(b.Context(), w, k, i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(b.N) / time.Since(start).Seconds()
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

// rawPublishes is how many messages a second as many callers publish straight
// to JetStream, each to a subject of its own, written through to the disk.
func rawPublishes(b *testing.B, callers, size int) float64 {
	b.Helper()
	s, err := server.NewServer(&server.Options{DontListen: true, NoSigs: true, JetStream: true, StoreDir: b.TempDir(), SyncAlways: true})
	if err != nil {
		b.Fatal(err)
	}
	s.Start()
	defer func() { s.Shutdown(); s.WaitForShutdown() }()
	if !s.ReadyForConnections(10 * time.Second) {
		b.Fatal("the raw server is not ready")
	}
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := js.CreateStream(b.Context(), jetstream.StreamConfig{Name: "RAW", Subjects: []string{"raw.>"}, Compression: jetstream.S2Compression}); err != nil {
		b.Fatal(err)
	}
	n := min(max(b.N, 500), 20_000)
	data := make([]byte, size)
	start := time.Now()
	inParallel(b, callers, n, func(i int) error {
		_, err := js.Publish(b.Context(), fmt.Sprintf("raw.%d", i%callers), data)
		return err
	})
	return float64(n) / time.Since(start).Seconds()
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
