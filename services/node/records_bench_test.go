package node_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/projections/access"
	"github.com/keyledger/keyledger/services/dialect/aws"
	"github.com/keyledger/keyledger/services/node"
)

// BenchmarkRecords fills a ledger with access records (KEYLEDGER_POSTGRESQL_RECORDS; 10,000,000 in make bench) of 100,000 keys of one
// account over three months, and a PostgreSQL with the same ones, by turns: records a second until they can be queried. Then
// it compares what they take on disk, how long the newest 20 of a key take over a local socket, and how long it takes to drop a month.
// Queries are measured at rest: the log is read through as after every start, and both have compacted.
func BenchmarkRecords(b *testing.B) {
	postgresBinaries(b)
	s := &scale{b: b, users: 50_000, dir: b.TempDir()}
	if n, err := strconv.Atoi(os.Getenv("KEYLEDGER_SCALE_USERS")); err == nil {
		s.users = n
	}
	s.build()
	s.begin()
	s.fill()
	c := &comparison{scale: s, postgres: startPostgreSQL(b), traffic: newTraffic(s, recordsWanted(b))}
	for range b.N {
		if c.filled {
			continue // once is enough: what it prints are sums over many turns
		}
		c.fillBoth()
		c.inProcess()
		c.disk()
		c.overSocket()
		c.drop()
	}
	b.ReportMetric(0, "ns/op")
}

func recordsWanted(b *testing.B) int {
	text := os.Getenv("KEYLEDGER_POSTGRESQL_RECORDS")
	if text == "" {
		return 1_000_000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// A traffic makes records of a scale's keys, of which few are used much.
type traffic struct {
	*scale
	left int
	lots *rand.Rand
	zipf *rand.Zipf
	at   time.Time
	step time.Duration
}

// seasons is how far back records go: less than they are kept.
const seasons = 85 * 24 * time.Hour

func newTraffic(s *scale, n int) *traffic {
	lots := rand.New(rand.NewPCG(1, 7))
	return &traffic{
		scale: s, left: n, lots: lots, zipf: rand.NewZipf(lots, 1.1, 8, uint64(len(s.keys)-1)), at: time.Now().UTC().Add(-seasons), step: seasons / time.Duration(n),
	}
}

// next is up to n further records, in the order of their times.
func (t *traffic) next(n int) []uses.Record {
	out := make([]uses.Record, min(n, t.left))
	for i := range out {
		t.at = t.at.Add(t.step)
		out[i] = t.record()
	}
	t.left -= len(out)
	return out
}

func (t *traffic) record() uses.Record {
	i := int(t.zipf.Uint64())
	r := uses.Record{
		ID: t.random(), Time: t.at.Truncate(time.Microsecond), Key: t.keys[i], Account: t.owners[i/2].Account, User: t.owners[i/2].User, Outcome: uses.Allowed, Scheme: "AWS4-HMAC-SHA256",
		Service: []string{"s3", "ecs", "vpc", "obs"}[i%4], Action: fmt.Sprintf("DescribeSomething%d", (i+t.lots.IntN(8))%160), Region: []string{"eu-west-1", "cn-north-4"}[i%2],
		SourceIP: netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), byte(t.lots.IntN(4))}), UserAgent: fmt.Sprintf("aws-sdk-go-v2/1.30.0 os/linux lang/go#1.24.%d md/GOOS#linux", i%400),
		Position: events.Position(100_000 + t.lots.IntN(50)),
	}
	if t.lots.IntN(50) == 0 {
		r.Outcome, r.Reason = uses.Denied, "network-policy"
	}
	id := t.random()
	r.RequestID = fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
	milli := uint64(t.at.UnixMilli())
	copy(r.ID[:], []byte{byte(milli >> 40), byte(milli >> 32), byte(milli >> 24), byte(milli >> 16), byte(milli >> 8), byte(milli)}) // as a UUID of version 7 begins
	return r
}

func (t *traffic) random() (out [16]byte) {
	binary.LittleEndian.PutUint64(out[:8], t.lots.Uint64())
	binary.LittleEndian.PutUint64(out[8:], t.lots.Uint64())
	return out
}

// A comparison is a ledger beside a PostgreSQL.
type comparison struct {
	*scale
	traffic  *traffic
	postgres *postgresql
	node     *node.Node
	filled   bool
}

// recorders is by how many callers records are recorded at once.
const recorders = 1024

