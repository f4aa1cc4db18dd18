package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/keyledger/keyledger/services/dialect/aws"
)

// Requests are signed for this service and region; the server accepts any.
const (
	signedService = "keyledger"
	signedRegion  = "local"
)

// maxAnswer bounds an answer's body in bytes: a page of a list is far smaller.
const maxAnswer = 64 << 20

// A client asks one server on behalf of one access key.
type client struct {
	endpoint    string
	credentials credentials
	http        *http.Client
	timeout     time.Duration // of one attempt
	now         func() time.Time
	pause       func(context.Context, time.Duration) error // between attempts
	sent        func(requestID string)                     // is told under which ID a request was answered; may be nil
}

// A call is one request, however often it is sent.
type call struct {
	method    string
	path      string
	query     url.Values
	body      any    // sent as JSON; nil sends none
	requestID string // of a request that changes something; empty for a question
}

// writes says whether the call may change something.
func (c call) writes() bool { return c.requestID != "" }

// target is path and query. A space is written as %20: signers do not agree on '+'.
func (c call) target() string {
	if len(c.query) == 0 {
		return c.path
	}
	return c.path + "?" + strings.ReplaceAll(c.query.Encode(), "+", "%20")
}

// newRequestID draws the ID under which a request may be sent again.
func newRequestID() (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fail(exitRefused, codeFailed, "no randomness for a request ID: %v", err)
	}
	return id.String(), nil
}

// read asks a question.
func (c *client) read(ctx context.Context, path string, query url.Values) (json.RawMessage, error) {
	return c.do(ctx, call{method: http.MethodGet, path: path, query: query})
}

// readInto asks a question and decodes what it needs of the answer.
func (c *client) readInto(ctx context.Context, path string, query url.Values, out any) error {
	answer, err := c.read(ctx, path, query)
	if err != nil {
		return err
	}
	return decode(answer, out)
}

func decode(answer json.RawMessage, out any) error {
	if err := json.Unmarshal(answer, out); err != nil {
		return fail(exitRefused, codeNoProblem, "the server's answer is not what was asked for: %v", err)
	}
	return nil
}

// An attempt is what became of one sending.
type attempt struct {
	status int
	body   []byte
	after  time.Duration // the server's wish for the next attempt
	began  bool          // the request went out: the server may have acted on it
	err    error         // why there is no answer
}

// send sends a call once.
func (c *client) send(ctx context.Context, call call, body []byte) attempt {
	var a attempt
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { a.began = true }})
	req, err := http.NewRequestWithContext(ctx, call.method, c.endpoint+call.target(), bytes.NewReader(body))
	if err != nil {
		a.err = err
		return a
	}
	c.sign(req, call, body)
	res, err := c.http.Do(req)
	if err != nil {
		a.err = err
		return a
	}
	defer func() { _ = res.Body.Close() }()
	if id := res.Header.Get("X-Keyledger-Request-Id"); c.sent != nil && id != "" { // it may be a proxy that answers
		c.sent(id)
	}
	a.status, a.after = res.StatusCode, retryAfter(res.Header)
	a.body, a.err = readAnswer(res.Body)
	return a
}

func readAnswer(body io.Reader) ([]byte, error) { return io.ReadAll(io.LimitReader(body, maxAnswer)) }

func (c *client) sign(req *http.Request, call call, body []byte) {
	req.Header.Set("User-Agent", "keyledger/"+version)
	req.Header.Set("Accept", "application/json")
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	if call.writes() {
		req.Header.Set("Idempotency-Key", call.requestID)
	}
	aws.Sign(req, body, c.credentials.AccessKeyID, c.credentials.SecretAccessKey.reveal(), signedService, signedRegion, c.now())
}
