package journal

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/keyledger/keyledger/events"
)

const (
	// followWindow is how many messages may be on their way to a follower.
	followWindow = 5000
	// narrowWindow is the same in bytes, for what is kept or read for those who follow
	// a tail. It is larger than any message.
	narrowWindow = 2 << 20
	// probeEvery is how long a follower waits before it asks whether there is more.
	probeEvery = time.Second
	// followPatience is how long a follower looks for a log that does not answer.
	followPatience = time.Minute
	// leadAfter is how many messages in a row must have been this journal's own
	// before its follower lets go of the server.
	leadAfter = 200
	// leadTick is how often a follower that leads looks whether it still does, and
	// leadSilence after how many ticks without news it turns to the server again. The
	// messages of other nodes may be late by as much.
	leadTick, leadSilence = 5 * time.Millisecond, 10
)

// errLeads says that all that comes is this journal's own.
var errLeads = errors.New("journal: the follower needs no server")

// Follow implements [events.Log]. It goes on through restarts of the log. A
// position that is missing ends it with a *RefusedError.
func (j *Journal) Follow(ctx context.Context, after events.Position) iter.Seq2[events.Message, error] {
	return j.followLedger(ctx, after, nil)
}

func (j *Journal) followLedger(ctx context.Context, after events.Position, shared *tail) iter.Seq2[events.Message, error] {
	return func(yield func(events.Message, error) bool) {
		yield = j.telling(after, yield)
		f := &follower{j: j, stream: streamLedger, fresh: j.fresh, tail: shared, at: after, mark: after}
		if err := f.follow(ctx, yield); err != nil {
			yield(events.Message{}, err)
		}
	}
}

// Recent is the message at p if this journal appended it just now. It is on disk
// as far as the profile promises.
func (j *Journal) Recent(p events.Position) (events.Message, bool) { return j.fresh.at(p) }

// News gives a channel that holds a token when this journal has appended
// something, until done is called. As long as somebody has one, Follow brings what this
// journal appends up to leadTick later.
func (j *Journal) News() (news <-chan struct{}, done func()) { return j.fresh.subscribe() }

// follow yields until the reader stops or ctx ends, which are no errors.
func (f *follower) follow(ctx context.Context, yield func(events.Message, error) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(f.j.ctx, cancel)()
	err := f.run(ctx, yield)
	switch {
	case errors.Is(err, errStopped):
		return nil
	case f.j.ctx.Err() != nil:
		return errClosed
	case ctx.Err() != nil:
		return nil
	}
	return err
}

// A follower reads through a consumer that the server keeps in memory for it
// and that it makes anew whenever something is odd.
type follower struct {
	j       *Journal
	stream  string
	fresh   *handover // of the stream
	trimmed bool      // the front of the stream may be gone
	narrow  bool      // little is kept on its way
	salvage bool      // what is lost is passed over
	tail    *tail     // that it shares with others; nil if it has a consumer of its own

	at    events.Position // the last position yielded
	since time.Time       // the last sign of life: a message, or an answer that there is none
	mark  events.Position // from here on messages are counted until leadAfter is reached
}

