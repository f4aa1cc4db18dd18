package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestSoak has a server verify at half of its peak rate for as long as KEYLEDGER_SOAK says (20 s where
// faults are injected): from the end of the warm-up, the first third, memory and goroutines do not grow, and access records are
// never further behind than one second of them.
func TestSoak(t *testing.T) {
	if os.Getenv("KEYLEDGER_SOAK") == "" {
		t.Setenv("GOGC", "100") // 20 s are too short for as much garbage to gather as may: what is in use has to show
	}
	s := &soak{victim: newVictim(t, t.TempDir()), lasts: soakTime(t)}
	s.begin()
	peak := s.run(s.lasts/10, 0)
	rate := peak / 2
	warm := s.measure(s.lasts/3, rate)
	rest := s.measure(s.lasts-s.lasts/3, rate)
	t.Logf("peak %.0f verifications/s; then %.0f/s for %v\nwarm-up: %v\nthe rest: %v", peak, rate, s.lasts, warm, rest)
	rest.flat(t, warm)
	if rest.rate < 0.95*rate {
		t.Errorf("%.0f verifications/s, want %.0f: the server does not keep up with half of its peak", rest.rate, rate)
	}
	s.victim.stop()
	s.victim.doctor()
}

func soakTime(t *testing.T) time.Duration {
	text := os.Getenv("KEYLEDGER_SOAK")
	switch {
	case text == "" && os.Getenv("KEYLEDGER_FAULT") == "":
		t.Skip("make soak and make fault run it")
	case text == "":
		return 20 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A soak is gateways that ask for as long as it takes.
type soak struct {
	victim *victim
	lasts  time.Duration
	token  string
	keys   []credentialsFile
}

func (s *soak) begin() {
	s.token = s.victim.gatewayToken()
	_, s.keys = s.victim.keys(callers)
}

// run asks for a time, at a rate per second for all callers together, or as fast as they can if it is zero. It gives
// the rate that it reached.
func (s *soak) run(lasts time.Duration, rate float64) float64 {
	var group sync.WaitGroup
	var sent atomic.Int64
	start := time.Now()
	for i := range s.keys {
		group.Go(func() { s.caller(i, start, start.Add(lasts), rate, &sent) })
	}
	group.Wait()
	return float64(sent.Load()) / time.Since(start).Seconds()
}

func (s *soak) caller(i int, start, end time.Time, rate float64, sent *atomic.Int64) {
	w, err := dial(s.victim.running.URL)
	if err != nil {
		s.victim.t.Error(err)
		return
	}
	defer func() { _ = w.conn.Close() }()
	var request []byte
	for signed := (time.Time{}); time.Now().Before(end); {
		n := sent.Add(1)
		if rate > 0 {
			time.Sleep(time.Until(start.Add(time.Duration(float64(n) / rate * float64(time.Second))))) // the pace
		}
		if now := time.Now(); now.Sub(signed) > time.Minute {
			request, signed = verification(s.token, s.keys[i], "GetObject", now), now
		}
		if status, err := w.ask(request); err != nil || status != http.StatusOK || !bytes.Contains(w.body, []byte(`"allowed":true`)) {
			s.victim.t.Errorf("got %d %s %v", status, w.body, err)
			return
		}
	}
}

// A stretch is a server over a time, as /metrics tells of it.
type stretch struct {
	rate       float64   // verifications a second
	messages   float64   // of USED, a second
	memory     []float64 // resident, in bytes, once a second
	goroutines []float64
	lag        []float64 // messages of USED that are not applied
}

// measure runs and reads once a second.
func (s *soak) measure(lasts time.Duration, rate float64) (r stretch) {
	ended := make(chan struct{})
	start, before := time.Now(), s.scrape()["keyledger_uses_messages_total"]
	go func() {
		defer close(ended)
		r.rate = s.run(lasts, rate)
	}()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case <-ended:
			r.messages = (s.scrape()["keyledger_uses_messages_total"] - before) / time.Since(start).Seconds()
			return r
		case <-second.C:
			m := s.scrape()
			r.memory = append(r.memory, m["process_resident_memory_bytes"])
			r.goroutines = append(r.goroutines, m["go_goroutines"])
			r.lag = append(r.lag, m["keyledger_records_lag_messages"])
		}
	}
}

// scrape is what /metrics says without labels.
func (s *soak) scrape() map[string]float64 {
	res, err := http.Get(s.victim.running.URL + "/metrics")
	if err != nil {
		s.victim.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		s.victim.t.Fatalf("/metrics: got %s %v", res.Status, err)
	}
	out := map[string]float64{}
	for _, line := range strings.Split(string(text), "\n") {
		name, value, _ := strings.Cut(line, " ")
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			out[name] = n
		}
	}
	return out
}

// flat compares a stretch with that of the warm-up before it, by the means of their last quarters.
func (r stretch) flat(t *testing.T, warm stretch) {
	if len(r.memory) < 4 || len(warm.memory) < 4 {
		t.Fatalf("%d and %d readings show nothing", len(warm.memory), len(r.memory))
	}
	want := 1.25 * end(warm.memory)
	if len(warm.memory) < filled {
		want = end(warm.memory) + caches
	}
	if got := end(r.memory); got > want {
		t.Errorf("memory grows: %.0f MiB after the warm-up, %.0f MiB at the end", end(warm.memory)/mib, got/mib)
	}
	// They come and go by a dozen, with compactions and flushes: the end of a short warm-up is but a reading or two.
	if got, most := end(r.goroutines), slices.Max(warm.goroutines); got > most+5 {
		t.Errorf("goroutines grow: at most %.0f in the warm-up, %.0f at the end", most, got)
	}
	if got := slices.Max(r.lag); got > r.messages {
		t.Errorf("access records are %.0f messages behind, at %.0f messages a second", got, r.messages)
	}
}

const (
	mib    = 1 << 20
	caches = (96 + 3*16) * mib // what the store of access records may hold: CacheBytes and three of MemTableBytes in services/node
	filled = 120               // seconds after which they are, and the server knows two minutes of messages, as it always does
)

// end is the mean of the last quarter.
func end(of []float64) (mean float64) {
	last := of[len(of)-max(1, len(of)/4):]
	for _, v := range last {
		mean += v / float64(len(last))
	}
	return mean
}

func (r stretch) String() string {
	if len(r.memory) == 0 {
		return "nothing was read"
	}
	return fmt.Sprintf("%.0f verifications/s in %.0f messages/s; memory %.0f to %.0f MiB, %.0f at the end; goroutines %.0f to %.0f; lag at most %.0f messages",
		r.rate, r.messages, slices.Min(r.memory)/mib, slices.Max(r.memory)/mib, end(r.memory)/mib, slices.Min(r.goroutines), slices.Max(r.goroutines), slices.Max(r.lag))
}
