package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// A request is sent again, under the same ID, while it is not known what
// became of it or the server asks for patience.
const (
	maxAttempts = 5
	firstPause  = 200 * time.Millisecond // doubled each time
	longestWait = 5 * time.Second
)

// do carries out a call and returns the answer's JSON, nil if it has none. The
// error is a *failure: a refusal of the server, "unreachable" if nothing was done, or
// "unknown" if it may have been.
func (c *client) do(ctx context.Context, call call) (json.RawMessage, error) {
	body, err := bodyOf(call)
	if err != nil {
		return nil, err
	}
	doubt := false // an attempt so far may have been acted on
	var last attempt
	for n := range maxAttempts {
		if n > 0 && c.pause(ctx, backoff(n, last.after)) != nil {
			break
		}
		last = c.send(ctx, call, body)
		answer, verdict := judge(last)
		if verdict == settled {
			return answer, nil
		}
		if verdict == refused && (!doubt || !aboutTheCaller(last.status)) {
			return nil, refusalOf(last.status, c.endpoint, last.body)
		}
		doubt = doubt || verdict == doubtful || verdict == broken
		if verdict == refused || verdict == broken || hopeless(last.err) || ctx.Err() != nil {
			break
		}
	}
	return nil, c.givenUp(ctx, call, last, doubt)
}

// aboutTheCaller says that a refusal concerns who asks, so that it tells nothing
// of an earlier attempt: that one may have disabled the very key it was signed by.
func aboutTheCaller(status int) bool { return exitOf(status) == exitDenied }

func bodyOf(call call) ([]byte, error) {
	if call.body == nil {
		return nil, nil
	}
	body, err := json.Marshal(call.body)
	if err != nil {
		return nil, fail(exitUsage, codeUsage, "the request cannot be written as JSON: %v", err)
	}
	return body, nil
}

// A verdict is what an attempt says about the call.
type verdict int

const (
	settled  verdict = iota // done, and this is the answer
	refused                 // not done, and asking again would not help
	notDone                 // not done, and asking again may help
	doubtful                // perhaps done, and asking again tells
	broken                  // perhaps done, and asking again would not help
)

func judge(a attempt) (json.RawMessage, verdict) {
	switch {
	case a.err != nil && a.began:
		return nil, doubtful
	case a.err != nil:
		return nil, notDone
	case a.status == http.StatusNoContent:
		return nil, settled
	case a.status >= 200 && a.status < 300 && json.Valid(a.body):
		return a.body, settled
	case a.status == http.StatusServiceUnavailable:
		return nil, unavailable(a)
	case a.status == http.StatusTooManyRequests:
		return nil, notDone
	case a.status == http.StatusBadGateway || a.status == http.StatusGatewayTimeout:
		return nil, doubtful
	case a.status >= 500:
		return nil, broken
	}
	return nil, refused
}

// codeDamaged is the server's word for access records that are damaged.
const codeDamaged = "records.damaged"

// unavailable tells "nothing was done, come back" from "I do not know". A 503
// that is not the server's own comes from something before it, which knows nothing. What is damaged stays so until an operator has done something.
func unavailable(a attempt) verdict {
	var p problem
	switch {
	case json.Unmarshal(a.body, &p) != nil || p.Code == "" || p.Code == codeUnknown:
		return doubtful
	case p.Code == codeDamaged:
		return refused
	}
	return notDone
}

// hopeless says that an attempt failed in a way that time does not heal: the
// other side is not whom we trust, or does not speak what we speak.
func hopeless(err error) bool {
	return errors.As(err, new(*tls.CertificateVerificationError)) || errors.As(err, new(tls.RecordHeaderError)) ||
		errors.Is(err, http.ErrSchemeMismatch)
}

// givenUp is the failure of a call that no attempt has settled.
func (c *client) givenUp(ctx context.Context, call call, last attempt, doubt bool) *failure {
	cause := reasonOf(last)
	if ctx.Err() != nil {
		cause = "interrupted"
	}
	if doubt && call.writes() {
		f := fail(exitUnknown, codeUnknown, "it is not known whether this was done (%s)", cause)
		f.RequestID, f.Retryable = call.requestID, true
		f.advice = "to settle it, run the same command again with --request-id " + call.requestID
		return f
	}
	if last.err == nil && last.status != 0 {
		return refusalOf(last.status, c.endpoint, last.body)
	}
	if ctx.Err() != nil {
		return interrupted()
	}
	return unreachable(c.endpoint, last)
}

// unreachable is the failure of an attempt that has no answer.
func unreachable(endpoint string, a attempt) *failure {
	f := fail(exitUnreachable, codeUnreachable, "%s cannot be reached: %s", endpoint, reasonOf(a))
	f.Retryable = !hopeless(a.err)
	if errors.As(a.err, new(x509.UnknownAuthorityError)) {
		f.advice = "--ca-file names the certificate authority to trust"
	}
	return f
}

// reasonOf says in a few words what was wrong with an attempt.
func reasonOf(a attempt) string {
	if a.err == nil {
		return refusalOf(a.status, "the server", a.body).Error()
	}
	var e *url.Error
	if errors.As(a.err, &e) {
		if e.Timeout() {
			return "no answer in time"
		}
		return e.Err.Error()
	}
	return a.err.Error()
}

// backoff is how long to wait before attempt n: what the server wishes and a
// time that doubles, of which half is left to chance, so that clients which failed
// together do not come back together.
func backoff(n int, wish time.Duration) time.Duration {
	half := min(firstPause<<(n-1), longestWait) / 2
	part, err := rand.Int(rand.Reader, big.NewInt(int64(half)+1))
	if err != nil {
		part = big.NewInt(int64(half))
	}
	return min(wish, longestWait) + half + time.Duration(part.Int64())
}

// retryAfter is the server's Retry-After in seconds; zero if it has no wish.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
