package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"

	"github.com/danielgtaylor/huma/v2"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/usage"
	"github.com/keyledger/keyledger/services/verify"
)

// verifications are the operations that a gateway token opens.
var verifications = map[string]bool{verifyOne: true, "verify-requests": true}

// verifyOne is the operation that gateways ask for with every request of theirs.
const verifyOne = "verify-request"

func (s *server) verifyRoutes(api huma.API) {
	add(api, route{http.MethodPost, "/v1/verify", verifyOne, "Say whether a signed request is genuine and may go on", 200, tagVerification}, s.verifyRequest)
	add(api, route{http.MethodPost, "/v1/verify/batch", "verify-requests", "Say of up to 100 signed requests whether each is genuine and may go on", 200, tagVerification}, s.verifyRequests)
}

// A headerLine is one line of a request's header. Lines of one name are in the
// order in which they were sent.
type headerLine struct {
	Name  string `json:"name" minLength:"1" maxLength:"256"`
	Value string `json:"value"`
}

// A signedRequest is a request as it came off the wire at a gateway, and what the
// gateway knows about it.
type signedRequest struct {
	Method     string       `json:"method" minLength:"1" maxLength:"32"`
	Target     string       `json:"target" minLength:"1" doc:"path and query as they were sent, undecoded; begins with a slash"`
	Host       string       `json:"host" minLength:"1" maxLength:"512" doc:"the Host header"`
	BaseHost   string       `json:"base_host,omitempty" maxLength:"512" doc:"the part of host that names the service, where what stands before it names a bucket; without it a signature of an object store (OBS-HMAC-SHA1, AWS-V2-HMAC-SHA1) also holds where another part of host would"`
	Headers    []headerLine `json:"headers,omitempty" maxItems:"200" doc:"every header line but Host"`
	BodyBase64 *string      `json:"body_base64,omitempty" doc:"the body; leave it out if there is none, or give body_sha256"`
	BodySHA256 *string      `json:"body_sha256,omitempty" doc:"64 hexadecimal digits; for schemes that sign the body's SHA-256"`
	SourceIP   string       `json:"source_ip,omitempty" doc:"of the client; for the access record and for network policies: where one is active, a request without it is denied"`
	Service    string       `json:"service,omitempty" maxLength:"128" doc:"what the request is for; what the signature names if left out"`
	Action     string       `json:"action,omitempty" maxLength:"128" doc:"what it wants to do"`
}

type verdict struct {
	Allowed     bool   `json:"allowed"`
	Genuine     bool   `json:"genuine" doc:"the signature verified in its time window, whatever became of the request"`
	Reason      string `json:"reason,omitempty" doc:"stable; absent if allowed"`
	Detail      string `json:"detail,omitempty" doc:"for people"`
	AccountID   string `json:"account_id,omitempty" doc:"of the key, if it is known"`
	UserID      string `json:"user_id,omitempty"`
	AccessKeyID string `json:"access_key_id,omitempty" doc:"that the request named, also where it could not be read to its end; absent if it named none, or two"`
	Scheme      string `json:"scheme,omitempty"`
	Restricted  bool   `json:"restricted,omitempty" doc:"the request is genuine, and its key under leak protection: somebody else may know its secret. Whoever asks refuses what does most harm. Absent if it is not"`
	Position    uint64 `json:"position" doc:"of the log, at which it was decided"`
	RequestID   string `json:"request_id" doc:"of this decision; it stands in the access record"`
}

type verifyInput struct{ Body signedRequest }

type verifyBatchInput struct {
	Body struct {
		Requests []signedRequest `json:"requests" minItems:"1" maxItems:"100"`
	}
}

func (s *server) verifyRequest(ctx context.Context, in *verifyInput) (*read[verdict], error) {
	v, err := s.verdict(ctx, inboundOf(ctx), &in.Body)
	if err != nil {
		return nil, err
	}
	return &read[verdict]{v}, nil
}