// run yields until the reader stops, ctx ends or the log fails.
func (f *follower) run(ctx context.Context, yield func(events.Message, error) bool) error {
	f.since = time.Now()
	from := f.consume
	if f.tail != nil {
		from = f.shared
	}
	for {
		err := from(ctx, yield)
		if errors.Is(err, errLeads) {
			err = f.lead(ctx, yield)
		}
		var damage *RefusedError
		if errors.Is(err, errStopped) || errors.As(err, &damage) || ctx.Err() != nil {
			return err
		}
		if err == nil {
			continue
		}
		if fault := f.j.fault.Load(); fault != nil {
			return fault
		}
		if time.Since(f.since) > followPatience {
			return fmt.Errorf("journal: follow after position %d: %w", f.at, err)
		}
		f.j.log.Debug("journal: a follower begins anew", "after", f.at, "error", err)
		if !pause(ctx, 20*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// consume makes a consumer and yields what it delivers.
func (f *follower) consume(ctx context.Context, yield func(events.Message, error) bool) error {
	epoch := f.j.host.thisEpoch()
	js, err := jetstream.New(f.j.read)
	if err != nil {
		return err
	}
	c, err := f.consumer(ctx, js)
	if err != nil {
		return err
	}
	defer f.drop(epoch, js, c.CachedInfo().Name)
	messages, err := c.Messages(f.window(), jetstream.PullHeartbeat(2*time.Second), jetstream.PullExpiry(30*time.Second))
	if err != nil {
		return err
	}
	defer messages.Stop()
	defer context.AfterFunc(epoch, messages.Stop)()
	news, unwatch := f.fresh.watch()
	defer unwatch()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d := delivery{messages: make(chan jetstream.Msg), failed: make(chan error, 1), news: news}
	go d.run(ctx, messages)
	for {
		if err := f.spell(ctx, &d, yield); err != nil {
			return err
		}
		if err := f.probe(ctx); err != nil {
			return err
		}
	}
}

// window bounds what is on its way.
func (f *follower) window() jetstream.PullMessagesOpt {
	if f.narrow {
		return jetstream.PullMaxBytes(narrowWindow)
	}
	return jetstream.PullMaxMessages(followWindow)
}

// A delivery brings messages from the server, and word of those that this
// journal has appended itself.
type delivery struct {
	messages chan jetstream.Msg
	failed   chan error
	news     <-chan struct{}
}

func (d *delivery) run(ctx context.Context, from jetstream.MessagesContext) {
	for {
		m, err := from.Next()
		if err != nil {
			d.failed <- err
			return
		}
		select {
		case d.messages <- m:
		case <-ctx.Done():
			return
		}
	}
}

// spell yields what comes, for some time.
func (f *follower) spell(ctx context.Context, d *delivery, yield func(events.Message, error) bool) error {
	end := time.NewTimer(probeEvery)
	defer end.Stop()
	for {
		var err error
		select {
		case m := <-d.messages:
			err = f.deliver(ctx, m, yield)
		case <-d.news:
		case err = <-d.failed:
		case <-end.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		if err := f.overtake(yield); err != nil {
			return err
		}
		if f.leads() {
			return errLeads
		}
	}
}

// leads reports whether the last leadAfter messages were all this journal's own,
// whichever way they came.
func (f *follower) leads() bool {
	if f.at < f.mark+leadAfter {
		return false
	}
	own := f.fresh.holds(f.mark+1, f.at-1) // the last one may not be acknowledged yet
	f.mark = f.at
	return own
}

// lead goes on without the server while what comes next is what this journal
// appends: to have the server send all of it back costs a quarter of what a busy
// node can append. It ends without an error when the server has to be asked again.
func (f *follower) lead(ctx context.Context, yield func(events.Message, error) bool) error {
	news, unwatch := f.fresh.watch()
	defer unwatch()
	tick := time.NewTicker(leadTick)
	defer tick.Stop()
	stuck := events.Position(0) // where the last look found something missing
	for silent := 0; silent < leadSilence; {
		looked := false
		select {
		case <-news:
		case <-tick.C:
			silent, looked = silent+1, true
		case <-ctx.Done():
			return ctx.Err()
		}
		missed, before := f.fresh.latest(), f.at
		if err := f.overtake(yield); err != nil {
			return err
		}
		if f.at > before {
			silent = 0
		}
		if looked && f.at < missed && f.at == stuck {
			return nil // something lies between that was not handed over
		}
		if looked {
			stuck = f.at
		}
	}
	return nil
}

// overtake yields what this journal has appended next, before it is delivered.
func (f *follower) overtake(yield func(events.Message, error) bool) error {
	for {
		m, found := f.fresh.at(f.at + 1)
		if !found {
			return nil
		}
		f.at, f.since = m.Position, time.Now()
		if !yield(m, nil) {
			return errStopped
		}
	}
}

// probe finds out whether there is something that should have come and did not:
// a consumer falls silent before a message that cannot be read.
func (f *follower) probe(ctx context.Context) error {
	if time.Since(f.since) < probeEvery {
		return nil
	}
	s, err := f.j.state(ctx, f.stream)
	if err != nil {
		return err
	}
	f.since = time.Now()
	if events.Position(s.State.Last) <= f.at {
		return nil
	}
	return f.skipped(ctx, events.Position(s.State.Last))
}

func (f *follower) consumer(ctx context.Context, js jetstream.JetStream) (jetstream.Consumer, error) {
	ctx, cancel := f.j.host.bounded(ctx, askWithin)
	defer cancel()
	return js.CreateConsumer(ctx, f.stream, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: uint64(f.at) + 1,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: time.Minute,
	})
}

// drop tells the server that the consumer is not needed; if that does not reach
// it, it finds out by itself.
func (f *follower) drop(epoch context.Context, js jetstream.JetStream, name string) {
	if epoch.Err() != nil {
		return // it went with its server
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(f.j.ctx), time.Second)
	defer cancel()
	if err := js.DeleteConsumer(ctx, f.stream, name); err != nil {
		f.j.log.Debug("journal: a consumer was left behind", "error", err)
	}
}

// deliver yields m if it is the next one. What was delivered before is passed
// over; if something is left out, either the delivery lost it or the log has.
func (f *follower) deliver(ctx context.Context, m jetstream.Msg, yield func(events.Message, error) bool) error {
	meta, err := m.Metadata()
	if err != nil {
		return err
	}
	position := events.Position(meta.Sequence.Stream)
	if position <= f.at {
		f.since = time.Now()
		return nil
	}
	if position != f.at+1 {
		f.since = time.Now()
		return f.skipped(ctx, position)
	}
	// The server shows the messages of a batch one by one, but writes them through
	// together. A projection must not be ahead of what a power cut leaves.
	if err := f.j.onDisk(ctx, m.Headers().Get(headerBatchID)); err != nil {
		return err // no sign of life: a log that never answers ends the follower
	}
	f.at, f.since = position, time.Now()
	if !yield(events.Message{Position: position, Subject: m.Subject(), Data: m.Data()}, nil) {
		return errStopped
	}
	return nil
}

// skipped is why the positions after f.at did not come: the front was trimmed,
// the log has lost them, or the delivery has.
func (f *follower) skipped(ctx context.Context, to events.Position) error {
	if f.trimmed {
		return f.passTrimmed(ctx, to)
	}
	if f.stream != streamLedger {
		return f.left(ctx, to)
	}
	if _, err := f.j.At(ctx, f.at+1); errors.Is(err, events.ErrNone) {
		return missing(f.at+1, to)
	}
	return fmt.Errorf("journal: the delivery left out position %d", f.at+1)
}

// left is why f.at+1, which lies behind the front, did not come. What is lost and an operator
// has let pass is passed, and nothing behind it: that may be readable.
func (f *follower) left(ctx context.Context, to events.Position) error {
	_, err := f.j.ask(ctx, streamGet+f.stream, question{Seq: f.at + 1})
	if !errors.Is(err, events.ErrNone) {
		return fmt.Errorf("journal: the delivery left out position %d of %s", f.at+1, f.stream)
	}
	if f.salvage {
		return f.goOn(to)
	}
	if !f.j.Passed(f.stream, f.at+1) {
		return f.lost(f.at + 1)
	}
	through := f.at + 1
	if d, known := f.j.damageAt(f.stream, through); known {
		through = d.Through
	}
	return f.goOn(min(to, through+1))
}

// lost says that a message is.
func (f *follower) lost(p events.Position) error {
	if d, known := f.j.damageAt(f.stream, p); known {
		return refused(GuardContent, "%s", d)
	}
	f.j.suspect(f.stream)
	return refused(GuardWhole, "position %d of %s is missing", p, f.stream)
}

// goOn has the delivery begin anew at a position.
func (f *follower) goOn(at events.Position) error {
	f.at, f.mark = at-1, at-1
	return fmt.Errorf("journal: %s goes on at %d", f.stream, at)
}

// passTrimmed goes on where a stream whose front was trimmed begins.
func (f *follower) passTrimmed(ctx context.Context, to events.Position) error {
	s, err := f.j.state(ctx, f.stream)
	if err != nil {
		return err
	}
	first := events.Position(s.State.First)
	if first <= f.at+1 {
		return f.left(ctx, to)
	}
	for _, d := range f.j.Damages() {
		if p := max(d.From, f.at+1); d.Stream == f.stream && p <= d.Through && p < first && !f.salvage && !f.j.Passed(f.stream, p) {
			return f.lost(p) // the front is lost, and not trimmed
		}
	}
	return f.goOn(first)
}
