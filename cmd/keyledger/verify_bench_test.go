package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// connections is by how many servers are asked at once at most.
const connections = 64

// BenchmarkVerifyHTTP has servers with one processor each answer POST /v1/verify by a gateway token, in the durable mode and
// in the async one, and beside them an empty handler of the same framework, which reads the same body and gives an answer
// of the same size. They are asked by turns. "x-empty" is the ratio of requests a second, "x-empty-cpu" that of requests
// per second of the server's processor time; the goal is 0.5.
func BenchmarkVerifyHTTP(b *testing.B) {
	b.Setenv("GOMAXPROCS", "1") // of the servers; this process has begun
	sides := []*side{newSide(b, "durable"), newSide(b, "async", "--async-uses"), emptySide(b)}
	for _, n := range []int{16, connections} {
		b.Run(fmt.Sprintf("connections=%d", n), func(b *testing.B) {
			for _, s := range sides {
				s.turn(b, n, 8000/n)
				s.latencies, s.took, s.cpu = nil, 0, 0 // that was to warm up
			}
			for b.Loop() {
				for range 4 {
					for _, s := range sides {
						s.turn(b, n, 3200/n)
					}
				}
			}
			for _, s := range sides {
				s.report(b, sides[len(sides)-1])
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func (s *side) report(b *testing.B, empty *side) {
	slices.Sort(s.latencies)
	n := float64(len(s.latencies))
	b.ReportMetric(n/s.took.Seconds(), s.name+"-req/s")
	b.ReportMetric(float64(s.cpu.Microseconds())/n, s.name+"-cpu-us")
	b.ReportMetric(ms(s.latencies[len(s.latencies)/2]), s.name+"-p50-ms")
	b.ReportMetric(ms(s.latencies[len(s.latencies)*99/100]), s.name+"-p99-ms")
	if s != empty {
		b.ReportMetric(empty.took.Seconds()/s.took.Seconds(), s.name+"-x-empty")
		b.ReportMetric(float64(empty.cpu)/float64(s.cpu), s.name+"-x-empty-cpu")
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// A side is a server that is asked the same as others.
type side struct {
	name      string
	server    *serverProcess
	requests  [connections][]byte
	wires     [connections]*wire
	latencies []time.Duration
	took, cpu time.Duration
}

// newSide starts a ledger.
func newSide(b *testing.B, name string, flags ...string) *side {
	v := newVictim(b, b.TempDir(), flags...)
	token := v.gatewayToken()
	_, keys := v.keys(16)
	s := &side{name: name, server: v.running}
	for i := range s.requests {
		s.requests[i] = verification(token, keys[i%len(keys)], "GetObject", time.Now())
	}
	s.connect(b)
	return s
}

// emptySide starts a server that does nothing.
func emptySide(b *testing.B) *side {
	path, err := exec.LookPath("empty-handler")
	if err != nil {
		b.Fatal(err)
	}
	s := &side{name: "empty"}
	if s.server, err = startServer(path, b.TempDir(), os.Environ()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.server.kill)
	for i := range s.requests {
		s.requests[i] = verification("klgw_"+strings.Repeat("x", 43), credentialsFile{AccessKeyID: "KLAK0123456789ABCDEF", SecretAccessKey: "x"}, "GetObject", time.Now())
	}
	s.connect(b)
	return s
}

func (s *side) connect(b *testing.B) {
	for i := range s.wires {
		var err error
		if s.wires[i], err = dial(s.server.URL); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = s.wires[i].conn.Close() })
		if status, err := s.wires[i].ask(s.requests[i]); err != nil || status != http.StatusOK || !strings.Contains(string(s.wires[i].body), `"allowed":true`) {
			b.Fatalf("%s: got %d %s %v", s.name, status, s.wires[i].body, err)
		}
	}
}

// turn sends so many requests on each of n connections.
func (s *side) turn(b *testing.B, n, each int) {
	var group sync.WaitGroup
	var latencies [connections][]time.Duration
	used, start := processorTime(b, s.server), time.Now()
	for i, w := range s.wires[:n] {
		group.Go(func() {
			for range each {
				begun := time.Now()
				if status, err := w.ask(s.requests[i]); err != nil || status != http.StatusOK {
					b.Errorf("%s: got %d %s %v", s.name, status, w.body, err)
					return
				}
				latencies[i] = append(latencies[i], time.Since(begun))
			}
		})
	}
	group.Wait()
	s.took += time.Since(start)
	s.cpu += processorTime(b, s.server) - used
	s.latencies = append(s.latencies, slices.Concat(latencies[:]...)...)
}

// processorTime is what a server has used, in steps of 10 ms (proc_pid_stat(5)).
func processorTime(b *testing.B, s *serverProcess) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	var ticks int
	for _, f := range fields[11:13] { // utime and stime
		n, err := strconv.Atoi(f)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

type emptyInput struct {
	Authorization string `header:"Authorization"`
	Body          struct {
		Method   string `json:"method" minLength:"1" maxLength:"32"`
		Target   string `json:"target" minLength:"1"`
		Host     string `json:"host" minLength:"1" maxLength:"512"`
		SourceIP string `json:"source_ip,omitempty"`
		Action   string `json:"action,omitempty" maxLength:"128"`
		Headers  []struct {
			Name  string `json:"name" minLength:"1" maxLength:"256"`
			Value string `json:"value"`
		} `json:"headers,omitempty" maxItems:"200"`
	}
}

type emptyOutput struct {
	Body struct {
		Allowed     bool   `json:"allowed"`
		Genuine     bool   `json:"genuine"`
		AccountID   string `json:"account_id"`
		UserID      string `json:"user_id"`
		AccessKeyID string `json:"access_key_id"`
		Scheme      string `json:"scheme"`
		Position    uint64 `json:"position"`
		RequestID   string `json:"request_id"`
	}
}

// emptyHandler is a program that serves POST /v1/verify as this product's framework does, and
// decides nothing: what anything built on it costs at least.
func emptyHandler() {
	mux := http.NewServeMux()
	c := huma.DefaultConfig("empty", "1")
	c.CreateHooks = nil
	huma.Register(humago.New(mux, c), huma.Operation{OperationID: "verify", Method: http.MethodPost, Path: "/v1/verify", DefaultStatus: 200},
		func(context.Context, *emptyInput) (*emptyOutput, error) {
			out := &emptyOutput{}
			out.Body.Allowed, out.Body.Genuine, out.Body.Position = true, true, 42
			out.Body.AccountID, out.Body.UserID, out.Body.AccessKeyID = "123456789012", "123456789012345678", "KLAK0123456789ABCDEF"
			out.Body.Scheme, out.Body.RequestID = "AWS4-HMAC-SHA256", "01a2021a-5fa6-7f1b-98d3-5293d28d26f0"
			return out, nil
		})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		fmt.Printf("Keyledger empty serves http://%s\n", l.Addr())
		server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
		err = server.Serve(l)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