// verdict decides about one request. It is told only once it is on record.
func (s *server) verdict(ctx context.Context, asker inbound, in *signedRequest) (verdict, error) {
	r, err := in.wire()
	if err != nil {
		return verdict{}, err
	}
	j, err := s.judge(ctx, asker, in, r, string(asker.request.ID))
	if err != nil {
		s.decided(j.Decision, err)
		return verdict{}, err
	}
	wait, err := s.submit(&j)
	if err == nil {
		err = wait(ctx)
	}
	s.decided(j.Decision, err)
	if err != nil {
		return verdict{}, s.untold(j.Decision, err)
	}
	return verdictOf(j.Decision, j.id), nil
}

// verifyRequests decides nothing before all can be read, and puts nothing on record before
// all is judged: a batch that is refused has left nothing behind.
func (s *server) verifyRequests(ctx context.Context, in *verifyBatchInput) (*read[list[verdict]], error) {
	if len(in.Body.Requests) == 0 { // null passes as a list
		return nil, invalidBody("requests holds no request; want 1 to 100")
	}
	wires, err := wiresOf(in.Body.Requests)
	if err != nil {
		return nil, err
	}
	judged, err := s.judgeAll(ctx, in.Body.Requests, wires)
	if err == nil {
		err = s.recordAll(ctx, judged)
	}
	for i := range judged {
		s.decided(judged[i].Decision, err)
	}
	if err != nil {
		return nil, notRecorded(err)
	}
	return &read[list[verdict]]{list[verdict]{Items: shapeAll(judged, func(j judgement) verdict { return verdictOf(j.Decision, j.id) })}}, nil
}

// wiresOf are the requests of a batch as a scheme reads them.
func wiresOf(requests []signedRequest) ([]*dialect.Request, error) {
	out := make([]*dialect.Request, len(requests))
	for i := range requests {
		var err error
		if out[i], err = requests[i].wire(); err != nil {
			return nil, inEntry(i, err)
		}
	}
	return out, nil
}

// judgeAll decides about every request of a batch. If it cannot decide about one, it has
// decided about none.
func (s *server) judgeAll(ctx context.Context, requests []signedRequest, wires []*dialect.Request) ([]judgement, error) {
	judged := make([]judgement, len(requests))
	for i := range requests {
		var err error
		id := fmt.Sprintf("%s.%d", inboundOf(ctx).request.ID, i)
		if judged[i], err = s.judge(ctx, inboundOf(ctx), &requests[i], wires[i], id); err != nil {
			for _, j := range judged[:i] {
				s.Verifier.Release(j.Decision)
			}
			return judged, inEntry(i, err)
		}
	}
	return judged, nil
}

// recordAll returns when every judgement is on record. The error is that of one which is
// not; what was certainly not recorded may be asked about again.
func (s *server) recordAll(ctx context.Context, judged []judgement) (failed error) {
	waits := make([]func(context.Context) error, 0, len(judged))
	for i := range judged {
		wait, err := s.submit(&judged[i])
		if err != nil {
			failed = err
			for _, j := range judged[i:] {
				s.Verifier.Release(j.Decision)
			}
			break
		}
		waits = append(waits, wait)
	}
	for i, wait := range waits {
		if err := wait(ctx); err != nil {
			failed = err
			s.release(judged[i].Decision, err)
		}
	}
	return failed
}

// inEntry says which of a batch's requests a problem is about.
func inEntry(i int, err error) error {
	var p *Problem
	if !errors.As(err, &p) {
		return err
	}
	named := *p
	named.Detail = fmt.Sprintf("requests[%d]: %s", i, p.Detail)
	return &named
}

// notRecorded fails closed: a verdict whose access record is not safe is not given.
func notRecorded(err error) error {
	var off *events.UnavailableError
	switch {
	case errors.Is(err, usage.ErrOverloaded):
		return problem(http.StatusServiceUnavailable, codeOverloaded, "more requests are being verified than can be recorded; try again")
	case errors.As(err, &off):
		return err
	case errors.Is(err, events.ErrUncertain):
		return problem(http.StatusServiceUnavailable, "use.uncertain", "it is not known whether the request could be recorded, so that no verdict is given; try again")
	}
	return err
}

