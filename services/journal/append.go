package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/keyledger/keyledger/events"
)

// settleWithin bounds how long an append tries to find out what became of it.
const settleWithin = 5 * time.Second

// An entry is a decision on its way into the log. Its bytes are made once: every
// try sends the same ones.
type entry struct {
	decision events.Decision
	subject  string
	after    events.Position
	data     []byte
	done     chan outcome // buffered; used by those that wait for a group commit
	doubtful bool         // it was sent in a batch and nobody knows what became of it
}

// at is e as it lies in the log at p.
func (e *entry) at(p events.Position) events.Message {
	return events.Message{Position: p, Subject: e.subject, Data: e.data}
}

// An outcome is what an append returns.
type outcome struct {
	position events.Position
	err      error
}

// Append implements [events.Log]. Besides the errors named there it returns one
// for a decision that no log could hold (no events, over 1 MiB).
func (j *Journal) Append(ctx context.Context, d events.Decision) (events.Position, error) {
	data, err := events.Encode(d)
	if err != nil {
		return 0, err
	}
	if limit := j.write.MaxPayload() - 1024; int64(len(data)) > limit {
		return 0, fmt.Errorf("journal: a decision of %d bytes: the log holds at most %d", len(data), limit)
	}
	e := &entry{decision: d, subject: d.Subject.String(), after: d.After, data: data}
	if off := j.admit(d.Reserve); off != nil {
		return j.settleUnsent(ctx, e, off)
	}
	out := j.group.append(ctx, e)
	if out.err == nil {
		j.answered(out.position)
	}
	return out.position, out.err
}

// answered remembers the highest position we have vouched for.
func (j *Journal) answered(p events.Position) {
	for {
		old := j.acked.Load()
		if uint64(p) <= old || j.acked.CompareAndSwap(old, uint64(p)) {
			return
		}
	}
}

// Admit is a *events.UnavailableError if ordinary decisions and access records are not
// written now.
func (j *Journal) Admit() error {
	if off := j.admit(false); off != nil {
		return off
	}
	return nil
}

// admit says why an append may not be written now, or nil. On a log in which the scan
// has found damage a key can still be disabled, and nothing else is built on it.
func (j *Journal) admit(reserve bool) *events.UnavailableError {
	if j.fault.Load() != nil {
		return &events.UnavailableError{Reason: "the log was found damaged and waits for an operator"}
	}
	if why := j.scan.trouble(); why != "" && !reserve {
		return &events.UnavailableError{Reason: why}
	}
	return j.watch.admit(reserve)
}

// Ways for a publish to end besides its position. Whatever else it ends with,
// nothing was written.
var (
	errMoved   = errors.New("journal: the subject is not where it was expected")
	errFull    = errors.New("journal: the server has no room")
	errUnsent  = errors.New("journal: the log cannot be reached") // nothing was sent
	errUnknown = errors.New("journal: no acknowledgement came in time")
)

// publish writes e with a message of its own and settles what became of it. A
// doubtful one is not settled by looking, because the server shows a batch before it
// is on disk: only by the server's answer to a message behind it.
func (j *Journal) publish(ctx context.Context, e *entry) outcome {
	position, err := j.send(ctx, e.message())
	if err == nil {
		j.fresh.put(e.at(position))
		return outcome{position, nil}
	}
	return j.insist(ctx, e, err)
}

// insist settles what became of e, whose publish ended with err, and sends it again
// where nothing did.
func (j *Journal) insist(ctx context.Context, e *entry, err error) outcome {
	limit, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	for doubt := e.doubtful; ; {
		unanswered := errors.Is(err, errUnknown) || errors.Is(err, errUnsent)
		doubt = doubt || errors.Is(err, errUnknown)
		if !e.doubtful || !unanswered {
			if out, settled := j.settle(limit, e, err); settled {
				return out.unless(doubt)
			}
		}
		if !pause(limit, 5*time.Millisecond) {
			return outcome{err: fmt.Errorf("%w: %w", events.ErrUncertain, err)}
		}
		var position events.Position
		if position, err = j.send(limit, e.message()); err == nil {
			j.fresh.put(e.at(position))
			return outcome{position, nil}
		}
	}
}

// unless is the outcome, but uncertain if an earlier try may still be written
// and nothing on the subject keeps it out.
func (o outcome) unless(doubt bool) outcome {
	var conflict *events.ConflictError
	if !doubt || o.err == nil || errors.As(o.err, &conflict) {
		return o
	}
	return outcome{err: fmt.Errorf("%w: %w", events.ErrUncertain, o.err)}
}

