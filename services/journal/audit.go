package journal

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"iter"
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/keyledger/keyledger/events"
)

// An audit reads messages one after the other and holds each to what it must
// be: readable, and written after the message it says was its subject's last.
type audit struct {
	j        *Journal
	from     events.Position // where it began: earlier messages have not been seen
	at       events.Position // the last one read
	lasts    map[boundary]events.Position
	progress func() // called now and then
}

// A boundary is a subject in sixteen bytes: a log has as many as it has users and
// imported keys. That of an imported key is a hash, which no account and user can be:
// its first bit is set.
type boundary struct{ account, user uint64 }

func newAudit(j *Journal, from events.Position) *audit {
	return &audit{j: j, from: from, at: from, lasts: map[boundary]events.Position{}}
}

// through reads up to and including a position and yields what is wrong with a
// message; an error ends it: it could not read on.
func (a *audit) through(ctx context.Context, until events.Position) iter.Seq2[Finding, error] {
	return func(yield func(Finding, error) bool) {
		for m, err := range a.j.stretch(ctx, a.at, until) {
			if err != nil {
				yield(Finding{}, err)
				return
			}
			wrong, err := a.message(ctx, m)
			if err != nil {
				yield(Finding{}, err)
				return
			}
			a.at++
			if a.progress != nil && a.at%1000 == 0 {
				a.progress()
			}
			if wrong != nil && !yield(Finding{Position: a.at, Err: wrong}, nil) {
				return
			}
		}
	}
}

// message says what is wrong with m; the error says that it cannot be said now.
func (a *audit) message(ctx context.Context, m *nats.Msg) (wrong, err error) {
	message, err := readMessage(m)
	if err != nil {
		return refused(GuardContent, "position %d: %v", a.at+1, err), nil
	}
	if message.Position != a.at+1 {
		return nil, missing(a.at+1, message.Position)
	}
	record, err := events.Decode(message)
	if err != nil {
		return a.unreadable(message, err), nil
	}
	said, err := strconv.ParseUint(m.Header.Get(headerExpected), 10, 64)
	if err != nil {
		return refused(GuardContent, "the message at position %d does not say which one of its subject it follows", message.Position), nil
	}
	return a.follows(ctx, record, message.Subject, events.Position(said))
}

// unreadable is what is wrong with a message that cannot be decoded: nothing, if an
// operator has let it pass. What comes after it on its subject says that it follows it.
func (a *audit) unreadable(m events.Message, err error) (wrong error) {
	if s, bad := events.ParseSubject(m.Subject); bad == nil {
		a.lasts[boundaryOf(s)] = m.Position
	}
	if a.j.excused(streamLedger, m.Position) {
		return nil
	}
	return err
}

// follows holds a message to the last one of its subject.
func (a *audit) follows(ctx context.Context, r events.Record, subject string, said events.Position) (wrong, err error) {
	key := boundaryOf(r.Subject)
	last, seen := a.lasts[key]
	a.lasts[key] = r.Position
	if !seen && said != 0 && said <= a.from {
		if last, err = a.before(ctx, subject, said, r.Position); err != nil {
			delete(a.lasts, key)
			return nil, err
		}
	}
	if !seen && said == 0 && a.from > 0 {
		if last, err = a.firstBefore(ctx, subject, r.Position); err != nil {
			delete(a.lasts, key)
			return nil, err
		}
	}
	if last == said {
		return nil, nil
	}
	return refused(GuardContent, "the message at position %d says that it follows position %d of %s, but the one before it is at %d", r.Position, said, subject, last), nil
}

// before is said if a message of the subject lies there and none between it and
// p; otherwise a position that it is not.
func (a *audit) before(ctx context.Context, subject string, said, p events.Position) (events.Position, error) {
	m, err := a.j.At(ctx, said)
	if errors.Is(err, events.ErrNone) || err == nil && m.Subject != subject {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	next, err := a.j.next(ctx, subject, said+1)
	if err != nil {
		return 0, err
	}
	if next.Position != p {
		return next.Position, nil
	}
	return said, nil
}

// firstBefore is the first message of the subject if it lies before p, or zero.
func (a *audit) firstBefore(ctx context.Context, subject string, p events.Position) (events.Position, error) {
	m, err := a.j.next(ctx, subject, 1)
	if err != nil || m.Position >= p {
		return 0, err
	}
	return m.Position, nil
}

func boundaryOf(s events.Subject) boundary {
	if s.Key != "" {
		sum := sha256.Sum256([]byte(s.Key))
		return boundary{binary.BigEndian.Uint64(sum[:8]) | 1<<63, binary.BigEndian.Uint64(sum[8:])}
	}
	account, _ := strconv.ParseUint(string(s.Account), 10, 64)
	user, _ := strconv.ParseUint(string(s.User), 10, 64)
	return boundary{account, user}
}
