package access_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/access"
)

// benchRecords is how many records a store of a benchmark holds; KEYLEDGER_BENCH_RECORDS
// raises it.
func benchRecords(b *testing.B) int {
	text := os.Getenv("KEYLEDGER_BENCH_RECORDS")
	if text == "" {
		return 1_000_000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// A world makes records: so many keys, of which few are used much, in so many accounts, over
// so long a time.
type world struct {
	keys, accounts int
	over           time.Duration
	lots           *rand.Rand
	zipf           *rand.Zipf
	at             time.Time
}

func newWorld(keys, accounts int, over time.Duration) *world {
	lots := rand.New(rand.NewPCG(1, 7))
	return &world{keys: keys, accounts: accounts, over: over, lots: lots, zipf: rand.NewZipf(lots, 1.1, 8, uint64(keys-1)), at: begin}
}

func (w *world) key(i int) (events.AccountID, events.AccessKeyID) {
	return events.AccountID(fmt.Sprintf("1%011d", i%w.accounts)), events.AccessKeyID(fmt.Sprintf("KLAK%016X", uint64(i)*0x9e3779b97f4a7c15))
}

func (w *world) random() (out [16]byte) {
	binary.LittleEndian.PutUint64(out[:8], w.lots.Uint64())
	binary.LittleEndian.PutUint64(out[8:], w.lots.Uint64())
	return out
}

func (w *world) record() uses.Record {
	i := int(w.zipf.Uint64())
	r := uses.Record{
		ID: w.random(), Time: w.at, User: events.UserID(fmt.Sprintf("2%017d", i)), Outcome: uses.Allowed, Scheme: "AWS4-HMAC-SHA256",
		Service: []string{"s3", "ecs", "vpc", "obs"}[i%4], Action: fmt.Sprintf("DescribeSomething%d", (i+w.lots.IntN(8))%160), Region: []string{"eu-west-1", "cn-north-4"}[i%2],
		SourceIP: netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), byte(w.lots.IntN(4))}), UserAgent: fmt.Sprintf("aws-sdk-go-v2/1.30.0 os/linux lang/go#1.24.%d md/GOOS#linux", i%400),
		Position: events.Position(100_000 + w.lots.IntN(50)),
	}
	r.Account, r.Key = w.key(i)
	if w.lots.IntN(50) == 0 {
		r.Outcome, r.Reason = uses.Denied, "network-policy"
	}
	id := w.random()
	r.RequestID = fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
	milli := uint64(w.at.UnixMilli())
	copy(r.ID[:], []byte{byte(milli >> 40), byte(milli >> 32), byte(milli >> 24), byte(milli >> 16), byte(milli >> 8), byte(milli)})
	return r
}

// messages are n records in messages of 500, from first on.
func (w *world) messages(first uses.Position, n int) (out []uses.Message) {
	step := w.over / time.Duration(n)
	for n > 0 {
		records := make([]uses.Record, 0, uses.MaxRecords)
		for len(records) < min(n, uses.MaxRecords) {
			w.at = w.at.Add(step)
			records = append(records, w.record())
		}
		n -= len(records)
		out = append(out, message(first+uses.Position(len(out)), records...))
	}
	return out
}

const batch = 256 // messages of a call to Apply, as many of 500 records as a node reads ahead

func feed(b *testing.B, s *access.Store, messages []uses.Message) {
	for part := range slices.Chunk(messages, batch) {
		if err := s.Apply(part); err != nil {
			b.Fatal(err)
		}
	}
}

