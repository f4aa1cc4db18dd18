package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
)

// inboxes is what the inboxes of all readers begin with. Behind it stands the reader's public
// key. Answers go there, and to any other subject the outlet sends nothing: it could be taken
// for what is new, or for a question.
const inboxes = "_INBOX_"

const (
	relayWorkers = 4       // requests that are answered at once
	relayEach    = 2       // of these of one program: others find a free one, or wait for one answer of it
	relayWaiting = 64      // requests of a program that wait; more are dropped
	relayRequest = 4 << 10 // bytes of a request
	relayBatch   = 1000    // messages of an answer
	relayBytes   = 1 << 20 // of an answer, about
	relayWithin  = 10 * time.Second
)

func outletRequests() (out []string) {
	for _, stream := range []string{streamLedger, streamUsed} {
		out = append(out, streamInfo+stream, streamGet+stream, streamGet+stream+".>")
	}
	return out
}

// answer begins to answer requests of the reader's account.
func (r *reader) answer() error {
	for _, subject := range outletRequests() {
		if _, err := r.nc.ChanSubscribe(subject, r.requests); err != nil {
			return fmt.Errorf("journal: the outlet: %w", err)
		}
	}
	for range relayEach {
		r.outlet.tasks.Go(r.work)
	}
	return r.nc.Flush()
}

// work answers one request after the other. Whoever waits longest for one of the
// relayWorkers has the next, whatever else its program asks for.
func (r *reader) work() {
	for {
		select {
		case m := <-r.requests:
			select {
			case r.outlet.turns <- struct{}{}:
			case <-r.ctx.Done():
				return
			}
			r.reply(m)
			<-r.outlet.turns
		case <-r.ctx.Done():
			return
		}
	}
}

// reply answers one request. One that wants its answer anywhere but in an inbox of its
// program gets none.
func (r *reader) reply(m *nats.Msg) {
	if !strings.HasPrefix(m.Reply, r.user.InboxPrefix()+".") {
		return
	}
	ctx, cancel := r.outlet.journal.host.bounded(r.ctx, relayWithin)
	defer cancel()
	if stream, ok := strings.CutPrefix(m.Subject, streamInfo); ok {
		r.info(ctx, stream, m.Reply)
		return
	}
	stream, subject, _ := strings.Cut(strings.TrimPrefix(m.Subject, streamGet), ".")
	q, err := readQuestion(m.Data, subject)
	if err != nil {
		r.status(m.Reply, "400", err.Error())
		return
	}
	if err := r.get(ctx, stream, q, m.Reply); err != nil {
		r.outlet.journal.log.Debug("journal: the outlet could not read", "stream", stream, "error", err)
		r.status(m.Reply, "500", "the log cannot be read now; try again")
	}
}

// readQuestion is what a request asks for, as far as the outlet answers it.
func readQuestion(body []byte, subject string) (question, error) {
	var q question
	if len(body) > relayRequest {
		return q, errors.New("the request is too large")
	}
	if subject != "" {
		return question{LastFor: subject}, nil
	}
	if err := json.Unmarshal(body, &q); err != nil {
		return q, misread(err)
	}
	if q.Seq == 0 && q.Start == nil && q.LastFor == "" && q.NextFor == "" {
		return q, errors.New("want seq, start_time, next_by_subj or last_by_subj")
	}
	if q.Batch < 0 || q.MaxBytes < 0 {
		return q, errors.New("batch and max_bytes are not below 0")
	}
	if q.MaxBytes == 0 || q.MaxBytes > relayBytes {
		q.MaxBytes = relayBytes
	}
	if q.Batch = min(q.Batch, relayBatch); q.Batch == 0 {
		q.MaxBytes = 0
	}
	return q, nil
}

// misread says what is wrong with a request that cannot be read, and what would be right.
func misread(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return errors.New("the request is not JSON")
	case !errors.As(err, &kind): // of time's own
		return errors.New("start_time is no time; want RFC 3339, such as \"2026-11-22T00:00:00Z\"")
	case kind.Field == "":
		return errors.New("want a JSON object, such as {\"seq\":1}")
	case kind.Type.Kind() == reflect.String:
		return fmt.Errorf("%s is no string", kind.Field)
	}
	return fmt.Errorf("%s is no whole number; want one that is not below 0", kind.Field)
}

// info passes on what the log's server says of a stream. Nothing of the request goes
// there.
func (r *reader) info(ctx context.Context, stream, reply string) {
	m, err := r.outlet.journal.read.RequestWithContext(ctx, streamInfo+stream, nil)
	if err != nil {
		return // whoever asked asks again
	}
	_ = r.nc.Publish(reply, m.Data)
}

