package api

import (
	"context"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/verify"
)

// A ForwardAuth decides about requests that proxies hold, whatever protocol they
// ask by.
type ForwardAuth struct{ Config }

// NewForwardAuth makes a ForwardAuth that stands on what an API stands on.
func NewForwardAuth(c Config) *ForwardAuth { return &ForwardAuth{c} }

// A Held is a request that a proxy holds.
type Held struct {
	ID      events.RequestID // names the decision; it stands in the access record
	Request *dialect.Request
	// Bodiless says that the body is not at hand: where a scheme signs it, the digest
	// that the client has sent stands for it, and whoever gets the body has to hold it to that.
	Bodiless bool
	Client   netip.Addr // who sent it; invalid if it is not known
	Service  string     // what it is for; what the signature names if empty
	Action   string     // what it wants to do
}

// An Answer is what a proxy is told about a request that it holds.
type Answer struct {
	Status int             // http.StatusNoContent if it may go on, else that of the refusal
	Reason string          // of a refusal; stable
	Header []dialect.Field // who signed it, for the service behind the proxy; or why it was refused, for the client
}

// Names of headers that say who signed a request, and of whom it is said with care. A proxy
// must not let a client set any of them.
const (
	headerKey     = "X-Keyledger-Key-Id"
	headerAccount = "X-Keyledger-Account-Id"
	headerUser    = "X-Keyledger-User-Id"
	headerScheme  = "X-Keyledger-Scheme"
	headerReason  = "X-Keyledger-Reason"
	headerDetail  = "X-Keyledger-Detail" // what is wrong with the question, for people
	// headerRestricted is "true" if the key is under leak protection, and may be used all the same.
	headerRestricted = "X-Keyledger-Restricted"
)

// IdentityHeaders are the headers that say who signed a request.
func IdentityHeaders() []string {
	return []string{headerKey, headerAccount, headerUser, headerScheme, headerPosition, headerRestricted}
}

// Ours says whether a header has our prefix. '_' counts as '-', because many servers
// take the two for one.
func Ours(name string) bool { return strings.HasPrefix(plain(name), prefixOurs) }

// OfClient says whether a header line is the client's: not one by which a
// proxy says what it holds, nor one of ours.
func OfClient(name string) bool {
	return !Ours(name) && !strings.HasPrefix(plain(name), prefixOriginal) && !strings.HasPrefix(plain(name), prefixForwarded)
}

func plain(name string) string { return strings.ReplaceAll(strings.ToLower(name), "_", "-") }

// Gateway is the gateway that asks, by the values of its Authorization. The problem
// is that nothing can be decided now, or that the token is not valid. Whom the gateway serves is looked at
// in Decide.
func (f *ForwardAuth) Gateway(ctx context.Context, id events.RequestID, authorization []string) (GatewayToken, *Problem) {
	if err := f.Verifier.Fresh(ctx); err != nil {
		return GatewayToken{}, f.logged(err, id)
	}
	g, err := gatewayOf(f.Queries, authorization)
	if err != nil {
		return GatewayToken{}, f.logged(err, id)
	}
	return g, nil
}

// Decide decides about a request for a gateway. The decision is on record when it
// returns. The problem is why nothing could be decided or recorded: what asks has to
// refuse.
func (f *ForwardAuth) Decide(ctx context.Context, g GatewayToken, h Held) (Answer, *Problem) {
	if h.Bodiless {
		h.Request.Body, h.Request.BodySum = nil, digestOf(h.Request, f.Dialects)
	}
	h.Request.Source = h.Client
	asker := inbound{gateway: &g}
	d, err := f.Verifier.VerifyFor(ctx, h.Request, asker.mayAsk)
	if err == nil {
		d, err = asked(asker, d)
	}
	if err == nil {
		err = f.recordHeld(ctx, d, h)
	}
	f.decided(d, err)
	if err != nil {
		return Answer{}, f.logged(f.untold(d, err), h.ID)
	}
	return answerTo(d), nil
}

// recordHeld has a decision on record when it returns.
func (f *ForwardAuth) recordHeld(ctx context.Context, d verify.Decision, h Held) error {
	wait, err := f.submitHeld(d, h)
	if err == nil {
		err = wait(ctx)
	}
	return err
}

func (f *ForwardAuth) submitHeld(d verify.Decision, h Held) (wait func(context.Context) error, err error) {
	rec, ours := useOf(d, f.Now())
	if !ours {
		return f.stranger(d, h.Client)
	}
	rec.SourceIP, rec.UserAgent, rec.RequestID = h.Client, h.Request.Get("User-Agent"), string(h.ID)
	rec.Service, rec.Action = orElse(h.Service, rec.Service), h.Action
	return f.Uses.Submit(rec)
}

// reasonRefused is what a stranger is told of a key that does not exist, of one whose signature is wrong, and of one that
// is locked for where he is, even if he signed rightly: which keys exist is nobody's business who holds none, and whoever
// guesses is not to learn that he has guessed right. The access record tells.
const reasonRefused = "signature_refused"

// answerTo is 204 with who signed the request, 401 if it is not genuine, 403 if it
// is and may not go on.
func answerTo(d verify.Decision) Answer {
	switch {
	case d.Allowed:
		return Answer{Status: http.StatusNoContent, Header: identityOf(d)}
	case d.Reason == verify.UnknownKey, d.Reason == verify.KeyLocked, d.Reason == dialect.SignatureMismatch:
		return Refusal(http.StatusUnauthorized, reasonRefused)
	case d.Genuine:
		return Refusal(http.StatusForbidden, d.Reason)
	}
	return Refusal(http.StatusUnauthorized, d.Reason)
}

// identityOf is who signed a request that may go on.
func identityOf(d verify.Decision) []dialect.Field {
	fields := []dialect.Field{
		{Name: headerKey, Value: string(d.Key)},
		{Name: headerAccount, Value: string(d.Owner.Account)},
		{Name: headerUser, Value: string(d.Owner.User)},
		{Name: headerScheme, Value: d.Claim.Scheme},
		{Name: headerPosition, Value: strconv.FormatUint(uint64(d.Position), 10)},
	}
	if d.Restricted {
		fields = append(fields, dialect.Field{Name: headerRestricted, Value: "true"})
	}
	return fields
}

// Refusal is the answer that refuses for a reason.
func Refusal(status int, reason string) Answer {
	a := Answer{Status: status, Reason: reason, Header: []dialect.Field{{Name: headerReason, Value: reason}, {Name: "Cache-Control", Value: "no-store"}}}
	if status == http.StatusUnauthorized {
		a.Header = append(a.Header, dialect.Field{Name: "WWW-Authenticate", Value: "Signature"})
	}
	return a
}

// digestOf is the SHA-256 that the client says its body has; nil if it says none.
func digestOf(r *dialect.Request, dialects []dialect.Dialect) *[32]byte {
	for _, scheme := range dialect.Schemes(dialects) {
		if d, ok := scheme.(dialect.Digester); ok {
			if sum := d.Digest(r); sum != nil {
				return sum
			}
		}
	}
	return nil
}
