package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/events/logtest"
	"github.com/keyledger/keyledger/services/feed"
)

// noUses is USED without anything in it.
type noUses struct{}

func (noUses) FirstUse(context.Context) (access.Position, error) { return 1, nil }
func (noUses) LastUse(context.Context) (access.Position, error)  { return 0, nil }

func (noUses) UsesAt(context.Context, access.Position) (access.Message, error) {
	return access.Message{}, events.ErrNone
}

func (noUses) FollowUses(ctx context.Context, _ access.Position) iter.Seq2[access.Message, error] {
	return func(func(access.Message, error) bool) { <-ctx.Done() }
}

// A door to a feed and nothing else: who asks gets it from the beginning.
type feedDoor struct {
	*testing.T
	ledger *logtest.Memory
	feed   *feed.Feed
	server *httptest.Server
	served chan struct{} // a token for each answer that came to its end
}

func newFeedDoor(t *testing.T, n int, p Patience) *feedDoor {
	t.Helper()
	d := &feedDoor{T: t, ledger: logtest.NewMemory(), served: make(chan struct{}, 8)}
	for i := range n {
		decision := logtest.Decision(logtest.Keyring(i), 0)
		decision.Meta.Time = time.Now()
		decision.Events[0].Event = events.KeyDescribed{Key: "KLAK0000000000000001", Description: strings.Repeat("x", 1000)}
		if _, err := d.ledger.Append(t.Context(), decision); err != nil {
			t.Fatal(err)
		}
	}
	d.feed = feed.New(feed.Config{
		Ledger: d.ledger, Uses: noUses{}, Now: time.Now, Heartbeat: 50 * time.Millisecond, Recheck: 10 * time.Millisecond,
		Excused: func(events.Position) bool { return false },
	})
	t.Cleanup(d.feed.Close)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { d.served <- struct{}{} }()
		from, err := feed.ParseFrom("1-1.0-1.0")
		if err != nil {
			t.Error(err)
		}
		reader, err := d.feed.Open(r.Context(), feed.Query{From: from, Follow: true})
		if err != nil {
			t.Error(err)
			return
		}
		defer reader.Close()
		newStream(w, acceptsLines(r.Header.Get("Accept")), p).send(r.Context(), reader)
	}))
	s.Config.WriteTimeout, s.Config.ReadTimeout = 300*time.Millisecond, 300*time.Millisecond
	d.server = s
	t.Cleanup(s.Close)
	return d
}

// plain serves HTTP/1.1.
func (d *feedDoor) plain() *feedDoor {
	d.server.Start()
	return d
}

// http2 serves HTTP/2 over TLS.
func (d *feedDoor) http2() *feedDoor {
	d.server.EnableHTTP2 = true
	d.server.StartTLS()
	return d
}

// dial asks over a connection of its own, from which nobody reads yet. There is more to
// be sent than the buffers between here and there hold.
func (d *feedDoor) dial() net.Conn {
	d.Helper()
	c, err := net.Dial("tcp", d.server.Listener.Addr().String())
	if err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() { _ = c.Close() })
	if _, err := fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\nAccept: %s\r\n\r\n", mediaLines); err != nil {
		d.Fatal(err)
	}
	return c
}

func (d *feedDoor) wait(what string) {
	d.Helper()
	select {
	case <-d.served:
	case <-time.After(20 * time.Second):
		d.Fatalf("%s: it is still served", what)
	}
}

// stuck waits until nothing has gone out for a while, though there is more.
func (d *feedDoor) stuck(end uint64) {
	d.Helper()
	for before, since := uint64(0), time.Now(); time.Since(since) < 500*time.Millisecond; time.Sleep(10 * time.Millisecond) {
		readers, behind, _ := d.feed.Lag(end, 0)
		if readers == 1 && behind == 0 {
			d.Fatal("all that there is fits between here and there")
		}
		if readers == 0 || behind != before {
			before, since = behind, time.Now()
		}
	}
}

// TestStuckReader takes nothing at all, and is cut off: its answer has no end that
// could be taken for one.
func TestStuckReader(t *testing.T) {
	d := newFeedDoor(t, 20000, Patience{Slow: time.Minute, Cut: 300 * time.Millisecond}).plain()
	c := d.dial()
	d.wait("whoever takes nothing")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	if err == nil || strings.Contains(string(text), `"end"`) {
		t.Errorf("it was told an end: %v, %d bytes", err, len(text))
	}
}

// TestSlowReader takes what it is sent too slowly: it is told so, and where to go on.
func TestSlowReader(t *testing.T) {
	d := newFeedDoor(t, 20000, Patience{Slow: 50 * time.Millisecond, Cut: 20 * time.Second}).plain()
	c := d.dial()
	d.stuck(20000)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	var last line
	n := 0
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		last = line{}
		if err := json.Unmarshal(lines.Bytes(), &last); err != nil {
			t.Fatal(err)
		}
		if last.Event != nil {
			n++
		}
	}
	if lines.Err() != nil || last.End == nil || *last.End != feed.EndSlow || !strings.HasPrefix(last.Cursor, fmt.Sprintf("1-%d.0.", n+1)) {
		t.Errorf("after %d events: got %+v, %v", n, last, lines.Err())
	}
	d.wait("whoever is slow")
}

// TestQuietReader outlives the server's own deadlines while nothing happens.
func TestQuietReader(t *testing.T) {
	t.Run("HTTP/1.1", func(t *testing.T) { newFeedDoor(t, 1, Patience{}).plain().quiet(t, 1) })
	t.Run("HTTP/2", func(t *testing.T) { newFeedDoor(t, 1, Patience{}).http2().quiet(t, 2) })
}

func (d *feedDoor) quiet(t *testing.T, major int) {
	res, err := d.server.Client().Get(d.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.ProtoMajor != major {
		t.Fatalf("it is served by %s", res.Proto)
	}
	lines := bufio.NewScanner(res.Body)
	alive := 0
	for began := time.Now(); alive < 8 || time.Since(began) < time.Second; {
		if !lines.Scan() {
			t.Fatalf("after %v: %v", time.Since(began), lines.Err())
		}
		if lines.Text() == ": alive" {
			alive++
		}
	}
	decision := logtest.Decision(logtest.Keyring(99), 0)
	if _, err := d.ledger.Append(t.Context(), decision); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "id: 1-3.0.") {
	}
	if !lines.Scan() || lines.Text() != "event: "+events.TypeOf(decision.Events[0].Event) {
		t.Errorf("got %q, %v", lines.Text(), lines.Err())
	}
}

// TestStopWithReaders: a stop ends readers that wait with where to go on, and waits for
// no reader that is stuck.
func TestStopWithReaders(t *testing.T) {
	d := newFeedDoor(t, 20000, Patience{Slow: time.Minute, Cut: time.Minute}).plain()
	d.dial()
	res, err := d.server.Client().Get(d.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text := make(chan string)
	go func() {
		all, _ := io.ReadAll(res.Body)
		text <- string(all)
	}()
	time.Sleep(100 * time.Millisecond) // so that one is stuck; it does no harm if it is not yet
	began := time.Now()
	d.feed.Close()
	d.wait("one")
	d.wait("the other")
	if took := time.Since(began); took > 3*stopPatience {
		t.Errorf("it took %v", took)
	}
	if all := <-text; !strings.Contains(all, "event: end\ndata: {\"code\":\"events.stopping\"") {
		t.Errorf("the reader that waited was told no end: ...%q", all[max(0, len(all)-200):])
	}
}
