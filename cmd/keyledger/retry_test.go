package main

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/builtin"
)

// A reply is what the server of a test does with one sending.
type reply func(w http.ResponseWriter, r *http.Request)

func answers(status int, body string) reply {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func says(status int, code string) reply {
	return answers(status, `{"code":"`+code+`","detail":"a sentence"}`)
}

// hangsUp takes the request and closes the connection.
func hangsUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// isSilent takes the request and never answers.
func isSilent(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// breaksOff answers a part.
func breaksOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	_, _ = io.WriteString(w, `{"access_key_id":`)
}

// pointsElsewhere redirects.
func pointsElsewhere(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Location", "/elsewhere")
	w.WriteHeader(http.StatusTemporaryRedirect)
}

// seen is what a server of a test was sent.
type seen struct {
	mu      sync.Mutex
	ids     []string
	genuine bool
}

// note takes a request down and returns how many came before it.
func (s *seen) note(r *http.Request, body []byte) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids = append(s.ids, r.Header.Get("Idempotency-Key"))
	s.genuine = s.genuine && genuine(r, body)
	return len(s.ids) - 1
}

// against is a client of a server that gives the replies in turn, the last one
// for ever.
func against(t *testing.T, replies ...reply) (*client, *seen) {
	t.Helper()
	got := &seen{genuine: true}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		replies[min(got.note(r, body), len(replies)-1)](w, r)
	}))
	t.Cleanup(s.Close)
	return clientOf(s.URL), got
}

func clientOf(url string) *client {
	return &client{
		endpoint: url, credentials: credentials{AccessKeyID: "KLAKTEST", SecretAccessKey: "a-secret"},
		http: &http.Client{CheckRedirect: stay, Transport: &http.Transport{DisableKeepAlives: true}}, timeout: 300 * time.Millisecond, now: time.Now,
		pause: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}
}

func genuine(r *http.Request, body []byte) bool {
	claims, err := dialect.Read(dialect.FromHTTP(r, body), builtin.Schemes())
	if err != nil {
		return false
	}
	c, err := dialect.CheckAny(claims, []byte("a-secret"), time.Now())
	return err == nil && c.Covers.Has(dialect.Method|dialect.Path|dialect.Query|dialect.Body)
}

var (
	writeCall = call{method: http.MethodPost, path: "/v1/users", query: map[string][]string{"a": {"b c+d"}}, body: map[string]string{"x": "y"}, requestID: "id-1"}
	readCall  = call{method: http.MethodGet, path: "/v1/users"}
)

// TestEndings is the table of what can become of a request, and how often it
// is sent.
func TestEndings(t *testing.T) {
	busy, forgetful := says(503, "unavailable"), says(503, codeUnknown)
	for name, c := range map[string]struct {
		call    call
		replies []reply
		exit    exitCode
		sent    int
	}{
		"done":                             {writeCall, []reply{answers(201, `{}`)}, exitDone, 1},
		"done without a word":              {writeCall, []reply{answers(204, ``)}, exitDone, 1},
		"busy, then done":                  {writeCall, []reply{busy, busy, answers(201, `{}`)}, exitDone, 3},
		"lost on the way back, then done":  {writeCall, []reply{hangsUp, answers(201, `{}`)}, exitDone, 2},
		"silent, then done":                {writeCall, []reply{isSilent, answers(201, `{}`)}, exitDone, 2},
		"broken off, then done":            {writeCall, []reply{breaksOff, answers(201, `{}`)}, exitDone, 2},
		"a gateway gave up, then done":     {writeCall, []reply{answers(504, `<html>`), answers(201, `{}`)}, exitDone, 2},
		"lost each time":                   {writeCall, []reply{hangsUp}, exitUnknown, maxAttempts},
		"unknown each time":                {writeCall, []reply{forgetful}, exitUnknown, maxAttempts},
		"lost once, then busy for ever":    {writeCall, []reply{hangsUp, busy}, exitUnknown, maxAttempts},
		"lost once, then refused":          {writeCall, []reply{hangsUp, says(409, "key.quota")}, exitRefused, 2},
		"lost once, then not let in":       {writeCall, []reply{hangsUp, says(401, "signature.refused")}, exitUnknown, 2},
		"a question, lost, then denied":    {readCall, []reply{hangsUp, says(403, "permission.denied")}, exitDenied, 2},
		"a gateway has no server":          {writeCall, []reply{answers(503, `no healthy upstream`)}, exitUnknown, maxAttempts},
		"something else answers in JSON":   {writeCall, []reply{answers(503, `{"error":"no upstream"}`)}, exitUnknown, maxAttempts},
		"broken":                           {writeCall, []reply{says(500, "internal")}, exitUnknown, 1},
		"busy for ever":                    {writeCall, []reply{busy}, exitUnreachable, maxAttempts},
		"damaged":                          {readCall, []reply{answers(503, `{"code":"records.damaged","retryable":true}`)}, exitUnreachable, 1},
		"a rule said no":                   {writeCall, []reply{says(409, "key.quota")}, exitRefused, 1},
		"not valid":                        {writeCall, []reply{says(422, "request.invalid")}, exitRefused, 1},
		"a bad signature":                  {writeCall, []reply{says(401, "signature.refused")}, exitDenied, 1},
		"not allowed":                      {writeCall, []reply{says(403, "permission.denied")}, exitDenied, 1},
		"nothing there":                    {writeCall, []reply{says(404, "user.not_found")}, exitNotFound, 1},
		"gone":                             {writeCall, []reply{says(410, "key.purged")}, exitNotFound, 1},
		"elsewhere":                        {writeCall, []reply{pointsElsewhere}, exitRefused, 1},
		"a stranger who says yes":          {writeCall, []reply{answers(200, `<html>`)}, exitRefused, 1},
		"a question, lost each time":       {readCall, []reply{hangsUp}, exitUnreachable, maxAttempts},
		"a question, lost, then answered":  {readCall, []reply{hangsUp, answers(200, `{}`)}, exitDone, 2},
		"a question to a broken server":    {readCall, []reply{says(500, "internal")}, exitRefused, 1},
		"a question to a server not ready": {readCall, []reply{says(503, "stale")}, exitUnreachable, maxAttempts},
	} {
		t.Run(name, func(t *testing.T) {
			client, got := against(t, c.replies...)
			_, err := client.do(t.Context(), c.call)
			got.mu.Lock()
			defer got.mu.Unlock()
			if exit := exitFor(err); exit != c.exit || len(got.ids) != c.sent {
				t.Errorf("got exit code %d after %d sendings (%v), want %d after %d", exit, len(got.ids), err, c.exit, c.sent)
			}
			if !got.genuine {
				t.Error("a request was not signed as the server checks it")
			}
			for _, id := range got.ids {
				if id != c.call.requestID {
					t.Errorf("got Idempotency-Key %q, want %q each time", id, c.call.requestID)
				}
			}
		})
	}
}

