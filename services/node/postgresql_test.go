package node_test

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/keyledger/keyledger/events/access"
)

// inserters is by how many connections rows are inserted at once.
const inserters = 4

// A postgresql is a throw-away cluster of PostgreSQL 15 that listens on a socket in its own
// folder and holds access records as one would there: a table partitioned by month with an index on key and time.
// A transaction is on disk before it is acknowledged (synchronous_commit).
type postgresql struct {
	b      *testing.B
	dir    string
	server *exec.Cmd
	log    bytes.Buffer
	conns  []*pgx.Conn
	months []string // partitions, the earliest first
}

// postgresBinaries is where Debian has the programs of version 15; a benchmark that needs them is skipped
// where there are none.
func postgresBinaries(b *testing.B) string {
	const debian = "/usr/lib/postgresql/15/bin"
	if _, err := os.Stat(debian + "/initdb"); err == nil {
		return debian
	}
	b.Skip("PostgreSQL 15 is not installed: apt-get install postgresql-15 (make bench does it as root)")
	return ""
}

// startPostgreSQL makes and starts a cluster. It ends with the benchmark, and if this process
// dies with it.
func startPostgreSQL(b *testing.B) *postgresql {
	b.Helper()
	bin, p := postgresBinaries(b), &postgresql{b: b}
	as := p.makeDir()
	initdb := exec.Command(bin+"/initdb", "-D", p.dir+"/data", "-U", "keyledger", "-A", "trust", "-E", "UTF8", "--no-locale")
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	initdb.Dir = p.dir
	if out, err := initdb.CombinedOutput(); err != nil {
		b.Fatalf("initdb: %v\n%s", err, out)
	}
	p.server = exec.Command(bin+"/postgres", "-D", p.dir+"/data", "-k", p.dir, "-c", "listen_addresses=", "-c", "synchronous_commit=on", "-c", "fsync=on",
		"-c", "shared_buffers=512MB", "-c", "max_wal_size=4GB", "-c", "checkpoint_timeout=15min", "-c", "maintenance_work_mem=256MB")
	p.server.SysProcAttr = &syscall.SysProcAttr{Credential: as, Pdeathsig: syscall.SIGQUIT}
	p.server.Dir, p.server.Stderr = p.dir, &p.log
	if err := p.server.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(p.stop)
	p.connect()
	p.create()
	return p
}

