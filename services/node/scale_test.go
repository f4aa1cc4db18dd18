package node_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/dialect/aws"
	"github.com/keyledger/keyledger/services/identity"
	"github.com/keyledger/keyledger/services/journal"
	"github.com/keyledger/keyledger/services/node"
	"github.com/keyledger/keyledger/services/vault"
)

// BenchmarkScale fills a ledger with a million keys of half a million users
// (KEYLEDGER_SCALE_USERS overrides) and prints, for the built binary as a child: events
// per second of a rebuild from nothing, seconds from SIGKILL to ready and the memory
// then, and the latency of key show and key lists over HTTP.
func BenchmarkScale(b *testing.B) {
	s := &scale{b: b, users: 500_000, dir: b.TempDir()}
	if n, err := strconv.Atoi(os.Getenv("KEYLEDGER_SCALE_USERS")); err == nil {
		s.users = n
	}
	s.build()
	s.begin()
	s.fill()
	for range b.N {
		s.rebuild()
		s.restart()
		s.ask()
	}
}

type scale struct {
	b           *testing.B
	users       int
	dir, binary string
	credentials node.Credentials
	owners      []events.Subject
	keys        []events.AccessKeyID
	records     events.Position
	child       *exec.Cmd
	endpoint    string
}

func (s *scale) data() string { return filepath.Join(s.dir, "data") }

func (s *scale) must(err error) {
	s.b.Helper()
	if err != nil {
		s.b.Fatal(err)
	}
}

func (s *scale) build() {
	s.binary = filepath.Join(s.dir, "keyledger")
	out, err := exec.Command("go", "build", "-o", s.binary, "github.com/keyledger/keyledger/cmd/keyledger").CombinedOutput()
	if err != nil {
		s.b.Fatalf("%v\n%s", err, out)
	}
}

// begin makes the installation.
func (s *scale) begin() {
	n, err := node.Start(s.b.Context(), node.Config{Data: s.data(), Listen: "127.0.0.1:0"})
	s.must(err)
	text, err := os.ReadFile(n.FirstCredentials())
	s.must(err)
	s.must(json.Unmarshal(text, &s.credentials))
	s.must(n.Close())
}

// fill writes users and keys straight into the log, without waiting for
// projections: this is not what is measured.
func (s *scale) fill() {
	unlock, err := vault.OpenUnlockKey(s.data()+"-unlock.key", s.data())
	s.must(err)
	v, err := vault.Open(s.data(), unlock)
	s.must(err)
	j, err := journal.Open(s.b.Context(), journal.Config{Dir: filepath.Join(s.data(), "log"), Profile: journal.Relaxed})
	s.must(err)
	s.fillUsers(j)
	s.fillKeys(j, v)
	s.records, err = j.Last(s.b.Context())
	s.must(err)
	s.must(j.Close())
}

func (s *scale) decision(subject events.Subject, after events.Position, draw identity.Source, es ...events.Event) events.Decision {
	request, err := draw.RequestID()
	s.must(err)
	d := events.Decision{Subject: subject, After: after, Meta: events.Meta{
		Time: time.Now().UTC(), Actor: "system:benchmark", Request: request, SourceIP: "192.0.2.1", Dialect: "native",
	}}
	for _, e := range es {
		id, err := draw.EventID()
		s.must(err)
		d.Events = append(d.Events, events.Recorded{ID: id, Event: e})
	}
	return d
}

func (s *scale) fillUsers(j *journal.Journal) {
	account := events.AccountID(s.credentials.AccountID)
	subject := events.AccountSubject(account)
	m, err := j.LastOf(s.b.Context(), subject)
	s.must(err)
	after, draw := m.Position, identity.Source{}
	for len(s.owners) < s.users {
		var added []events.Event
		for range min(500, s.users-len(s.owners)) {
			id, err := draw.UserID()
			s.must(err)
			s.owners = append(s.owners, events.KeyringSubject(account, id))
			added = append(added, events.UserAdded{User: id, Name: fmt.Sprintf("user-%d", len(s.owners)), UserKind: events.KindUser, Role: events.RoleUser})
		}
		after, err = j.Append(s.b.Context(), s.decision(subject, after, draw, added...))
		s.must(err)
	}
}

