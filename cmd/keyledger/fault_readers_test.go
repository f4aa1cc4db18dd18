package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/services/feed"
)

// A reading is a program that reads events, from one start to its death.
type reading struct {
	cmd  *exec.Cmd
	out  string    // file of what it printed; what it said on standard error is beside it, in .err
	from [2]string // where it went on from in LEDGER and USED, as it had written it down; empty: it began anew
}

// A consumer is a program that reads events and is killed.
type consumer struct {
	t       *testing.T
	name    string
	program []string
	place   func() [2]string // that it has written down
	// ids are the stream (0: LEDGER, 1: USED) and the ID of the event in a line.
	ids      func(line string) (stream int, id string)
	readings []*reading
}

func (c *consumer) start(dir string) {
	c.t.Helper()
	r := &reading{out: filepath.Join(dir, fmt.Sprintf("%s.%d.out", c.name, len(c.readings))), from: c.place()}
	out, err := os.Create(r.out)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	said, err := os.Create(r.out + ".err")
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = said.Close() }()
	r.cmd = exec.Command(c.program[0], c.program[1:]...)
	r.cmd.Dir, r.cmd.Stdout, r.cmd.Stderr, r.cmd.Env = dir, out, said, os.Environ()
	if err := r.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.readings = append(c.readings, r)
}

func (c *consumer) kill() {
	r := c.readings[len(c.readings)-1]
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
}