// makeDir makes the cluster's folder. If we are root, whom PostgreSQL does not serve, it is the user
// postgres', who could not enter one of b.TempDir.
func (p *postgresql) makeDir() *syscall.Credential {
	var err error
	if p.dir, err = os.MkdirTemp("", "keyledger-postgresql-"); err != nil {
		p.b.Fatal(err)
	}
	p.b.Cleanup(func() {
		if err := os.RemoveAll(p.dir); err != nil {
			p.b.Error(err)
		}
	})
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		p.b.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid) // decimal on every Unix
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(p.dir, uid, gid); err != nil {
		p.b.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// stop ends the server at once (SIGQUIT): nobody needs what it holds.
func (p *postgresql) stop() {
	for _, c := range p.conns {
		_ = c.Close(context.Background())
	}
	if err := p.server.Process.Signal(syscall.SIGQUIT); err != nil {
		p.b.Error(err)
	}
	_ = p.server.Wait()
	if p.b.Failed() {
		p.b.Logf("PostgreSQL said:\n%s", &p.log)
	}
}

func (p *postgresql) connect() {
	ctx, cancel := context.WithTimeout(p.b.Context(), time.Minute)
	defer cancel()
	for len(p.conns) < inserters {
		c, err := pgx.Connect(ctx, "host="+p.dir+" user=keyledger database=postgres")
		if err == nil {
			p.conns = append(p.conns, c)
			continue
		}
		select {
		case <-ctx.Done():
			p.b.Fatalf("PostgreSQL does not answer: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (p *postgresql) do(sql string, args ...any) {
	p.b.Helper()
	if _, err := p.conns[0].Exec(p.b.Context(), sql, args...); err != nil {
		p.b.Fatalf("%s: %v", sql, err)
	}
}

// create makes the table and partitions for four months back and one to come.
func (p *postgresql) create() {
	p.do(`CREATE TABLE records (id uuid NOT NULL, time timestamptz NOT NULL, key text NOT NULL, account text NOT NULL, user_id text NOT NULL, outcome smallint NOT NULL,
		reason text NOT NULL, scheme text NOT NULL, service text NOT NULL, action text NOT NULL, region text NOT NULL, source_ip inet, user_agent text NOT NULL,
		request_id text NOT NULL, position bigint NOT NULL) PARTITION BY RANGE (time)`)
	p.do("CREATE INDEX ON records (key, time)")
	now := time.Now().UTC()
	for i := -4; i <= 1; i++ {
		month := time.Date(now.Year(), now.Month()+time.Month(i), 1, 0, 0, 0, 0, time.UTC)
		name := "records_" + month.Format("200601")
		p.do(fmt.Sprintf("CREATE TABLE %s PARTITION OF records FOR VALUES FROM ('%s') TO ('%s')", name, month.Format(time.DateOnly), month.AddDate(0, 1, 0).Format(time.DateOnly)))
		p.months = append(p.months, name)
	}
}

// insert puts records into the table, as many in a statement as in a message of USED.
func (p *postgresql) insert(all []access.Record) {
	var group sync.WaitGroup
	batches := make(chan []access.Record)
	for _, c := range p.conns {
		group.Go(func() {
			for batch := range batches {
				if _, err := c.Exec(p.b.Context(), insertStatement, columns(batch)...); err != nil {
					p.b.Error(err)
				}
			}
		})
	}
	for batch := range slices.Chunk(all, access.MaxRecords) {
		batches <- batch
	}
	close(batches)
	group.Wait()
}

// insertStatement inserts the rows that its arrays are the columns of: one statement to parse
// whatever their number.
const insertStatement = `INSERT INTO records SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::smallint[], $7::text[],
	$8::text[], $9::text[], $10::text[], $11::text[], $12::inet[], $13::text[], $14::text[], $15::bigint[])`

func columns(batch []access.Record) []any {
	n := len(batch)
	ids, times, outcomes, positions, addresses := make([][16]byte, n), make([]time.Time, n), make([]int16, n), make([]int64, n), make([]netip.Addr, n)
	var texts [10][]string
	for i, r := range batch {
		ids[i], times[i], outcomes[i], positions[i], addresses[i] = r.ID, r.Time, int16(r.Outcome), int64(r.Position), r.SourceIP
		for j, s := range []string{string(r.Key), string(r.Account), string(r.User), r.Reason, r.Scheme, r.Service, r.Action, r.Region, r.UserAgent, r.RequestID} {
			texts[j] = append(texts[j], s)
		}
	}
	return []any{ids, times, texts[0], texts[1], texts[2], outcomes, texts[3], texts[4], texts[5], texts[6], texts[7], addresses, texts[8], texts[9], positions}
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(fmt.Sprint("getrusage: ", err))
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// processorTime is what the server's processes have used.
func (p *postgresql) processorTime() time.Duration {
	p.b.Helper()
	server := strconv.Itoa(p.server.Process.Pid)
	children, err := os.ReadFile("/proc/" + server + "/task/" + server + "/children")
	if err != nil {
		p.b.Fatal(err)
	}
	used := processorTimeOf(p.b, server)
	for _, child := range strings.Fields(string(children)) {
		used += processorTimeOf(p.b, child)
	}
	return used
}

// processorTimeOf is what a process has used, in ticks of a hundredth of a second; nothing if it has ended, as helpers of
// PostgreSQL do.
func processorTimeOf(b *testing.B, pid string) (used time.Duration) {
	b.Helper()
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), ") ")
	for _, ticks := range strings.Fields(after)[11:13] { // utime and stime
		n, err := strconv.ParseInt(ticks, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		used += time.Duration(n) * 10 * time.Millisecond
	}
	return used
}

// latest20 asks for the newest 20 records of a key and gives how many came.
func (p *postgresql) latest20(key string, since time.Time) (n int) {
	rows, err := p.conns[0].Query(p.b.Context(), `SELECT id, time, account, user_id, outcome, reason, scheme, service, action, region, source_ip, user_agent, request_id, position
		FROM records WHERE key = $1 AND time >= $2 ORDER BY time DESC LIMIT 20`, key, since)
	if err != nil {
		p.b.Fatal(err)
	}
	for rows.Next() {
		if _, err := rows.Values(); err != nil {
			p.b.Fatal(err)
		}
		n++
	}
	if err := rows.Err(); err != nil {
		p.b.Fatal(err)
	}
	return n
}

// rest has everything on disk as it stays, and its statistics known.
func (p *postgresql) rest() {
	p.do("VACUUM ANALYZE records")
	p.do("CHECKPOINT")
}

// bytes is what table and index take on disk, and the write-ahead log.
func (p *postgresql) bytes() (table, wal int64) {
	p.b.Helper()
	row := p.conns[0].QueryRow(p.b.Context(), `SELECT (SELECT sum(pg_total_relation_size(inhrelid))::bigint FROM pg_inherits WHERE inhparent = 'records'::regclass),
		(SELECT sum(size)::bigint FROM pg_ls_waldir())`)
	if err := row.Scan(&table, &wal); err != nil {
		p.b.Fatal(err)
	}
	return table, wal
}

// drop drops the earliest month that holds records.
func (p *postgresql) drop() time.Duration {
	for _, name := range p.months {
		var holds bool
		if err := p.conns[0].QueryRow(p.b.Context(), "SELECT EXISTS (SELECT FROM "+name+")").Scan(&holds); err != nil {
			p.b.Fatal(err)
		}
		if holds {
			start := time.Now()
			p.do("DROP TABLE " + name)
			return time.Since(start)
		}
	}
	p.b.Fatal("no month holds records")
	return 0
}

// diskBytes is what the files under a folder take up.
func diskBytes(b *testing.B, dir string) (n int64) {
	b.Helper()
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return n
}