func benchStore(b *testing.B, messages []uses.Message) *access.Store {
	s, err := access.Open(b.TempDir(), identity, projections.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	feed(b, s, messages)
	if err := s.Settle(); err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkApply folds messages that are in memory, as a node that is behind does: records a second and
// their cost in processor time, flushes and compactions included.
func BenchmarkApply(b *testing.B) {
	for name, over := range map[string]time.Duration{"over 92 days": 92 * 24 * time.Hour, "as fast as it comes": 3 * time.Second} {
		b.Run(name, func(b *testing.B) {
			n := benchRecords(b)
			messages := newWorld(50_000, 5000, over).messages(1, n)
			used := cpu()
			for b.Loop() {
				s, err := access.Open(b.TempDir(), identity, projections.Options{})
				if err != nil {
					b.Fatal(err)
				}
				feed(b, s, messages)
				if err := s.Settle(); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(s.LiveBytes())/float64(n), "live-B/record")
				b.ReportMetric(float64(s.DiskBytes())/float64(n), "disk-B/record")
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			}
			report(b, n, used)
		})
	}
}

// BenchmarkRaw is BenchmarkApply's traffic as it comes, parsed and written to a bare Pebble with
// one row a record, in the order of the log, nothing else: no index, no counters, no last uses.
func BenchmarkRaw(b *testing.B) {
	n := benchRecords(b)
	messages := newWorld(50_000, 5000, 3*time.Second).messages(1, n)
	used := cpu()
	for b.Loop() {
		err := access.Raw(b.TempDir(), func(yield func([]uses.Record) bool) {
			var records []uses.Record
			for part := range slices.Chunk(messages, batch) {
				records = records[:0]
				for _, m := range part {
					records, _ = uses.Parse(records, m.Data)
				}
				if !yield(records) {
					return
				}
			}
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	report(b, n, used)
}

// BenchmarkParse is what of Apply is reading the messages.
func BenchmarkParse(b *testing.B) {
	messages := newWorld(50_000, 5000, time.Hour).messages(1, 100_000)
	var records []uses.Record
	used := cpu()
	for b.Loop() {
		for _, m := range messages {
			var err error
			if records, err = uses.Parse(records[:0], m.Data); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64((cpu()-used).Nanoseconds())/float64(b.N)/1e5, "cpu-ns/record")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkLatest20 is the newest 20 of a key within three months.
func BenchmarkLatest20(b *testing.B) {
	n := benchRecords(b)
	w := newWorld(50_000, 5000, 92*24*time.Hour)
	s := benchStore(b, w.messages(1, n))
	bound := access.Period{NotBefore: w.at.AddDate(0, -3, 0)}
	ask := func(name string, query func(i int) access.Query) {
		b.Run(name, func(b *testing.B) {
			var took latencies
			for i := 0; b.Loop(); i++ {
				q := query(i)
				q.Period = bound
				begun := time.Now()
				if _, err := s.List(q, "", 20); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(begun))
			}
			took.report(b)
		})
	}
	ask("of a busy key", func(int) access.Query { a, k := w.key(int(w.zipf.Uint64())); return access.Query{Account: a, Key: k} })
	ask("of any key", func(int) access.Query { a, k := w.key(w.lots.IntN(w.keys)); return access.Query{Account: a, Key: k} })
	ask("failed, of any key", func(int) access.Query {
		a, k := w.key(w.lots.IntN(w.keys))
		return access.Query{Account: a, Key: k, Which: access.Failed}
	})
	ask("of an account", func(int) access.Query { a, _ := w.key(w.lots.IntN(w.keys)); return access.Query{Account: a} })
	ask("of an address", func(int) access.Query {
		i := w.lots.IntN(w.keys)
		a, _ := w.key(i)
		return access.Query{Account: a, SourceIP: netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1})}
	})
	b.Run("last use of 100 keys", func(b *testing.B) {
		var took latencies
		keys := make([]events.AccessKeyID, 100)
		for b.Loop() {
			for i := range keys {
				_, keys[i] = w.key(w.lots.IntN(w.keys))
			}
			begun := time.Now()
			if _, err := s.LastOf(keys); err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(begun))
		}
		took.report(b)
	})
}

// BenchmarkLargeAccount is the newest 20 of an account with 100,000 keys, all of which were used
// of late: spread over months, and at the highest rate.
func BenchmarkLargeAccount(b *testing.B) {
	for name, over := range map[string]time.Duration{"over 92 days": 92 * 24 * time.Hour, "as fast as it comes": 3 * time.Second} {
		w := newWorld(100_000, 1, over)
		w.zipf = rand.NewZipf(w.lots, 1.0001, 1e9, uint64(w.keys-1)) // nearly even
		s := benchStore(b, w.messages(1, benchRecords(b)))
		a, _ := w.key(0)
		for which, q := range map[string]access.Query{"all": {}, "denied": {Which: access.Denied}, "before a time": {Period: access.Period{Until: begin.Add(over / 2)}}} {
			q.Account, q.NotBefore = a, w.at.AddDate(0, -3, 0)
			b.Run(name+", "+which, func(b *testing.B) {
				var took latencies
				cursor := ""
				for i := 0; b.Loop(); i++ {
					begun := time.Now()
					page, err := s.List(q, cursor, 20)
					if err != nil || len(page.Items) == 0 {
						b.Fatal(len(page.Items), err)
					}
					took = append(took, time.Since(begun))
					if cursor = page.Next; i%20 == 19 {
						cursor = ""
					}
				}
				took.report(b)
			})
		}
	}
}

// BenchmarkDrop drops a month of a quarter.
func BenchmarkDrop(b *testing.B) {
	n := benchRecords(b)
	messages := newWorld(50_000, 5000, 92*24*time.Hour).messages(1, n)
	var took latencies
	for b.Loop() {
		s := benchStore(b, messages)
		begun := time.Now()
		if err := s.Drop(begin.AddDate(0, 2, 0)); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begun))
	}
	took.report(b)
}

func report(b *testing.B, n int, before time.Duration) {
	each := float64(n) * float64(b.N)
	b.ReportMetric(each/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64((cpu()-before).Microseconds())/each, "cpu-us/record")
	b.ReportMetric(0, "ns/op")
}

type latencies []time.Duration

func (l latencies) report(b *testing.B) {
	slices.Sort(l)
	b.ReportMetric(float64(l[len(l)/2].Nanoseconds())/1e3, "p50-us")
	b.ReportMetric(float64(l[len(l)*99/100].Nanoseconds())/1e3, "p99-us")
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
