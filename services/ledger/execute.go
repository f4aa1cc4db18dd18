package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/events"
)

// maxAttempts bounds how often a command is decided again because its subject
// moved. On one node commands take turns; only another node can be in the way.
const maxAttempts = 64

// A step is one decision of a command.
type step struct {
	subject events.Subject
	reserve bool // see events.Decision
	// read is how far an attempt has found the subject to have moved. A record that
	// every projection was let past moves its subject and no row.
	read events.Position
	// first says that the decision is the first of its subject or none at all.
	first  bool
	decide func(v View, now time.Time) (decided, error)
	// unheard says that the request's ID was drawn just now: nobody can have sent
	// it before.
	unheard bool
}

// A decided is what a step's rule answered.
type decided struct {
	after  events.Position // of the subject, as it was read
	policy events.Position // of the account whose policy had a say; zero if none had
	events []events.Event  // none if the facts already hold
}

// do carries out one step of a request.
func (l *Ledger) do(ctx context.Context, req Request, s step) (Outcome, error) {
	s.unheard = req.ID == ""
	req, err := l.named(req)
	if err != nil {
		return Outcome{}, err
	}
	// A client that hangs up does not stop a decision half way.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.Patience)
	defer cancel()
	for _, turn := range []any{requestName{scopeOf(req, s.subject), req.Actor, req.ID}, s.subject} {
		leave, err := l.turns.enter(ctx, turn)
		if err != nil {
			return Outcome{}, errBusy // nothing has been tried yet
		}
		defer leave()
	}
	for range maxAttempts {
		out, again, err := l.attempt(ctx, req, &s)
		if !again || err != nil {
			return out, err
		}
	}
	return Outcome{}, errBusy
}

// named is the request with an ID: its own, or one drawn now.
func (l *Ledger) named(req Request) (Request, error) {
	if req.ID != "" {
		return req, nil
	}
	id, err := l.Draw.RequestID()
	req.ID = id
	return req, err
}

// attempt reads, decides and appends once. again says that the subject moved
// in between and has been read as far as it had moved.
func (l *Ledger) attempt(ctx context.Context, req Request, s *step) (out Outcome, again bool, err error) {
	v := l.View()
	defer v.Close()
	if !s.unheard {
		if out, found, err := l.repeated(ctx, v, req, s.subject); found || err != nil {
			return out, false, err
		}
	}
	now := l.Now().UTC()
	d, err := s.decide(v, now)
	if err != nil {
		return Outcome{}, false, err
	}
	if !s.first {
		d.after = max(d.after, s.read)
	}
	if len(d.events) == 0 {
		return Outcome{Request: req.ID, Position: d.after, Time: now}, false, nil
	}
	decision, err := l.decision(req, *s, d, now)
	if err != nil {
		return Outcome{}, false, err
	}
	p, err := l.append(ctx, decision)
	var conflict *events.ConflictError
	switch {
	case errors.As(err, &conflict):
		s.read = conflict.Last
		return Outcome{}, true, l.wait(ctx, conflict.Last)
	case err != nil:
		return Outcome{}, false, err
	}
	out = Outcome{Request: req.ID, Position: p, Time: now, Events: d.events}
	return out, false, l.wait(ctx, p)
}

// append settles what the log left uncertain as far as asking again can.
func (l *Ledger) append(ctx context.Context, d events.Decision) (events.Position, error) {
	p, err := l.Log.Append(ctx, d)
	for range 2 {
		if !errors.Is(err, events.ErrUncertain) || ctx.Err() != nil {
			break
		}
		p, err = l.Log.Append(ctx, d) // the same decision: it is never written twice
	}
	if errors.Is(err, events.ErrUncertain) {
		return 0, ErrUnknown
	}
	return p, err
}

// wait ends when this node has applied p. What was recorded stays recorded: if it
// cannot be waited for, the outcome is unknown to the caller, not failed.
func (l *Ledger) wait(ctx context.Context, p events.Position) error {
	if err := l.Wait(ctx, p); err != nil {
		return fmt.Errorf("%w (%v)", ErrUnknown, err) //nolint:errorlint // why is for people: no caller may act on it
	}
	return nil
}

func (l *Ledger) decision(req Request, s step, d decided, now time.Time) (events.Decision, error) {
	recorded := make([]events.Recorded, len(d.events))
	for i, e := range d.events {
		id, err := l.Draw.EventID()
		if err != nil {
			return events.Decision{}, err
		}
		recorded[i] = events.Recorded{ID: id, Event: e}
	}
	m := events.Meta{
		Time: now, Actor: req.Actor, ActorKey: req.ActorKey, Request: req.ID, Digest: req.Digest,
		SourceIP: req.SourceIP, Dialect: req.Dialect, Policy: d.policy,
	}
	if req.Scope != s.subject.Account {
		m.Scope = req.Scope
	}
	return events.Decision{Subject: s.subject, After: d.after, Meta: m, Events: recorded, Reserve: s.reserve}, nil
}

// Recorded says whether a request about a subject has been recorded: sent
// again it gets its first answer, whatever has become of the subject since.
func (l *Ledger) Recorded(req Request, s events.Subject) (bool, error) {
	v := l.View()
	defer v.Close()
	_, _, found, err := v.Request(scopeOf(req, s), req.Actor, req.ID)
	return found, err
}

// scopeOf is the account in which a request's ID is unique.
func scopeOf(req Request, s events.Subject) events.AccountID {
	if req.Scope == "" {
		return s.Account
	}
	return req.Scope
}

func reused(id events.RequestID) error {
	return aggregate.Refuse(aggregate.Invalid, "request.reused", "the request ID %q was used before with another request; use a new one", id)
}

// repeated answers a request that has been recorded before.
func (l *Ledger) repeated(ctx context.Context, v View, req Request, s events.Subject) (Outcome, bool, error) {
	p, digest, found, err := v.Request(scopeOf(req, s), req.Actor, req.ID)
	if err != nil || !found {
		return Outcome{}, false, err
	}
	if digest != req.Digest {
		return Outcome{}, true, reused(req.ID)
	}
	m, err := l.Log.At(ctx, p)
	if err != nil {
		return Outcome{}, true, fmt.Errorf("%w (it was recorded at position %d: %v)", ErrUnknown, p, err) //nolint:errorlint // the same
	}
	r, err := events.Decode(m)
	if err != nil {
		return Outcome{}, true, err
	}
	out := Outcome{Request: req.ID, Position: p, Time: r.Meta.Time, Repeated: true}
	for _, e := range r.Events {
		out.Events = append(out.Events, e.Event)
	}
	return out, true, nil
}
