package node_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/keyledger/keyledger/services/dialect/aws"
	"github.com/keyledger/keyledger/services/node"
)

// An envoy asks a node as an Envoy does, with a gateway token of the operator's account.
type envoy struct {
	*client
	auth.AuthorizationClient
	ctx context.Context
}

func (c *client) envoy(n *node.Node) *envoy {
	c.Helper()
	conn, err := grpc.NewClient(n.ExtAuthz(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	c.must(err)
	c.Cleanup(func() { _ = conn.Close() })
	token := c.ask(http.MethodPost, "/v1/gateway-tokens", `{"name":"edge"}`)["token"].(string)
	return &envoy{c, auth.NewAuthorizationClient(conn), metadata.AppendToOutgoingContext(c.Context(), "authorization", "Bearer "+token)}
}

// check asks about a request that the client has signed.
func (e *envoy) check(patience time.Duration) (*auth.CheckResponse, error) {
	e.Helper()
	held := httptest.NewRequest(http.MethodGet, "https://photos.example.com/albums", nil)
	aws.Sign(held, nil, e.as.AccessKeyID, e.as.SecretAccessKey, "photos", "local", e.clock.now())
	r := &auth.AttributeContext_HttpRequest{Method: "GET", Path: "/albums", Host: "photos.example.com", Headers: map[string]string{}}
	for name, values := range held.Header {
		r.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	ctx, cancel := context.WithTimeout(e.ctx, patience)
	defer cancel()
	return e.Check(ctx, &auth.CheckRequest{Attributes: &auth.AttributeContext{Request: &auth.AttributeContext_Request{Http: r}}})
}

// TestExtAuthzBehindTheLog: a node that cannot record, and then cannot know the log's
// end, fails the calls of Envoy, so that Envoy refuses.
func TestExtAuthzBehindTheLog(t *testing.T) {
	w := installed(t)
	node.BeImpatient(t) // the records that can no longer be written are waited for
	w.config.ExtAuthzListen = "127.0.0.1:0"
	n := w.start()
	e := w.client(n).envoy(n)
	out, err := e.check(10 * time.Second)
	if w.must(err); out.GetOkResponse() == nil {
		t.Fatalf("got %v, want it to go on", out)
	}
	answered := regexp.MustCompile(`(?m)^keyledger_decisions_total\{reason="",result="allowed"\} .*$`)
	before := answered.FindString(w.scrape(n.URL()))
	w.must(n.LoseLog())
	w.eventually("the node to be stale", func() bool {
		out, err := e.check(time.Second)
		if code := status.Code(err); code != codes.Unavailable && code != codes.DeadlineExceeded { // nothing can be recorded
			t.Fatalf("without its log: got %v, %v", out, err)
		}
		return strings.Contains(status.Convert(err).Message(), "stale: ")
	})
	text := w.scrape(n.URL())
	if after := answered.FindString(text); before == "" || after != before {
		t.Errorf("decisions that were told to nobody count as answers: %q, then %q", before, after)
	}
	if !regexp.MustCompile(`(?m)^keyledger_decisions_total\{reason="(uncertain|unavailable|abandoned)",result="failed"\} [1-9]`).MatchString(text) {
		t.Error("a scrape does not count those whose record failed")
	}
	for _, want := range []string{`{code="OK",status="204"} 1\n`, `{code="Unavailable",status=""} [1-9]`} {
		if !regexp.MustCompile(`(?m)^keyledger_ext_authz_request_duration_seconds_count` + want).MatchString(text) {
			t.Errorf("a scrape does not say %s", want)
		}
	}
	if age := regexp.MustCompile(`(?m)^keyledger_verifier_watermark_age_seconds (.*)$`).FindStringSubmatch(text); age == nil || seconds(t, age[1]) <= 1 {
		t.Errorf("the node is stale, and its watermark %q seconds old", age)
	}
}

func seconds(t *testing.T, text string) float64 {
	t.Helper()
	s, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStopEndsCallsOfEnvoy: a stop waits for nobody who does not end his call, and
// afterwards nobody is served.
func TestStopEndsCallsOfEnvoy(t *testing.T) {
	w := installed(t)
	node.BeImpatient(t)
	w.config.ExtAuthzListen = "127.0.0.1:0"
	n := w.start()
	e := w.client(n).envoy(n)
	half, err := net.Dial("tcp", n.ExtAuthz())
	w.must(err)
	defer half.Close()
	_, err = half.Write([]byte("PRI * HTTP/2.0\r\n"))
	w.must(err)
	if _, err := e.check(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	address := n.ExtAuthz()
	w.stop(n)
	if _, err := e.check(10 * time.Second); status.Code(err) != codes.Unavailable {
		t.Errorf("after the stop: got %v", err)
	}
	if l, err := net.Listen("tcp", address); err != nil {
		t.Errorf("the address is still in use: %v", err)
	} else {
		_ = l.Close()
	}
}

// TestTrustedProxies: a management call names its client only where its peer is trusted.
func TestTrustedProxies(t *testing.T) {
	for list, want := range map[string]string{"": "127.0.0.1", "10.0.0.0/8": "127.0.0.1", "127.0.0.0/8,10.0.0.0/8": "203.0.113.1"} {
		w := installed(t)
		if list != "" {
			w.config.TrustedProxies = strings.Split(list, ",")
		}
		n := w.start()
		c := w.client(n)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.URL()+"/v1/users", strings.NewReader(`{"name":"alice"}`))
		w.must(err)
		req.Header["Content-Type"] = []string{"application/json"}
		req.Header["X-Forwarded-For"] = []string{"198.51.100.9, 203.0.113.1", "10.0.0.1"}
		aws.Sign(req, []byte(`{"name":"alice"}`), c.as.AccessKeyID, c.as.SecretAccessKey, "keyledger", "local", c.clock.now())
		res, err := http.DefaultClient.Do(req)
		w.must(err)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusCreated {
			t.Fatalf("got %d", res.StatusCode)
		}
		w.eventually("the record", func() bool { return len(useRecords(t, n.AccessLog())) > 0 })
		if got := useRecords(t, n.AccessLog())[0].SourceIP.String(); got != want {
			t.Errorf("trusting %q: the access record names %s, want %s", list, got, want)
		}
		w.stop(n)
		records := w.records()
		if got := records[len(records)-1].Meta.SourceIP; got != want {
			t.Errorf("trusting %q: the event names %s, want %s", list, got, want)
		}
	}
}