// get passes on what the log's server answers to q, without what is sealed.
func (r *reader) get(ctx context.Context, stream string, q question, reply string) error {
	for m, err := range r.outlet.journal.got(ctx, stream, q) {
		if err != nil {
			return err
		}
		if m.Header.Get("Status") == "" {
			if err := r.outlet.journal.onDisk(ctx, m.Header.Get(headerBatchID)); err != nil {
				return err // what a power cut can take back is told to nobody
			}
			if m, err = public(stream, m); err != nil {
				r.status(reply, "500", "the message cannot be read: an operator has to look at the log")
				return nil
			}
		}
		m.Subject, m.Reply = reply, ""
		if err := r.nc.PublishMsg(m); err != nil {
			return err
		}
	}
	return nil
}

// got is the server's answer to a direct get: one message, or a batch and the status
// that ends it.
func (j *Journal) got(ctx context.Context, stream string, q question) iter.Seq2[*nats.Msg, error] {
	return func(yield func(*nats.Msg, error) bool) {
		inbox := j.read.NewInbox()
		sub, err := j.read.SubscribeSync(inbox)
		if err != nil {
			yield(nil, err)
			return
		}
		defer func() { _ = sub.Unsubscribe() }()
		body, err := json.Marshal(q)
		if err == nil {
			err = j.read.PublishRequest(streamGet+stream, inbox, body)
		}
		for err == nil {
			var m *nats.Msg
			if m, err = sub.NextMsgWithContext(ctx); err != nil {
				break
			}
			if !yield(m, nil) || q.Batch == 0 || m.Header.Get("Status") != "" {
				return
			}
		}
		yield(nil, err)
	}
}

// told are the headers that leave: what direct get says of a message, and what it is
// made of. How it was written is nobody's business.
var told = []string{"Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp", "Nats-Num-Pending", "Nats-Last-Sequence", headerContentType}

// public is a message of a stream as those outside see it.
func public(stream string, m *nats.Msg) (*nats.Msg, error) {
	out := &nats.Msg{Header: nats.Header{}, Data: m.Data}
	for name, values := range m.Header {
		if slices.Contains(told, name) {
			out.Header[name] = values
		}
	}
	if stream != streamLedger {
		return out, nil
	}
	raw, err := readMessage(m)
	if err == nil {
		out.Data, err = publicLedger(raw)
	}
	return out, err
}

// publicLedger is the data of a message of LEDGER without what is sealed.
func publicLedger(m events.Message) ([]byte, error) {
	rec, err := events.Decode(m)
	if err != nil {
		return nil, err
	}
	batch := make([]json.RawMessage, len(rec.Events))
	for i := range rec.Events {
		if batch[i], err = events.EncodePublic(rec, i); err != nil {
			return nil, err
		}
	}
	return json.Marshal(batch)
}

// status answers with a status and no message, as JetStream does.
func (r *reader) status(reply, code, description string) {
	_ = r.nc.PublishMsg(&nats.Msg{Subject: reply, Header: nats.Header{"Status": {code}, "Description": {description}}})
}

// follow begins to tell what is new.
func (o *Outlet) follow() error {
	ledger, err := o.journal.Last(o.ctx)
	if err != nil {
		return err
	}
	used, err := o.journal.LastUse(o.ctx)
	if err != nil {
		return err
	}
	o.tasks.Go(func() { o.tellLedger(ledger) })
	o.tasks.Go(func() { o.tellUsed(used) })
	return nil
}

// tellLedger publishes what is new in LEDGER under its own subject. Nobody is owed it:
// whoever hears a sequence that is not the next asks for what lies between.
func (o *Outlet) tellLedger(after events.Position) {
	for ok := true; ok; ok = pause(o.ctx, time.Second) {
		for m, err := range (Tail{o.journal}).Follow(o.ctx, after) {
			if err != nil {
				o.journal.log.Warn("journal: the outlet cannot follow LEDGER", "after", after, "error", err)
				break
			}
			after = m.Position
			if data, err := publicLedger(m); err == nil { // otherwise whoever asks for it is told
				o.tell(streamLedger, m.Subject, uint64(m.Position), events.ContentType, data)
			}
		}
	}
}

func (o *Outlet) tellUsed(after access.Position) {
	for ok := true; ok; ok = pause(o.ctx, time.Second) {
		for m, err := range (Tail{o.journal}).FollowUses(o.ctx, after) {
			if err != nil {
				o.journal.log.Warn("journal: the outlet cannot follow USED", "after", after, "error", err)
				break
			}
			after = m.Position
			o.tell(streamUsed, subjectUses, uint64(m.Position), access.ContentType, m.Data)
		}
	}
}

// tell publishes a message to every program that listens.
func (o *Outlet) tell(stream, subject string, sequence uint64, media string, data []byte) {
	m := &nats.Msg{Subject: subject, Data: data, Header: nats.Header{
		"Nats-Stream": {stream}, "Nats-Subject": {subject}, "Nats-Sequence": {strconv.FormatUint(sequence, 10)}, headerContentType: {media},
	}}
	o.mu.Lock()
	readers := slices.Collect(maps.Values(o.readers))
	o.mu.Unlock()
	for _, r := range readers {
		if r.account.Interest(subject) > 0 {
			_ = r.nc.PublishMsg(m)
		}
	}
}
