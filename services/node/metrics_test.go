package node_test

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/feed"
	"github.com/keyledger/keyledger/services/node"
	"github.com/keyledger/keyledger/services/verify"
)

// scrape is what a node says at /metrics.
func (w *world) scrape(url string) string {
	w.Helper()
	answer, err := http.Get(url + "/metrics")
	w.must(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	w.must(err)
	if answer.StatusCode != http.StatusOK {
		w.Fatalf("a scrape: got %d %s", answer.StatusCode, body)
	}
	return string(body)
}

// TestSeriesBeforeAnythingHappens finds what is known beforehand at zero: a rate over a series that comes with its first
// event does not see that event.
func TestSeriesBeforeAnythingHappens(t *testing.T) {
	w := installed(t)
	text := w.scrape(w.start().URL())
	for result, reasons := range map[string][]string{
		"allowed": {""},
		"denied":  {verify.KeyDisabled, verify.KeyDeleted, verify.KeyRestricted, verify.SchemeNotAllowed, verify.SessionToken, verify.NetworkPolicy, verify.KeyLocked, verify.Forbidden},
		"attempt": {verify.Unsigned, verify.UnknownKey, verify.KeyLocked, dialect.SignatureMismatch, dialect.RequestExpired, dialect.RequestNotYetValid, dialect.PresignedExpired, dialect.Replayed},
		"failed":  {"stale", "refilling", "crowded", "overloaded", "unavailable", "uncertain", verify.Forbidden, "abandoned", "fault"},
	} {
		for _, reason := range reasons {
			if want := fmt.Sprintf("keyledger_decisions_total{reason=%q,result=%q} 0", reason, result); !strings.Contains(text, "\n"+want+"\n") {
				t.Errorf("a new server does not say %s", want)
			}
		}
	}
	for _, end := range []feed.End{
		feed.EndCaughtUp, feed.EndUntil, feed.EndSlow, feed.EndStopping, feed.EndUnavailable, feed.EndExpired, feed.EndDenied, feed.EndUnreadable, {Code: feed.CodeCrowded},
	} {
		if want := fmt.Sprintf("keyledger_event_reader_ends_total{code=%q} 0", end.Code); !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("a new server does not say %s", want)
		}
	}
	if strings.Contains(text, "ext_authz") {
		t.Error("a server that Envoy cannot call counts its calls")
	}
	other := installed(t)
	other.config.ExtAuthzListen = "127.0.0.1:0"
	text = other.scrape(other.start().URL())
	for _, want := range []string{`{code="OK",status="204"}`, `{code="OK",status="401"}`, `{code="OK",status="403"}`, `{code="Unauthenticated",status=""}`, `{code="Unavailable",status=""}`} {
		if !strings.Contains(text, "\nkeyledger_ext_authz_request_duration_seconds_count"+want+" 0\n") {
			t.Errorf("a new server that Envoy can call does not say %s at zero", want)
		}
	}
}

// TestScrape has something of everything happen, and finds it at /metrics; nobody is named there, and
// no client can add a series.
func TestScrape(t *testing.T) {
	w := installed(t)
	n := w.start()
	c := w.client(n)
	user := c.ask(http.MethodPost, "/v1/users", `{"name":"alice"}`)["user_id"].(string)
	key := c.ask(http.MethodPost, "/v1/users/"+user+"/keys", "")["access_key_id"].(string)
	forged := *c
	forged.as.SecretAccessKey = "kls_of_somebody_else"
	forged.send(http.MethodGet, "/v1/caller", "")
	stranger := forged
	stranger.as.AccessKeyID = "KLAK0000000000000000"
	stranger.send(http.MethodGet, "/v1/caller", "")
	before := series(w.scrape(n.URL()))
	c.send("BREW", "/v1/keys/"+key, "")
	c.send(http.MethodGet, "/v1/nowhere", "")
	c.send(http.MethodGet, "/v1/nowhere/else?at=all", "")
	c.ask(http.MethodGet, "/v1/keys/"+key, "")
	hers := *c
	issued := c.ask(http.MethodPost, "/v1/users/"+user+"/keys", "")
	hers.as.AccessKeyID, hers.as.SecretAccessKey = issued["access_key_id"].(string), issued["secret_access_key"].(string)
	if code, _ := hers.send(http.MethodGet, "/v1/keys", ""); code != http.StatusForbidden {
		t.Fatalf("a user lists every key: got %d", code)
	}
	c.ask(http.MethodPatch, "/v1/keys/"+key, `{"status":"disabled"}`)
	c.ask(http.MethodDelete, "/v1/keys/"+key, "")
	w.eventually("the records to be known", func() bool { return strings.Contains(w.scrape(n.URL()), "\nkeyledger_records_lag_messages 0\n") })
	text := w.scrape(n.URL())
	for _, want := range []string{
		`keyledger_http_request_duration_seconds_count{operation="show-key",status="200"} 1`,
		`keyledger_http_request_duration_seconds_count{operation="add-user",status="201"} 1`,
		`keyledger_http_request_duration_seconds_count{operation="none",status="404"} 2`,
		`keyledger_verify_duration_seconds_count{result="attempt",scheme="AWS4-HMAC-SHA256"} 2`,
		`keyledger_decisions_total{reason="signature_mismatch",result="attempt"} 1`,
		`keyledger_decisions_total{reason="unknown_key",result="attempt"} 1`,
		`keyledger_uses_unknown_key_total 1`, `keyledger_ready 1`, `keyledger_log_writable 1`, `keyledger_clock_trusted 1`,
		`keyledger_projection_lag_positions{projection="keys"} 0`, `keyledger_projection_lag_seconds{projection="keys"} 0`, `keyledger_records_lag_seconds 0`,
		`keyledger_decisions_total{reason="forbidden",result="denied"} 1`, `keyledger_revocation_propagation_seconds_count 2`,
		`keyledger_event_readers 0`, `keyledger_consumer_lag_messages{stream="used"} 0`,
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("a scrape does not say %s", want)
		}
	}
	if age := regexp.MustCompile(`(?m)^keyledger_verifier_watermark_age_seconds (.*)$`).FindStringSubmatch(text); age == nil || seconds(t, age[1]) > 1 {
		t.Errorf("a node that decides has a watermark of %q seconds", age)
	}
	if !regexp.MustCompile(`keyledger_append_duration_seconds_count{result="written",stream="ledger"} [2-9]`).MatchString(text) {
		t.Error("a scrape does not say how long appends took")
	}
	for _, secret := range []string{key, user, c.as.AccessKeyID, c.as.AccountID, "nowhere", "BREW"} {
		if strings.Contains(text, secret) {
			t.Errorf("a scrape names %s", secret)
		}
	}
	var added []string
	for _, s := range series(text) {
		if !slices.Contains(before, s) && strings.HasSuffix(s, `_count`) {
			added = append(added, s)
		}
	}
	if len(added) > 0 {
		t.Errorf("what a client asked for made metrics: %v", added)
	}
	sources := c.ask(http.MethodGet, "/v1/status", "")["unknown_key_sources"].([]any)
	if len(sources) != 1 || sources[0].(map[string]any)["source"] != "127.0.0.1/32" {
		t.Errorf("the status names %v as the sources of unknown keys", sources)
	}
}

