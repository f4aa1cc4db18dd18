package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/keyledger/keyledger/events"
)

const (
	streamInfo = "$JS.API.STREAM.INFO."
	streamGet  = "$JS.API.DIRECT.GET."
	directGet  = streamGet + streamLedger
	leaderGet  = "$JS.API.STREAM.MSG.GET."
)

// askWithin bounds one question to the log.
const askWithin = 10 * time.Second

// Last implements [events.Log]. It asks the leader.
func (j *Journal) Last(ctx context.Context) (events.Position, error) {
	s, err := j.state(ctx, streamLedger)
	return events.Position(s.State.Last), err
}

// LastOf implements [events.Log].
func (j *Journal) LastOf(ctx context.Context, s events.Subject) (events.Message, error) {
	if err := s.Valid(); err != nil {
		return events.Message{}, fmt.Errorf("journal: %w", err)
	}
	return j.lastOf(ctx, s.String())
}

func (j *Journal) lastOf(ctx context.Context, subject string) (events.Message, error) {
	return j.ask(ctx, directGet+"."+subject, nil)
}

// At implements [events.Log].
func (j *Journal) At(ctx context.Context, p events.Position) (events.Message, error) {
	if p == 0 {
		return events.Message{}, events.ErrNone
	}
	return j.ask(ctx, directGet, question{Seq: p})
}

// next is the first message of a subject at or after a position, or ErrNone.
func (j *Journal) next(ctx context.Context, subject string, from events.Position) (events.Message, error) {
	return j.ask(ctx, directGet, question{Seq: from, NextFor: subject})
}

// A question is what JetStream's direct get is asked, without what would have the server look through a whole
// stream.
type question struct {
	Seq      events.Position `json:"seq,omitempty"`
	NextFor  string          `json:"next_by_subj,omitempty"`
	LastFor  string          `json:"last_by_subj,omitempty"`
	Start    *time.Time      `json:"start_time,omitempty"`
	Batch    int             `json:"batch,omitempty"`
	MaxBytes int             `json:"max_bytes,omitempty"`
}

// ask returns the one message that a direct get answers with, or ErrNone.
func (j *Journal) ask(ctx context.Context, subject string, q any) (events.Message, error) {
	m, err := j.message(ctx, subject, q)
	if err != nil {
		return events.Message{}, err
	}
	return readMessage(m)
}

// message is ask, header and all.
func (j *Journal) message(ctx context.Context, subject string, q any) (*nats.Msg, error) {
	ctx, cancel := j.host.bounded(ctx, askWithin)
	defer cancel()
	var body []byte
	if q != nil {
		body, _ = json.Marshal(q)
	}
	m, err := j.write.RequestWithContext(ctx, subject, body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", events.ErrUnread, err)
	}
	switch status := m.Header.Get("Status"); status {
	case "":
		return m, nil
	case "404":
		return nil, events.ErrNone
	default:
		return nil, fmt.Errorf("%w: it answers %s %s", events.ErrUnread, status, m.Header.Get("Description"))
	}
}

// lastOnLeader is the last position of a subject of LEDGER as its leader has it; zero if there is
// none. It is slower than a direct get, which a replica may answer.
func (j *Journal) lastOnLeader(ctx context.Context, subject string) (events.Position, error) {
	p, _, err := j.stored(ctx, streamLedger, subject)
	if errors.Is(err, events.ErrNone) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("journal: read: %w", err)
	}
	return p, nil
}

// stored is the last message of a subject as its leader has it, or events.ErrNone.
func (j *Journal) stored(ctx context.Context, stream, subject string) (p events.Position, data []byte, err error) {
	ctx, cancel := j.host.bounded(ctx, askWithin)
	defer cancel()
	body, _ := json.Marshal(question{LastFor: subject})
	m, err := j.write.RequestWithContext(ctx, leaderGet+stream, body)
	if err != nil {
		return 0, nil, err
	}
	var reply struct {
		Message struct {
			Seq  events.Position `json:"seq"`
			Data []byte          `json:"data"`
		} `json:"message"`
		Error *apiError `json:"error"`
	}
	switch err := json.Unmarshal(m.Data, &reply); {
	case err != nil:
		return 0, nil, err
	case reply.Error != nil && reply.Error.Code == 404:
		return 0, nil, events.ErrNone
	case reply.Error != nil:
		return 0, nil, reply.Error
	}
	return reply.Message.Seq, reply.Message.Data, nil
}