func (s *scale) fillKeys(j *journal.Journal, v *vault.Vault) {
	s.keys = make([]events.AccessKeyID, 2*len(s.owners))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 16 { // each on its own, which costs the relaxed profile less than batches
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(s.owners)); i = next.Add(1) - 1 {
				s.twoKeys(j, v, int(i))
			}
		})
	}
	wg.Wait()
}

func (s *scale) twoKeys(j *journal.Journal, v *vault.Vault, i int) {
	draw, after := identity.Source{}, events.Position(0)
	for k := range 2 {
		id, err := draw.AccessKeyID()
		s.must(err)
		secret, err := draw.Secret()
		s.must(err)
		sealed, err := v.Seal(s.owners[i].Account, id, 1, secret)
		s.must(err)
		after, err = j.Append(s.b.Context(), s.decision(s.owners[i], after, draw, events.KeyCreated{Key: id, Cause: events.CauseRequested, Sealed: sealed}))
		s.must(err)
		s.keys[2*i+k] = id
	}
}

// serve starts the binary and gives how long it took to be ready.
func (s *scale) serve() time.Duration {
	s.b.Helper()
	start := time.Now()
	s.child = exec.Command(s.binary, "serve", "--data", s.data(), "--listen", "127.0.0.1:0")
	out, err := s.child.StdoutPipe()
	s.must(err)
	s.child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.must(s.child.Start())
	line := make([]byte, 256)
	n, err := out.Read(line)
	s.must(err)
	took := time.Since(start)
	_, after, _ := strings.Cut(string(line[:n]), "http://")
	s.endpoint = "http://" + strings.Fields(after)[0]
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return took
}

func (s *scale) kill() {
	s.must(s.child.Process.Signal(syscall.SIGKILL))
	_ = s.child.Wait()
}

func (s *scale) rebuild() {
	s.must(os.RemoveAll(filepath.Join(s.data(), "projections")))
	took := s.serve()
	s.b.ReportMetric(float64(s.records)/took.Seconds(), "rebuilt-records/s")
	n := float64(int(s.records) + s.users)
	s.b.ReportMetric(n/took.Seconds(), "rebuilt-events/s")
	s.kill()
	used := s.child.ProcessState.UserTime() + s.child.ProcessState.SystemTime()
	s.b.ReportMetric(float64(used.Microseconds())/n, "rebuild-cpu-us/event")
}

func (s *scale) restart() {
	took := s.serve()
	s.b.ReportMetric(took.Seconds(), "s-ready-after-SIGKILL")
	s.ask() // what it needs to answer is in memory
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.child.Process.Pid))
	s.must(err)
	for _, line := range strings.Split(string(text), "\n") {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmRSS:" {
			kib, err := strconv.Atoi(fields[1])
			s.must(err)
			s.b.ReportMetric(float64(kib)/1024, "MiB-RSS")
		}
	}
}

// ask measures answers over HTTP, one after the other, as one client sees them
// whose own garbage is not collected meanwhile.
func (s *scale) ask() {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for name, path := range map[string]func(i int) string{
		"show": func(i int) string { return "/v1/keys/" + string(s.keys[i%len(s.keys)]) },
		"list": func(i int) string { return "/v1/users/" + string(s.owners[i%len(s.owners)].User) + "/keys" },
		"page": func(int) string { return "/v1/keys?limit=100" },
		"bare": func(int) string { return "/livez" }, // what HTTP alone takes here and now
	} {
		var took []time.Duration
		for i := range 2000 {
			start := time.Now()
			s.get(path(i * 7919))
			took = append(took, time.Since(start))
		}
		slices.Sort(took)
		s.b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, name+"-p50-ms")
		s.b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, name+"-p99-ms")
	}
}

func (s *scale) get(path string) {
	s.b.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, s.endpoint+path, nil)
	s.must(err)
	aws.Sign(req, nil, s.credentials.AccessKeyID, s.credentials.SecretAccessKey, "keyledger", "local", time.Now())
	res, err := http.DefaultClient.Do(req)
	s.must(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	s.must(err)
	if res.StatusCode != http.StatusOK {
		s.b.Fatalf("%s: %s: %s", path, res.Status, body)
	}
}
