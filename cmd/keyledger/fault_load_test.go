package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect/aws"
)

// A deed is an operation that a client has asked for, as the client knows it.
type deed struct {
	id     string // its Idempotency-Key
	always bool   // it changes something, whatever others have done before
	state  deedState
}

type deedState int

const (
	open         deedState = iota // nobody knows
	acknowledged                  // answered with success
	declined                      // answered with a rule's no
)

// A load is clients that ask a server for everything it can do, and what they
// were told: the journal of the outside, which survives the server.
type load struct {
	t      testing.TB
	client *http.Client
	url    atomic.Pointer[string] // nil while no server runs
	ctx    context.Context        // ends when clients are to give up, settled or not
	quit   atomic.Bool            // they are to end when what they do is settled
	acked  atomic.Int64
	busy   sync.WaitGroup

	mu    sync.Mutex
	deeds map[string]*deed
	cause map[string]int // codes of refusals, for the curious
}

func newLoad(t testing.TB) *load {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &load{
		t: t, ctx: t.Context(), client: &http.Client{Transport: transport, Timeout: 20 * time.Second},
		deeds: map[string]*deed{}, cause: map[string]int{},
	}
}

// known is a copy of the journal.
func (l *load) known() map[string]deed {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[string]deed, len(l.deeds))
	for id, d := range l.deeds {
		out[id] = *d
	}
	return out
}

func (l *load) begin(id string, always bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deeds[id] = &deed{id: id, always: always}
}

func (l *load) settle(id string, s deedState, code string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deeds[id].state = s
	if s == declined {
		l.cause[code]++
	}
}

// reach waits until so many operations have been acknowledged.
func (l *load) reach(n int64) {
	l.t.Helper()
	eventually(l.t, 2*time.Minute, fmt.Sprintf("%d acknowledged operations", n), func() bool { return l.acked.Load() >= n })
}

// stop lets every client settle what it does, and waits for them.
func (l *load) stop() {
	l.quit.Store(true)
	l.busy.Wait()
}

// eventually polls until a condition holds.
func eventually(t testing.TB, within time.Duration, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	for !holds() {
		if !rest(ctx) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// rest waits a little; false if there is no time left.
func rest(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(5 * time.Millisecond):
		return true
	}
}

// A caller is a client that signs with one key.
type caller struct {
	load *load
	key  credentialsFile
}

// credentialsFile is what a credentials file holds, in the clear.
type credentialsFile struct {
	AccountID       string `json:"account_id"`
	UserID          string `json:"user_id"`
	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey string `json:"secret_access_key"`
}

// An answered is what came back for one sending.
type answered struct {
	status int
	code   string // of a problem
	body   []byte
}

// once sends a request to the server that runs now, or waits for one.
func (c caller) once(method, path, body, id string) (answered, error) {
	url := c.load.url.Load()
	for url == nil {
		if !rest(c.load.ctx) {
			return answered{}, c.load.ctx.Err()
		}
		url = c.load.url.Load()
	}
	req, err := http.NewRequestWithContext(c.load.ctx, method, *url+path, strings.NewReader(body))
	if err != nil {
		return answered{}, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if id != "" {
		req.Header.Set("Idempotency-Key", id)
	}
	aws.Sign(req, []byte(body), c.key.AccessKeyID, c.key.SecretAccessKey, signedService, signedRegion, time.Now())
	res, err := c.load.client.Do(req)
	if err != nil {
		return answered{}, err
	}
	defer func() { _ = res.Body.Close() }()
	a := answered{status: res.StatusCode}
	if a.body, err = io.ReadAll(res.Body); err != nil {
		return answered{}, err
	}
	var problem struct {
		Code string `json:"code"`
	}
	if a.status >= 400 && json.Unmarshal(a.body, &problem) == nil {
		a.code = problem.Code
	}
	return a, nil
}

// ask puts a question until it is answered; false if it cannot be.
func (c caller) ask(path string, out any) bool {
	for {
		a, err := c.once(http.MethodGet, path, "", "")
		switch {
		case err == nil && a.status == http.StatusOK:
			return json.Unmarshal(a.body, out) == nil
		case err == nil && a.status < 500:
			return false
		case err == nil && a.status != http.StatusServiceUnavailable:
			c.load.t.Errorf("GET %s: got %d %s", path, a.status, a.body)
			return false
		}
		if !rest(c.load.ctx) {
			return false
		}
	}
}

// A command is a request that changes something.
type command struct {
	id, method, path, body string
	always                 bool // see deed
	// patient is a client that asks until it knows; others give up now and then.
	patient bool
}

// do sends a command under one Idempotency-Key until it is settled, or until the
// client loses its patience.
func (c caller) do(k command, lots *rand.Rand) (answered, deedState) {
	c.load.begin(k.id, k.always)
	for {
		a, err := c.once(k.method, k.path, k.body, k.id)
		switch {
		case err == nil && a.status/100 == 2:
			c.load.settle(k.id, acknowledged, "")
			c.load.acked.Add(1)
			return a, acknowledged
		case err == nil && a.status/100 == 4:
			c.load.settle(k.id, declined, a.code)
			return a, declined
		case err == nil && a.status != http.StatusServiceUnavailable:
			c.load.t.Errorf("%s %s: got %d %s", k.method, k.path, a.status, a.body)
			return a, open
		case !k.patient && lots.IntN(6) == 0, !rest(c.load.ctx):
			return a, open
		}
	}
}