func (c *comparison) start() {
	var err error
	c.node, err = node.Start(c.b.Context(), node.Config{Data: c.data(), Listen: "127.0.0.1:0"})
	c.must(err)
}

func (c *comparison) stop() {
	c.must(c.node.Close())
	c.node = nil
}

// fillBoth has both take the same records, by turns of some seconds. What each costs in processor time is
// that of this process in its turns, and of PostgreSQL's processes in theirs: this process is Keyledger in the one, and a client in the other.
func (c *comparison) fillBoth() {
	c.start()
	c.filled = true
	total, turn := c.traffic.left, max(25_000, c.traffic.left/40)
	var ours, theirs, oursBusy, theirsBusy time.Duration
	for c.traffic.left > 0 {
		records := c.traffic.next(turn)
		start, busy := time.Now(), processorTime()
		c.record(records)
		c.must(c.node.AwaitRecords(c.b.Context()))
		middle, busyMiddle, server := time.Now(), processorTime(), c.postgres.processorTime()
		c.postgres.insert(records)
		ours, theirs = ours+middle.Sub(start), theirs+time.Since(middle)
		oursBusy += busyMiddle - busy
		theirsBusy += processorTime() - busyMiddle + c.postgres.processorTime() - server
	}
	c.b.ReportMetric(float64(total)/ours.Seconds(), "applied/s")
	c.b.ReportMetric(float64(total)/theirs.Seconds(), "postgresql-rows/s")
	c.b.ReportMetric(float64(theirs)/float64(ours), "applied-x-postgresql")
	c.b.ReportMetric(float64(oursBusy.Nanoseconds())/1e3/float64(total), "applied-cpu-us")
	c.b.ReportMetric(float64(theirsBusy.Nanoseconds())/1e3/float64(total), "postgresql-cpu-us")
}

