package node_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect/aws"
	"github.com/keyledger/keyledger/services/node"
	"github.com/keyledger/keyledger/services/usage"
)

// BenchmarkManagementCalls has 1 and 16 connections ask for a key over HTTP: processor time a call, client, access record
// and its application included, and records a message. Their records gather as they do, and by turns hardly at all
// ("at-once").
func BenchmarkManagementCalls(b *testing.B) {
	n, err := node.Start(b.Context(), node.Config{Data: b.TempDir() + "/data", Listen: "127.0.0.1:0"})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = n.Close() }()
	var as node.Credentials
	if text, err := os.ReadFile(n.FirstCredentials()); err != nil || json.Unmarshal(text, &as) != nil {
		b.Fatalf("%s, %v", text, err)
	}
	for _, connections := range []int{1, 16} {
		b.Run(fmt.Sprintf("connections=%d", connections), func(b *testing.B) {
			m := &management{B: b, node: n, as: as, connections: connections}
			m.turn(time.Nanosecond) // to warm up
			var gathered, atOnce load
			for b.Loop() {
				gathered = gathered.plus(m.turn(usage.DefaultGather))
				atOnce = atOnce.plus(m.turn(time.Nanosecond))
			}
			gathered.report(b, "")
			atOnce.report(b, "at-once-")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// A management is clients that ask for a key.
type management struct {
	*testing.B
	node        *node.Node
	as          node.Credentials
	connections int
}

// A load is what calls took.
type load struct {
	calls    int
	messages uint64
	cpu      time.Duration
}

func (l load) plus(m load) load {
	return load{l.calls + m.calls, l.messages + m.messages, l.cpu + m.cpu}
}

func (l load) report(b *testing.B, name string) {
	b.ReportMetric(float64(l.cpu.Microseconds())/float64(l.calls), name+"cpu-us/call")
	b.ReportMetric(float64(l.calls)/float64(l.messages), name+"records/message")
}

// turn makes 1,600 calls, whose records gather for so long, and waits until they are applied.
func (m *management) turn(gather time.Duration) load {
	const calls = 1600
	uses := m.node.Uses()
	uses.Gather = gather // nothing is recorded now
	before, used := uses.Stats().Messages, processorTime()
	var all sync.WaitGroup
	for range m.connections {
		all.Go(func() { m.ask(calls / m.connections) })
	}
	all.Wait()
	if err := uses.Flush(m.Context()); err != nil {
		m.Error(err)
	}
	if err := m.node.AwaitRecords(m.Context()); err != nil {
		m.Error(err)
	}
	return load{calls, uses.Stats().Messages - before, processorTime() - used}
}

// ask asks so many times over one connection.
func (m *management) ask(times int) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(m.node.URL(), "http://"))
	if err != nil {
		m.Error(err)
		return
	}
	defer func() { _ = conn.Close() }()
	req, err := http.NewRequest(http.MethodGet, m.node.URL()+"/v1/keys/"+m.as.AccessKeyID, nil)
	if err != nil {
		m.Error(err)
		return
	}
	aws.Sign(req, nil, m.as.AccessKeyID, m.as.SecretAccessKey, "keyledger", "local", time.Now())
	in := bufio.NewReader(conn)
	for range times {
		if err := req.Write(conn); err != nil {
			m.Error(err)
			return
		}
		res, err := http.ReadResponse(in, req)
		if err != nil {
			m.Error(err)
			return
		}
		if body, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK {
			m.Errorf("%s %s, %v", res.Status, body, err)
			return
		}
	}
}
