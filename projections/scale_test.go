package projections_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/keys"
	"github.com/keyledger/keyledger/projections/projtest"
)

// BenchmarkApplyOne is the time from a record in the log to its rows in every
// projection, one record at a time: what a command waits for besides the log.
func BenchmarkApplyOne(b *testing.B) {
	h := projtest.NewHistory(1)
	h.MaxUsers = 5000
	log := projtest.NewLog(h.Messages(20_000)...)
	s := projtest.StartWith(b, projections.Options{}, log, all())
	s.WaitLast()
	next := h.Messages(b.N)
	var took latencies
	used := cpu()
	b.ResetTimer()
	for _, m := range next {
		begun := time.Now()
		log.Append(m)
		s.WaitFor(m.Position)
		took = append(took, time.Since(begun))
	}
	b.StopTimer()
	b.ReportMetric(float64((cpu()-used).Microseconds())/float64(b.N), "cpu-us/event")
	took.report(b)
}

type latencies []time.Duration

func (l latencies) report(b *testing.B) {
	slices.Sort(l)
	b.ReportMetric(float64(l[len(l)/2].Nanoseconds())/1e3, "p50-us")
	b.ReportMetric(float64(l[len(l)*99/100].Nanoseconds())/1e3, "p99-us")
}

// A population is a log of so many users with two keys each, spread over a
// thousand accounts, made up while it is read.
type population int

func (n population) Last(context.Context) (events.Position, error) {
	return events.Position(2 * n), nil
}

func (population) subject(i int) events.Subject {
	return events.KeyringSubject(events.AccountID(fmt.Sprintf("1%011d", i%1000)), events.UserID(fmt.Sprintf("2%017d", i)))
}

func (n population) key(i int) events.AccessKeyID {
	// Scattered as random IDs would be, and never the same twice.
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(i)*0x9e3779b97f4a7c15)
	return events.AccessKeyID(fmt.Sprintf("KLAK%X", b))
}

func (n population) Follow(ctx context.Context, after events.Position) iter.Seq2[events.Message, error] {
	return func(yield func(events.Message, error) bool) {
		h := projtest.NewHistory(1)
		secret := make([]byte, 80)
		for i := range int(2 * n) {
			m := h.Record(n.subject(i%int(n)), events.KeyCreated{Key: n.key(i), Cause: events.CauseRequested, Sealed: events.Sealed{Layout: 1, Version: 1, Epoch: 1, Ciphertext: secret, WrappedKey: secret}})
			if m.Position > after && !yield(m, nil) {
				return
			}
		}
		<-ctx.Done()
	}
}

func (n population) Read(ctx context.Context, after events.Position) iter.Seq2[events.Message, error] {
	return n.Follow(ctx, after)
}

// BenchmarkLists asks a store of one million keys for one key, for the first
// page of a user and for the first page of an account.
func BenchmarkLists(b *testing.B) {
	n := population(500_000)
	if testing.Short() {
		n = 5000
	}
	store, err := projections.Open(b.TempDir(), projections.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	begun, used := time.Now(), cpu()
	run(b, store, n, projtest.Critical(keys.New()), events.Position(2*n))
	b.Logf("%d keys in %v, %.1f us of processor time each, those of making the log included; %d MiB on disk",
		2*n, time.Since(begun).Round(time.Second), float64((cpu()-used).Microseconds())/float64(2*n), store.DiskBytes()>>20)
	ask := func(name string, question func(i int) (int, error)) {
		b.Run(name, func(b *testing.B) {
			lots := rand.New(rand.NewPCG(1, 1))
			var took latencies
			for b.Loop() {
				i, begun := lots.IntN(int(n)), time.Now()
				if got, err := question(i); err != nil || got == 0 {
					b.Fatal(got, err)
				}
				took = append(took, time.Since(begun))
			}
			took.report(b)
		})
	}
	ask("show", func(i int) (int, error) {
		k, _, err := keys.Find(store, n.key(i))
		return len(k.ID), err
	})
	ask("user", func(i int) (int, error) {
		s := n.subject(i)
		page, err := keys.List(store, keys.Filter{Account: s.Account, User: s.User}, "", 100)
		return len(page.Items), err
	})
	ask("account", func(i int) (int, error) {
		page, err := keys.List(store, keys.Filter{Account: n.subject(i).Account}, "", 100)
		return len(page.Items), err
	})
	ask("account-active", func(i int) (int, error) {
		page, err := keys.List(store, keys.Filter{Account: n.subject(i).Account, Statuses: []keys.Status{keys.Active}}, "", 100)
		return len(page.Items), err
	})
}