// record records durably, as verifications do.
func (c *comparison) record(records []uses.Record) {
	var group sync.WaitGroup
	var next atomic.Int64
	for range recorders {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(records)); i = next.Add(1) - 1 {
				if err := c.node.Uses().Record(c.b.Context(), records[i]); err != nil {
					c.b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}

func (c *comparison) since() time.Time { return time.Now().UTC().Add(-uses.Kept) }

func (c *comparison) anyKey() events.AccessKeyID  { return c.keys[c.traffic.lots.IntN(len(c.keys))] }
func (c *comparison) busyKey() events.AccessKeyID { return c.keys[c.traffic.zipf.Uint64()] }

// warmUp is how many answers of each kind do not count.
const warmUp = 500

// inProcess measures the newest 20 of a key and of the account, without a socket.
func (c *comparison) inProcess() {
	c.atRest(c.node.URL(), processorTime)
	account := events.AccountID(c.credentials.AccountID)
	for name, query := range map[string]func() access.Query{
		"busy-key":    func() access.Query { return access.Query{Account: account, Key: c.busyKey()} },
		"any-key":     func() access.Query { return access.Query{Account: account, Key: c.anyKey()} },
		"the-account": func() access.Query { return access.Query{Account: account} },
	} {
		var took []time.Duration
		for i := range 5000 {
			q := query()
			q.NotBefore = c.since()
			start := time.Now()
			_, err := c.node.Records().List(q, "", 20)
			if i >= warmUp {
				took = append(took, time.Since(start))
			}
			c.must(err)
		}
		c.percentiles("in-process-"+name, took)
	}
	c.stop()
}

// restPatience is how long a ledger of 10,000,000 records is given to come to rest, amply.
const restPatience = 10 * time.Minute

// atRest waits until the scan of a start has read everything, and a second passes in which a server does next to nothing.
func (c *comparison) atRest(endpoint string, used func() time.Duration) {
	for start := time.Now(); time.Since(start) < restPatience; {
		busy := used()
		time.Sleep(time.Second)
		if used()-busy <= 20*time.Millisecond && c.scanned(endpoint) {
			return
		}
	}
	c.b.Fatalf("no rest within %v", restPatience)
}

// scanned asks a server whether it has read all of its log.
func (c *comparison) scanned(endpoint string) bool {
	res, err := http.Get(endpoint + "/metrics")
	c.must(err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	c.must(err)
	rounds := 0
	for _, part := range []string{"ledger", "files"} {
		if regexp.MustCompile(`(?m)^keyledger_log_scan_rounds_total\{part="` + part + `"\} [1-9]`).Match(text) {
			rounds++
		}
	}
	return rounds == 2
}

func (c *comparison) percentiles(name string, took []time.Duration) {
	slices.Sort(took)
	c.b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e6, name+"-p50-ms")
	c.b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e6, name+"-p99-ms")
}

// disk compares what both take when nothing goes on.
func (c *comparison) disk() {
	c.postgres.rest()
	n := float64(recordsWanted(c.b))
	used := float64(diskBytes(c.b, filepath.Join(c.data(), "log", "jetstream", "$G", "streams", "USED")))
	known := float64(diskBytes(c.b, filepath.Join(c.data(), "records")))
	table, wal := c.postgres.bytes()
	c.b.ReportMetric(used/n, "used-B/record")
	c.b.ReportMetric(known/n, "projection-B/record")
	c.b.ReportMetric(float64(table)/n, "postgresql-table-index-B/record")
	c.b.ReportMetric(float64(wal)/n, "postgresql-wal-B/record")
	c.b.ReportMetric(float64(table+wal)/(used+known), "disk-x-postgresql")
	c.b.ReportMetric(float64(table+wal)/known, "projection-x-postgresql")
	c.b.ReportMetric(float64(table)/(used+known), "disk-x-postgresql-tables")
	c.b.ReportMetric(float64(table)/known, "projection-x-postgresql-tables")
}

// overSocket measures the newest 20 of a key as a client sees it: the built binary over HTTP on the loopback, the
// request signed beforehand, and PostgreSQL over its socket.
func (c *comparison) overSocket() {
	c.serve()
	defer c.kill()
	server := strconv.Itoa(c.child.Process.Pid)
	c.atRest(c.endpoint, func() time.Duration { return processorTimeOf(c.b, server) })
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.endpoint, "http://"))
	c.must(err)
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	for name, key := range map[string]func() events.AccessKeyID{"busy-key": c.busyKey, "any-key": c.anyKey} {
		var ours, theirs []time.Duration
		busy, busyTheirs := processorTimeOf(c.b, server), c.postgres.processorTime()
		for i := range 5000 {
			id := string(key())
			req := c.signed("/v1/keys/" + id + "/records?limit=20")
			start := time.Now()
			c.exchange(conn, in, req)
			middle := time.Now()
			c.postgres.latest20(id, c.since())
			if i >= warmUp {
				ours, theirs = append(ours, middle.Sub(start)), append(theirs, time.Since(middle))
			}
		}
		c.b.ReportMetric(float64((processorTimeOf(c.b, server)-busy).Microseconds())/5000, "http-"+name+"-server-cpu-us")
		c.b.ReportMetric(float64((c.postgres.processorTime()-busyTheirs).Microseconds())/5000, "postgresql-"+name+"-server-cpu-us")
		c.percentiles("http-"+name, ours)
		c.percentiles("postgresql-"+name, theirs)
	}
}

func (c *comparison) signed(path string) *http.Request {
	req, err := http.NewRequest(http.MethodGet, c.endpoint+path, nil)
	c.must(err)
	aws.Sign(req, nil, c.credentials.AccessKeyID, c.credentials.SecretAccessKey, "keyledger", "local", time.Now())
	return req
}

// exchange asks until it is answered: on a machine that others use, a node may be behind its log for a
// moment and says so. That time counts.
func (c *comparison) exchange(conn net.Conn, in *bufio.Reader, req *http.Request) {
	for left := 10; ; left-- {
		c.must(req.Write(conn))
		res, err := http.ReadResponse(in, req)
		c.must(err)
		body, err := io.ReadAll(res.Body)
		c.must(err)
		if res.StatusCode == http.StatusOK {
			return
		}
		if left == 0 || res.StatusCode != http.StatusServiceUnavailable {
			c.b.Fatalf("%s: %s: %s", req.URL, res.Status, body)
		}
	}
}

// drop has both drop the earliest month.
func (c *comparison) drop() {
	c.start()
	defer c.stop()
	second := time.Now().UTC().Add(-seasons).AddDate(0, 1, 0)
	start := time.Now()
	c.must(c.node.Records().Drop(second))
	c.b.ReportMetric(float64(time.Since(start).Microseconds())/1000, "drop-month-ms")
	c.b.ReportMetric(float64(c.postgres.drop().Microseconds())/1000, "postgresql-drop-month-ms")
}
