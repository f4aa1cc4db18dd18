package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
)

// subjectUses is the one subject of access records today. More partitions would be
// further subjects under used.>.
const subjectUses = "used.0"

// summarySubject is where the pages of a day lie.
func summarySubject(day time.Time) string { return "summary." + day.UTC().Format(time.DateOnly) }

// summaryNone is the subject of a message that holds no page.
const summaryNone = "summary.none"

const headerMsgID = "Nats-Msg-Id"

var _ access.Log = (*Journal)(nil)

// AppendUses implements [access.Log]. A publish that is in doubt is repeated under
// the same ID, by which the server knows what it has.
func (j *Journal) AppendUses(ctx context.Context, id string, data []byte) (access.Position, error) {
	if off := j.admit(false); off != nil {
		return 0, off
	}
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	for doubt := false; ; {
		p, err := j.send(ctx, &nats.Msg{Subject: subjectUses, Data: data, Header: nats.Header{headerMsgID: {id}}})
		switch {
		case err == nil:
			j.reach.note(streamUsed, p)
			j.uses.put(events.Message{Position: p, Subject: subjectUses, Data: data})
			return access.Position(p), nil
		case errors.Is(err, errFull) && !doubt:
			return 0, &events.UnavailableError{Reason: "the log's store takes no writes now"}
		case !errors.Is(err, errUnknown) && !errors.Is(err, errUnsent) && !errors.Is(err, errFull):
			return 0, fmt.Errorf("journal: append access records: %w", err)
		}
		doubt = doubt || errors.Is(err, errUnknown)
		if !pause(ctx, 5*time.Millisecond) {
			return 0, fmt.Errorf("%w: %w", events.ErrUncertain, err)
		}
	}
}

// SettleUses implements [access.Log]. What was sent may still be on its way to the disk: an
// empty message is sent behind it, and when that one is answered what was to come has come.
func (j *Journal) SettleUses(ctx context.Context, id string, after access.Position) (access.Position, error) {
	behind, err := j.AppendUses(ctx, id+".settled", nil)
	if err != nil {
		return 0, err
	}
	for p := after + 1; p < behind; p++ {
		m, err := j.message(ctx, streamGet+streamUsed, question{Seq: events.Position(p)})
		switch {
		case errors.Is(err, events.ErrNone): // trimmed, or lost: then nobody can say
		case err != nil:
			return 0, fmt.Errorf("%w: %w", events.ErrUncertain, err)
		case m.Header.Get(headerMsgID) == id:
			return p, nil
		}
	}
	return 0, nil
}

// LastUse implements [access.Log].
func (j *Journal) LastUse(ctx context.Context) (access.Position, error) {
	s, err := j.state(ctx, streamUsed)
	return access.Position(s.State.Last), err
}

// UsesAt is the message of USED at p, events.ErrNone or events.ErrUnread.
func (j *Journal) UsesAt(ctx context.Context, p access.Position) (access.Message, error) {
	if p == 0 {
		return access.Message{}, events.ErrNone
	}
	m, err := j.ask(ctx, streamGet+streamUsed, question{Seq: events.Position(p)})
	return access.Message{Position: access.Position(m.Position), Data: m.Data}, err
}

// A Tail is a journal as many may follow it at once: of each stream all of them have one
// consumer together, and a follower costs no goroutine and no buffer of its own. Each reads
// what is past by itself, more slowly than a projection does.
type Tail struct{ *Journal }

// Last is [Journal.Last], once that message is on disk: whoever begins there must not
// be ahead of what a power cut leaves.
func (t Tail) Last(ctx context.Context) (events.Position, error) {
	last, err := t.Journal.Last(ctx)
	if err != nil || last == 0 {
		return last, err
	}
	ctx, cancel := t.host.bounded(ctx, askWithin)
	defer cancel()
	for m, err := range t.got(ctx, streamLedger, question{Seq: last}) {
		if err != nil {
			return 0, fmt.Errorf("%w: %w", events.ErrUnread, err)
		}
		if err := t.onDisk(ctx, m.Header.Get(headerBatchID)); err != nil {
			return 0, err
		}
	}
	return last, nil
}

// Follow is [Journal.Follow].
func (t Tail) Follow(ctx context.Context, after events.Position) iter.Seq2[events.Message, error] {
	return t.followLedger(ctx, after, t.ledgerTail)
}

// FollowUses is [Journal.FollowUses].
func (t Tail) FollowUses(ctx context.Context, after access.Position) iter.Seq2[access.Message, error] {
	return t.followUses(ctx, after, follower{tail: t.usesTail})
}

// FollowUses implements [access.Log]. It goes on through restarts of the log.
func (j *Journal) FollowUses(ctx context.Context, after access.Position) iter.Seq2[access.Message, error] {
	return j.followUses(ctx, after, follower{})
}

// SalvageUses is FollowUses, but passes over what is lost: whoever reads sees it by the
// positions that do not come.
func (j *Journal) SalvageUses(ctx context.Context, after access.Position) iter.Seq2[access.Message, error] {
	return j.followUses(ctx, after, follower{salvage: true})
}