// read is what a reading printed, by stream. A line that is not whole does not count.
func (c *consumer) read(r *reading) (got [2][]string) {
	c.t.Helper()
	text, err := os.ReadFile(r.out)
	if err != nil {
		c.t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for _, line := range lines[:len(lines)-1] {
		stream, id := c.ids(line)
		got[stream] = append(got[stream], id)
	}
	return got
}

// holds wants each reading to have printed what the streams hold from its place on, in
// order; the last one to have come to their ends. None may have lost anything on its way, or
// seem to have.
func (c *consumer) holds(streams [2]streamIDs) {
	c.t.Helper()
	for i, r := range c.readings {
		got := c.read(r)
		if said, err := os.ReadFile(r.out + ".err"); err != nil || strings.Contains(string(said), "dropped") {
			c.t.Errorf("%s, start %d: said %s, %v", c.name, i, said, err)
		}
		for s, name := range []string{"LEDGER", "USED"} {
			begin := streams[s].index(c.t, r.from[s])
			want := streams[s].ids[begin:]
			n := min(len(got[s]), len(want))
			if !slices.Equal(got[s][:n], want[:n]) || i == len(c.readings)-1 && n < len(want) {
				c.t.Errorf("%s, start %d, %s from %q: printed %d events that are not the next of %d", c.name, i, name, r.from[s], len(got[s]), len(want))
			}
		}
	}
}

// streamIDs is the IDs of a stream's events in order, and how many there are before
// each message.
type streamIDs struct {
	ids    []string
	before []int // by position-1; the last is the number of all
}

// index is how many events there are before a place "<position>.<index>".
func (s streamIDs) index(t *testing.T, place string) int {
	t.Helper()
	if place == "" {
		return 0
	}
	message, index, _ := strings.Cut(place, ".")
	p, err := strconv.Atoi(message)
	if err != nil || p > len(s.before) {
		t.Fatalf("%q is no place in a stream of %d messages", place, len(s.before)-1)
	}
	i, _ := strconv.Atoi(index)
	return s.before[p-1] + i
}

// streams is what the log holds.
func (in *inspection) streams() (out [2]streamIDs) {
	in.Helper()
	add := func(s int, ids ...string) {
		out[s].before = append(out[s].before, len(out[s].ids))
		out[s].ids = append(out[s].ids, ids...)
	}
	for m, err := range in.journal.Read(in.Context(), 0) {
		if err != nil {
			in.Fatal(err)
		}
		r, err := events.Decode(m)
		if err != nil {
			in.Fatal(err)
		}
		var ids []string
		for _, e := range r.Events {
			ids = append(ids, string(e.ID))
		}
		add(0, ids...)
	}
	last, err := in.journal.LastUse(in.Context())
	if err != nil {
		in.Fatal(err)
	}
	for m, err := range in.journal.FollowUses(in.Context(), 0) {
		if err != nil {
			in.Fatal(err)
		}
		records, err := access.Parse(nil, m.Data)
		if err != nil {
			in.Fatal(err)
		}
		var ids []string
		for _, r := range records {
			ids = append(ids, uuid.UUID(r.ID).String())
		}
		if add(1, ids...); m.Position == last {
			break
		}
	}
	add(0)
	add(1)
	return out
}

// freeAddress is one that nobody listens on now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// tailConsumer is "events tail" of all accounts.
func tailConsumer(t *testing.T, binary, dir, endpoint string) *consumer {
	file := filepath.Join(dir, "cursor")
	return &consumer{
		t: t, name: "tail",
		program: []string{binary, "events", "tail", "--all", "--from", "earliest", "--cursor-file", file, "-o", "json", "--endpoint", endpoint, "--credentials", filepath.Join(dir, "data-credentials.json")},
		place: func() (out [2]string) {
			text, err := os.ReadFile(file)
			if err != nil {
				return out
			}
			c, err := feed.ParseCursor(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			c.Ledger.Mark, c.Used.Mark = 0, 0
			return [2]string{c.Ledger.String(), c.Used.String()}
		},
		ids: func(line string) (int, string) {
			var l struct{ Event struct{ ID, Type string } }
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			if l.Event.Type == access.TypeUsed || l.Event.Type == access.TypeAttempted {
				return 1, l.Event.ID
			}
			return 0, l.Event.ID
		},
	}
}

// exampleConsumer is the consumer of docs/example, built as its readers build it.
func exampleConsumer(t *testing.T, dir, address, seed string) *consumer {
	t.Helper()
	program := filepath.Join(dir, "consumer")
	if out, err := exec.Command("go", "build", "-o", program, "../../docs/example/consumer").CombinedOutput(); err != nil {
		t.Fatalf("the example does not compile: %v\n%s", err, out)
	}
	places := filepath.Join(dir, "places")
	return &consumer{
		t: t, name: "example", program: []string{program, "-url", "nats://" + address, "-seed", seed, "-places", places},
		place: func() (out [2]string) {
			for i, name := range []string{"LEDGER", "USED"} {
				text, err := os.ReadFile(filepath.Join(places, name))
				if err == nil {
					out[i] = string(text)
				}
			}
			return out
		},
		ids: func(line string) (int, string) {
			fields := strings.Fields(line)
			return map[string]int{"LEDGER": 0, "USED": 1}[fields[0]], fields[2]
		},
	}
}

// TestCrashOfReaders kills readers of events and the server they read from, again and
// again, under load: what each printed, from the place that it had written down on, is
// what the log holds, in order, with no gap.
func TestCrashOfReaders(t *testing.T) {
	rounds := 3
	if os.Getenv("KEYLEDGER_FAULT") != "" {
		rounds = 30
	}
	dir, listen, nats := t.TempDir(), freeAddress(t), freeAddress(t)
	users, seed := filepath.Join(dir, "users"), filepath.Join(dir, "seed")
	if out, err := exec.Command(binary(t), "nats", "user", "create", "--name", "example", "--users", users, "--seed-out", seed).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	v := newVictim(t, dir, "--listen", listen, "--nats-listen", nats, "--nats-users", users)
	consumers := []*consumer{tailConsumer(t, v.binary, dir, "http://"+listen), exampleConsumer(t, dir, nats, seed)}
	for _, c := range consumers {
		c.start(dir)
		t.Cleanup(c.kill)
	}
	v.work()
	for round := range rounds {
		v.load.reach(v.load.acked.Load() + 50 + v.lots.Int64N(250))
		if round%3 != 1 {
			v.kill()
			v.start()
		}
		for i, c := range consumers {
			if round%3 == 1 || v.lots.IntN(3) == i {
				c.kill()
				c.start(dir)
			}
		}
	}
	v.load.reach(v.load.acked.Load() + 50)
	v.load.stop()
	v.stop()
	in := inspect(t, v.data())
	streams := in.streams()
	in.close()
	v.start()
	for _, c := range consumers {
		eventually(t, time.Minute, c.name+" at the end of both streams", func() bool {
			got := c.read(c.readings[len(c.readings)-1])
			return slices.Contains(got[0], streams[0].ids[len(streams[0].ids)-1]) && slices.Contains(got[1], streams[1].ids[len(streams[1].ids)-1])
		})
		c.kill()
		c.holds(streams)
		t.Logf("%s: %d starts", c.name, len(c.readings))
	}
	t.Logf("%d events and %d uses", len(streams[0].ids), len(streams[1].ids))
	v.stop()
}