// TestLagInSeconds has a projection stop: what it has not applied grows older.
func TestLagInSeconds(t *testing.T) {
	w := installed(t)
	n := w.start()
	user := w.client(n).ask(http.MethodPost, "/v1/users", `{"name":"alice"}`)["user_id"].(string)
	w.stop(n)
	keyring := events.KeyringSubject(w.installation().Operator, events.UserID(user))
	at := w.poison(keyring, 0, fromTheFuture(keyring))
	n = w.start()
	w.eventually("the projection to stop", func() bool { return slices.Contains(w.stopped(n, at), "keys") })
	w.clock.turn(90 * time.Second)
	text := w.scrape(n.URL())
	lag := regexp.MustCompile(`(?m)^keyledger_projection_lag_seconds\{projection="keys"\} (.*)$`).FindStringSubmatch(text)
	if lag == nil || seconds(t, lag[1]) < 90 {
		t.Errorf("a projection that has stopped has a lag of %q seconds", lag)
	}
}

// series are the names that a scrape tells, without labels.
func series(text string) (out []string) {
	for line := range strings.Lines(text) {
		name, _, _ := strings.Cut(line, "{")
		if !strings.HasPrefix(line, "#") && !slices.Contains(out, name) {
			out = append(out, strings.Fields(name)[0])
		}
	}
	return out
}

// TestTrace has a request come with a trace, and finds its span and those of its
// steps with a collector. Nothing in them says who asked about what.
func TestTrace(t *testing.T) {
	var mu sync.Mutex
	var raw []byte
	var got []*spans.Span
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var in collector.ExportTraceServiceRequest
		if err != nil || proto.Unmarshal(body, &in) != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("at %s came %d bytes that are no spans, %v", r.URL.Path, len(body), err)
		}
		mu.Lock()
		defer mu.Unlock()
		raw = append(raw, body...)
		for _, resource := range in.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				got = append(got, scope.Spans...)
			}
		}
	}))
	defer sink.Close()
	w := installed(t)
	w.config.OTLP = sink.URL
	n := w.start()
	c := w.client(n)
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	c.header = http.Header{"Traceparent": {"00-" + trace + "-00f067aa0ba902b7-01"}}
	user := c.ask(http.MethodPost, "/v1/users", `{"name":"alice"}`)["user_id"].(string)
	c.ask(http.MethodGet, "/v1/users/"+user, "")
	w.stop(n)

	mu.Lock()
	defer mu.Unlock()
	var names []string
	for _, s := range got {
		if hex.EncodeToString(s.TraceId) == trace {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	if want := []string{"GET show-user", "POST add-user", "append ledger", "verify", "verify"}; !slices.Equal(names, want) {
		t.Errorf("of the trace came %q, want %q", names, want)
	}
	for _, secret := range []string{user, c.as.AccessKeyID, c.as.AccountID, "alice"} {
		if strings.Contains(string(raw), secret) {
			t.Errorf("a span names %s", secret)
		}
	}
}

// TestTraceToNowhere refuses what is no endpoint.
func TestTraceToNowhere(t *testing.T) {
	w := newWorld(t)
	w.config.OTLP = "localhost:4318"
	if n, err := node.Start(t.Context(), w.config); err == nil || !strings.Contains(err.Error(), "not an OTLP endpoint") {
		t.Errorf("got %v, %v", n, err)
	}
}