// readMessage reads a message as direct get delivers it.
func readMessage(m *nats.Msg) (events.Message, error) {
	position, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
	if err != nil {
		return events.Message{}, fmt.Errorf("journal: a message without its position: %w", err)
	}
	return events.Message{Position: events.Position(position), Subject: m.Header.Get("Nats-Subject"), Data: m.Data}, nil
}

// Read implements [events.Log]. A message that is missing or cannot be read ends
// it with an error that names its position.
func (j *Journal) Read(ctx context.Context, after events.Position) iter.Seq2[events.Message, error] {
	return func(yield func(events.Message, error) bool) {
		yield = j.telling(after, yield)
		last, err := j.Last(ctx)
		switch {
		case err != nil:
			yield(events.Message{}, err)
		case after < last && last-after > askedFor:
			j.readLong(ctx, after, last, yield)
		default:
			j.readShort(ctx, after, last, yield)
		}
	}
}

// askedFor is how many messages are read by asking for them. For more than that
// a consumer is worth its making: the server spends a third on each.
const askedFor = 5 * stretchMessages

func (j *Journal) readShort(ctx context.Context, after, last events.Position, yield func(events.Message, error) bool) {
	for m, err := range j.stretch(ctx, after, last) {
		if err != nil {
			yield(events.Message{}, err)
			return
		}
		message, err := readMessage(m)
		if !yield(message, err) || err != nil {
			return
		}
	}
}

func (j *Journal) readLong(ctx context.Context, after, last events.Position, yield func(events.Message, error) bool) {
	for m, err := range j.Follow(ctx, after) {
		if !yield(m, err) || err != nil || m.Position >= last {
			return
		}
	}
	if ctx.Err() != nil {
		yield(events.Message{}, ctx.Err())
	}
}

// How much one question of a stretch asks for.
const (
	stretchMessages = 1000
	stretchBytes    = 4 << 20
)

// stretch yields the messages after a position up to and including another, as
// direct get delivers them: headers and all. It stops with an error at the first
// that is missing.
func (j *Journal) stretch(ctx context.Context, after, last events.Position) iter.Seq2[*nats.Msg, error] {
	return func(yield func(*nats.Msg, error) bool) {
		inbox := j.read.NewInbox()
		sub, err := j.read.SubscribeSync(inbox)
		if err != nil {
			yield(nil, fmt.Errorf("journal: read: %w", err))
			return
		}
		defer sub.Unsubscribe()
		for after < last {
			reached, err := j.part(ctx, sub, inbox, after, last, yield)
			if errors.Is(err, errStopped) {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
			after = reached
		}
	}
}

// errStopped says that the one who reads wants no more.
var errStopped = errors.New("journal: stopped")

// part asks for the next messages after a position and yields what comes. It
// returns the position it reached.
func (j *Journal) part(ctx context.Context, sub *nats.Subscription, inbox string, after, last events.Position, yield func(*nats.Msg, error) bool) (events.Position, error) {
	body, _ := json.Marshal(question{Seq: after + 1, Batch: int(min(stretchMessages, last-after)), MaxBytes: stretchBytes})
	if err := j.read.PublishRequest(directGet, inbox, body); err != nil {
		return after, fmt.Errorf("journal: read: %w", err)
	}
	for begun := after; ; {
		m, err := j.nextOf(ctx, sub)
		if err != nil {
			return after, fmt.Errorf("journal: read after position %d: %w", after, err)
		}
		if status := m.Header.Get("Status"); status != "" {
			if after == begun {
				return after, missing(after+1, last)
			}
			return after, nil
		}
		position, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
		if err != nil {
			return after, fmt.Errorf("journal: a message without its position: %w", err)
		}
		if events.Position(position) != after+1 {
			return after, missing(after+1, last)
		}
		after++
		if !yield(m, nil) {
			return after, errStopped
		}
	}
}

func (j *Journal) nextOf(ctx context.Context, sub *nats.Subscription) (*nats.Msg, error) {
	ctx, cancel := j.host.bounded(ctx, askWithin)
	defer cancel()
	return sub.NextMsgWithContext(ctx)
}

// missing is what is said of a position that has to be there and is not.
func missing(p, last events.Position) error {
	return refused(GuardWhole, "position %d is missing or damaged, though LEDGER reaches position %d", p, last)
}