// send publishes m once and says how it ended.
func (j *Journal) send(ctx context.Context, m *nats.Msg) (events.Position, error) {
	if err := j.gate.enter(ctx, j.closed()); err != nil {
		return 0, fmt.Errorf("%w: %w", errUnsent, err)
	}
	defer j.gate.leave()
	reply, err := j.request(ctx, m)
	switch {
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, nats.ErrConnectionReconnecting):
		return 0, fmt.Errorf("%w: %w", errUnsent, err)
	case err != nil:
		j.watch.suspect()
		return 0, fmt.Errorf("%w: %w", errUnknown, err)
	}
	position, err := readAck(reply)
	var refusal *apiError
	if !errors.As(err, &refusal) {
		return position, err
	}
	switch refusal.ErrCode {
	case codeMoved, codeMovedInFlight:
		return 0, fmt.Errorf("%w: %w", errMoved, err)
	case codeNoResources, codeNoStorage, codeMaxBytes:
		return 0, fmt.Errorf("%w: %w", errFull, err)
	}
	return 0, err
}

// A request sends a message and waits for the answer.
type request func(ctx context.Context, m *nats.Msg) (*nats.Msg, error)

func (j *Journal) request(ctx context.Context, m *nats.Msg) (*nats.Msg, error) {
	ask := func(ctx context.Context, m *nats.Msg) (*nats.Msg, error) {
		return j.lines.ask(ctx, j.host.thisEpoch(), m, j.config.Timeout)
	}
	if j.config.between == nil {
		return ask(ctx, m)
	}
	ctx, cancel := j.host.bounded(ctx, j.config.Timeout)
	defer cancel()
	return j.config.between(ctx, m, ask)
}

// settle looks what became of e after its publish ended with err. If it cannot
// be said yet, the same bytes may be sent again.
func (j *Journal) settle(ctx context.Context, e *entry, err error) (outcome, bool) {
	if !errors.Is(err, errMoved) && !errors.Is(err, errUnknown) && !errors.Is(err, errUnsent) && !errors.Is(err, errFull) {
		return outcome{err: fmt.Errorf("journal: append to %s: %w", e.subject, err)}, true
	}
	out, found, lookErr := j.whose(ctx, e, errors.Is(err, errMoved))
	switch {
	case lookErr != nil:
		return outcome{}, false
	case found:
		return out, true
	case errors.Is(err, errFull):
		return outcome{err: &events.UnavailableError{Reason: "the log's store takes no writes now"}}, true
	}
	return outcome{}, false
}

// settleUnsent answers for an entry that is not to be written now: an earlier
// try of it may have been.
func (j *Journal) settleUnsent(ctx context.Context, e *entry, off *events.UnavailableError) (events.Position, error) {
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	out, found, err := j.whose(ctx, e, false)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%w: %w", events.ErrUncertain, err)
	case found:
		return out.position, out.err
	}
	return 0, off
}

// whose looks at the first message on e's subject after e.after: it is e's own,
// or somebody else's, which makes it a conflict. Not found: there is none. That
// message never changes, so even a replica that lags cannot mislead us about it;
// where a refusal proves that it exists (or that e.after was never right), the
// leader is asked.
func (j *Journal) whose(ctx context.Context, e *entry, refused bool) (out outcome, found bool, err error) {
	m, err := j.next(ctx, e.subject, e.after+1)
	if errors.Is(err, events.ErrNone) && refused {
		return j.misplaced(ctx, e)
	}
	if errors.Is(err, events.ErrNone) {
		return outcome{}, false, nil
	}
	if err != nil {
		return outcome{}, false, err
	}
	if e.wrote(m) {
		return outcome{position: m.Position}, true, nil
	}
	return j.conflict(ctx, e)
}

// conflict is the refusal of e, with the last position of its subject.
func (j *Journal) conflict(ctx context.Context, e *entry) (outcome, bool, error) {
	last, err := j.lastOf(ctx, e.subject)
	if err != nil {
		return outcome{}, false, err
	}
	return outcome{err: &events.ConflictError{Subject: e.decision.Subject, Last: last.Position}}, true, nil
}

// misplaced settles a refusal behind which no message is to be seen: e.after is
// not a position of its subject, or what is under way there is not decided yet.
func (j *Journal) misplaced(ctx context.Context, e *entry) (outcome, bool, error) {
	last, err := j.lastOnLeader(ctx, e.subject)
	if err != nil || last == e.after {
		return outcome{}, false, err
	}
	if last > e.after {
		return outcome{}, false, nil // look again: the replica we asked was behind
	}
	return outcome{err: &events.ConflictError{Subject: e.decision.Subject, Last: last}}, true, nil
}

// wrote reports whether m is what e was to write.
func (e *entry) wrote(m events.Message) bool {
	return bytes.Equal(m.Data, e.data) || firstID(m.Data) == e.decision.Events[0].ID
}

// firstID is the ID of a message's first event; empty if it has none.
func firstID(data []byte) events.EventID {
	var batch []struct {
		ID events.EventID `json:"id"`
	}
	if json.Unmarshal(data, &batch) != nil || len(batch) == 0 {
		return ""
	}
	return batch[0].ID
}

// pause waits a little before the next try; false if there is no time for one.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