func exitFor(err error) exitCode {
	if err == nil {
		return exitDone
	}
	return failureOf(err).exit
}

func TestUnknownTellsHowToSettleIt(t *testing.T) {
	client, _ := against(t, hangsUp)
	_, err := client.do(t.Context(), writeCall)
	f := failureOf(err)
	if f.Code != codeUnknown || f.RequestID != "id-1" || !strings.Contains(f.advice, "--request-id id-1") {
		t.Errorf("got %+v", f)
	}
}

func TestNobodyThere(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	_, err := clientOf(s.URL).do(t.Context(), writeCall)
	if f := failureOf(err); f.exit != exitUnreachable || !strings.Contains(f.Detail, s.URL) {
		t.Errorf("got %v, want %d that names the endpoint", err, exitUnreachable)
	}
}

func TestAStrangeCertificateIsNotAskedTwice(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	c, pauses := clientOf(s.URL), 0
	c.pause = func(context.Context, time.Duration) error { pauses++; return nil }
	_, err := c.do(t.Context(), writeCall)
	if f := failureOf(err); f.exit != exitUnreachable || !strings.Contains(f.advice, "--ca-file") || pauses != 0 {
		t.Errorf("got %v with the advice %q after %d pauses", err, f.advice, pauses)
	}
}

func TestInterrupted(t *testing.T) {
	c, _ := against(t, isSilent)
	c.timeout = time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.do(ctx, writeCall); exitFor(err) != exitUnknown {
		t.Errorf("got %v, want %d: the request was under way", err, exitUnknown)
	}
	if _, err := c.do(ctx, writeCall); failureOf(err).Code != codeInterrupted {
		t.Errorf("got %v, want %s: nothing was sent", err, codeInterrupted)
	}
}

func TestBackoff(t *testing.T) {
	for n, want := range map[int]time.Duration{1: firstPause, 2: 2 * firstPause, 9: longestWait} {
		for range 50 {
			if d := backoff(n, 0); d < want/2 || d > want {
				t.Fatalf("attempt %d waits %s, want %s to %s", n, d, want/2, want)
			}
		}
	}
	if d := backoff(1, time.Second); d < time.Second {
		t.Errorf("waits %s, want at least the second that the server asked for", d)
	}
	if d := backoff(1, time.Hour); d > longestWait+firstPause {
		t.Errorf("waits %s: a server's wish has its bound", d)
	}
}

func TestFailuresAreFailures(t *testing.T) {
	if f := failureOf(errors.New("plain")); f.exit != exitRefused || f.Detail != "plain" {
		t.Errorf("got %+v", f)
	}
	if failureOf(usage("x")).exit != exitUsage {
		t.Error("a failure did not stay the failure it was")
	}
}