// followUses has a follower of a kind follow USED.
func (j *Journal) followUses(ctx context.Context, after access.Position, kind follower) iter.Seq2[access.Message, error] {
	return func(yield func(access.Message, error) bool) {
		at := events.Position(after)
		f := &follower{j: j, stream: streamUsed, fresh: j.uses, trimmed: true, tail: kind.tail, salvage: kind.salvage, at: at, mark: at}
		err := f.follow(ctx, func(m events.Message, err error) bool {
			return yield(access.Message{Position: access.Position(m.Position), Data: m.Data}, err)
		})
		if err != nil {
			yield(access.Message{}, err)
		}
	}
}

// FirstUse implements [access.Log].
func (j *Journal) FirstUse(ctx context.Context) (access.Position, error) {
	s, err := j.state(ctx, streamUsed)
	first := events.Position(max(s.State.First, 1))
	for _, d := range slices.Backward(j.Damages()) {
		if d.Stream == streamUsed && d.From < first && first <= d.Through+1 {
			first = max(d.From, min(first, events.Position(j.trimmed.Load())+1))
		}
	}
	return access.Position(first), err
}

// TrimUses implements [access.Log].
func (j *Journal) TrimUses(ctx context.Context, last access.Position) error {
	if off := j.admit(false); off != nil {
		return off
	}
	j.trims.Lock()
	defer j.trims.Unlock()
	if err := j.recordTrim(ctx, events.Position(last)); err != nil {
		return fmt.Errorf("journal: trim access records: %w", err)
	}
	ctx, cancel := j.host.bounded(ctx, askWithin)
	defer cancel()
	body, _ := json.Marshal(question{Seq: events.Position(last) + 1})
	m, err := j.write.RequestWithContext(ctx, "$JS.API.STREAM.PURGE."+streamUsed, body)
	if err != nil {
		return fmt.Errorf("journal: trim access records: %w", err)
	}
	var reply struct {
		Error *apiError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &reply); err != nil {
		return fmt.Errorf("journal: trim access records: %w", err)
	}
	if reply.Error != nil {
		return fmt.Errorf("journal: trim access records: %w", reply.Error)
	}
	if err := asideOf(j.config.Dir).forget(streamUsed, events.Position(last)); err != nil {
		return fmt.Errorf("journal: trim access records that were set aside: %w", err)
	}
	return j.lookAside()
}

// AppendSummary implements [access.Log].
func (j *Journal) AppendSummary(ctx context.Context, day time.Time, page []byte) error {
	if off := j.admit(false); off != nil {
		return off
	}
	p, err := j.send(ctx, &nats.Msg{Subject: summarySubject(day), Data: page})
	if err != nil {
		return fmt.Errorf("journal: append a summary: %w", err)
	}
	j.reach.note(streamSummary, p)
	return nil
}

// Summaries implements [access.Log].
func (j *Journal) Summaries(ctx context.Context) iter.Seq2[[]byte, error] {
	return j.summaries(ctx, false)
}

// SalvageSummaries is Summaries, but passes over what is lost.
func (j *Journal) SalvageSummaries(ctx context.Context) iter.Seq2[[]byte, error] {
	return j.summaries(ctx, true)
}

// lastSummary is the last message of SUMMARY that a reader comes to, at most last: it would wait for one that is lost and that nobody
// knows to be lost until another comes behind it. That is an error, unless it is to be passed over.
func (j *Journal) lastSummary(ctx context.Context, last events.Position, salvage bool) (events.Position, error) {
	for ; last > 0; last-- {
		_, known := j.damageAt(streamSummary, last)
		passed := j.Passed(streamSummary, last)
		if known && !passed {
			return last, nil
		}
		_, err := j.ask(ctx, streamGet+streamSummary, question{Seq: last})
		if !errors.Is(err, events.ErrNone) {
			return last, err
		}
		if !passed && !salvage {
			return 0, fmt.Errorf("%w: message %d of SUMMARY", events.ErrLost, last)
		}
	}
	return 0, nil
}

func (j *Journal) summaries(ctx context.Context, salvage bool) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		s, err := j.state(ctx, streamSummary)
		if err != nil {
			yield(nil, err)
			return
		}
		last, err := j.lastSummary(ctx, events.Position(s.State.Last), salvage)
		if err == nil && last == 0 {
			return
		}
		if err != nil {
			yield(nil, err)
			return
		}
		f := &follower{j: j, stream: streamSummary, fresh: newHandover(1, 0), salvage: salvage}
		err = f.follow(ctx, func(m events.Message, err error) bool {
			noPage := err == nil && (len(m.Data) == 0 || m.Subject == summaryTrimmed)
			return (noPage || yield(m.Data, err)) && m.Position < last
		})
		if err == nil && ctx.Err() != nil {
			err = ctx.Err()
		}
		if err != nil {
			yield(nil, err)
		}
	}
}