// untold is why a decision is not told, whose record failed. If it was certainly not
// recorded, the request may be made again.
func (c *Config) untold(d verify.Decision, err error) error {
	c.release(d, err)
	return notRecorded(err)
}

func (c *Config) release(d verify.Decision, err error) {
	var off *events.UnavailableError
	if errors.As(err, &off) || errors.Is(err, usage.ErrOverloaded) {
		c.Verifier.Release(d)
	}
}

// A judgement is a decision that may not be told before it is on record.
type judgement struct {
	verify.Decision
	id   string
	from netip.Addr
	rec  access.Record // not to be recorded if it has no key
}

// judge decides about a request, which reads as r.
func (s *server) judge(ctx context.Context, asker inbound, in *signedRequest, r *dialect.Request, id string) (j judgement, err error) {
	d, err := s.Verifier.VerifyFor(ctx, r, asker.mayAsk)
	if err != nil {
		return j, err
	}
	if d, err = asked(asker, d); err != nil {
		return j, err
	}
	j = judgement{Decision: d, id: id, from: r.Source}
	if rec, ours := useOf(d, s.Now()); ours {
		rec.SourceIP, rec.Action, rec.UserAgent, rec.RequestID = r.Source, in.Action, r.Get("User-Agent"), id
		rec.Service = orElse(in.Service, rec.Service)
		j.rec = rec
	}
	return j, nil
}

// submit puts a judgement on record. It may be told when wait has returned.
func (s *server) submit(j *judgement) (wait func(context.Context) error, err error) {
	if j.rec.Key == "" {
		return s.stranger(j.Decision, j.from)
	}
	return s.Uses.Submit(j.rec)
}

func verdictOf(d verify.Decision, id string) verdict {
	return verdict{
		Allowed: d.Allowed, Genuine: d.Genuine, Reason: d.Reason, Detail: d.Detail,
		AccountID: string(d.Owner.Account), UserID: string(d.Owner.User), AccessKeyID: string(d.Key),
		Scheme: d.Claim.Scheme, Restricted: d.Restricted, Position: uint64(d.Position), RequestID: id,
	}
}

// mayAsk says whether it may ask about requests of an owner's keys.
func (in inbound) mayAsk(owner events.Subject) bool {
	if in.gateway != nil {
		return in.gateway.Serves(owner.Account)
	}
	return owner == events.KeyringSubject(in.caller.Account, in.caller.User)
}

// asked is a decision as whoever asks may learn it. Whoever signs with an access key
// may ask about requests of his own keys only; a gateway about those of the accounts
// that it serves. What is not theirs to know gets the same answer as a key that does
// not exist, and is not on anybody's record. Out of time, the one and the other hear of the clock; and of what is wrong with
// what was written down.
func asked(in inbound, d verify.Decision) (verify.Decision, error) {
	switch {
	case in.gateway != nil && d.Owner.Account != "" && !in.mayAsk(d.Owner):
		hidden := verify.Decision{Key: d.Key, Claim: d.Claim, Position: d.Position, Reason: verify.UnknownKey, Detail: verify.DetailUnknownKey}
		if d.Malformed != nil || d.Refused != nil && d.Refused.OutOfTime() {
			hidden.Reason, hidden.Detail, hidden.Refused, hidden.Malformed = d.Reason, d.Detail, d.Refused, d.Malformed
		}
		return hidden, nil
	case in.gateway != nil, d.Key == "", in.mayAsk(d.Owner):
		return d, nil
	}
	return d, problem(http.StatusForbidden, codeDenied, "an access key may have requests of its own user's keys verified only; a gateway uses a gateway token")
}

func invalidBody(detail string) error {
	return problem(http.StatusUnprocessableEntity, codeInvalid, detail)
}
