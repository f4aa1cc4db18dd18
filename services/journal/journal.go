// Package journal is the ledger's log on NATS JetStream: an [events.Log] that
// answers an append only when the decision is on disk, and that refuses to
// start on a log that is not whole.
//
// The way in: [Open] starts the log in a directory and returns a [Journal],
// which is the [events.Log]; [Journal.Cells] is what must be mutable beside it;
// [Journal.Health] and [Journal.Check] say whether it is still whole. Close it
// when done.
//
// The limits: one process per directory, held by a lock of our own. Nothing here
// assumes that the log is in this process except server.go, which puts it there.
// What a message or a header looks like stands in docs/format.
package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/durable"
)

// A Profile is how much an answered append has to survive.
type Profile string

const (
	// Durable appends are on disk when they are answered. The default.
	Durable Profile = "durable"
	// Relaxed appends survive the death of the process; a power cut may lose the
	// last 250 ms of them.
	Relaxed Profile = "relaxed"
)

// relaxedSync is how often the relaxed profile writes through to the disk.
const relaxedSync = 250 * time.Millisecond

// Config says where a log is and what is known about it. Dir is required.
type Config struct {
	// Dir is the store directory. It is made if it is missing.
	Dir string
	// Profile is Durable if empty.
	Profile Profile
	// Create makes the streams that are missing, as long as LEDGER is missing or
	// empty. Without it, and over any log that holds messages, a missing stream is refused.
	Create bool
	// Created is when LEDGER came to be, as recorded at the first start (see
	// [Journal.Created]). Zero: not compared.
	Created time.Time
	// StoredPosition is the highest position that any projection has stored. A log
	// that ends before it has been cut.
	StoredPosition events.Position
	// Timeout bounds one publish; 1 s if zero. Append as a whole is bounded by
	// its context and 5 s.
	Timeout time.Duration
	// Space is when writes are turned off and on again.
	Space Space
	// Scan is how the log is read through in the background.
	Scan Scan
	// Logger is silent if nil.
	Logger *slog.Logger

	// What tests turn: JetStream's own limit (none if zero), what the server is said
	// to suffer from, and what comes between a publish and the server.
	maxStore int64
	ailment  func() string
	between  func(ctx context.Context, m *nats.Msg, publish request) (*nats.Msg, error)
}

// A Journal is a log that is open. It may be used by many goroutines at once.
type Journal struct {
	config  Config
	log     *slog.Logger
	lock    *durable.Lock
	host    *host
	write   *nats.Conn // appends and questions
	lines   *lines     // over write
	read    *nats.Conn // what is followed, so that a long delivery delays no acknowledgement
	js      jetstream.JetStream
	created time.Time
	group   *group
	fresh   *handover // of LEDGER
	uses    *handover // of USED
	// What those who follow a Tail share.
	ledgerTail, usesTail *tail
	watch                *watch
	scan                 *scan
	gate                 gate
	acked                atomic.Uint64 // the highest position we have answered for

	ctx   context.Context // ends when Close is called
	end   context.CancelFunc
	tasks sync.WaitGroup // everything that runs besides the callers
	close func() error   // what Close does, once

	excuse   atomic.Pointer[func(stream string, p events.Position) bool]
	damages  atomic.Pointer[[]Damage]
	suspects *suspects
	reach    reach
	trims    sync.Mutex    // held while USED is trimmed
	trimmed  atomic.Uint64 // USED is, up to and including this position

	fault atomic.Pointer[RefusedError] // set when the log turned out not to be whole while it was open
}

var _ events.Log = (*Journal)(nil)

// Open starts the log in c.Dir, waits until it can be used and holds it to
// what it must be. It returns a *RefusedError if the log, or the directory, is not
// what it has to be; nothing is served then.
func Open(ctx context.Context, c Config) (*Journal, error) {
	c, err := c.filled()
	if err != nil {
		return nil, err
	}
	j := &Journal{config: c, log: c.Logger, fresh: newHandover(2048, 16<<10), uses: newHandover(64, 256<<10), suspects: suspectsOf(c.Dir)}
	j.reach.last = map[string]events.Position{}
	j.damages.Store(new([]Damage))
	if err := j.open(ctx); err != nil {
		return nil, errors.Join(err, j.stop())
	}
	j.ctx, j.end = context.WithCancel(context.Background())
	j.group = newGroup(j)
	j.ledgerTail, j.usesTail = newTail(j, streamLedger, j.fresh, false), newTail(j, streamUsed, j.uses, true)
	j.scan = newScan(j)
	j.close = sync.OnceValue(j.shut)
	if err := j.learnTrimmed(ctx); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	j.tasks.Go(j.watch.run)
	j.tasks.Go(j.scan.run)
	j.tasks.Go(j.scan.filesLoop)
	j.tasks.Go(j.keepEnds)
	return j, nil
}

func (c Config) filled() (Config, error) {
	if c.Dir == "" {
		return c, errors.New("journal: Config.Dir is missing")
	}
	if c.Profile == "" {
		c.Profile = Durable
	}
	if c.Profile != Durable && c.Profile != Relaxed {
		return c, fmt.Errorf("journal: unknown profile %q: want %q or %q", c.Profile, Durable, Relaxed)
	}
	if c.Timeout == 0 {
		c.Timeout = time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Space = c.Space.filled()
	c.Scan = c.Scan.filled()
	return c, nil
}

// open does everything that can be refused. What it has begun, stop ends.
func (j *Journal) open(ctx context.Context) error {
	var err error
	if j.lock, err = lockDir(j.config.Dir); err != nil {
		return err
	}
	if err := durable.RemoveLeftovers(j.config.Dir, "*"); err != nil {
		return err
	}
	j.watch = newWatch(j)
	if err := j.watch.begin(); err != nil {
		return err
	}
	if j.host, err = startHost(ctx, j.config, j.suspects); err != nil {
		return err
	}
	if err := j.lookAside(); err != nil {
		return err
	}
	if err := j.connect(); err != nil {
		return err
	}
	if err := j.makeStreams(ctx); err != nil {
		return err
	}
	j.host.stage()
	if j.created, err = j.guard(ctx, guarded{created: j.config.Created, stored: j.config.StoredPosition}); err != nil {
		return err
	}
	return j.beginEnds(ctx)
}

func (j *Journal) connect() error {
	var err error
	if j.write, err = j.host.connect("keyledger write"); err != nil {
		return fmt.Errorf("journal: connect: %w", err)
	}
	j.lines = &lines{nc: j.write}
	if j.read, err = j.host.connect("keyledger read"); err != nil {
		return fmt.Errorf("journal: connect: %w", err)
	}
	if j.js, err = jetstream.New(j.write); err != nil {
		return fmt.Errorf("journal: connect: %w", err)
	}
	return nil
}

// Excuse names the messages, by stream, that are lost or cannot be read and that an
// operator has let pass: they count as no damage.
func (j *Journal) Excuse(let func(stream string, p events.Position) bool) { j.excuse.Store(&let) }

func (j *Journal) excused(stream string, p events.Position) bool {
	let := j.excuse.Load()
	return let != nil && (*let)(stream, p)
}

// Created is when the LEDGER stream came to be. It is recorded at the first
// start and handed to every later one: a log made anew has another.
func (j *Journal) Created() time.Time { return j.created }

// Close ends every Follow, waits for the appends under way and for all that
// runs in the background, and stops the log. Appends that begin later are
// uncertain. To close it twice does nothing.
func (j *Journal) Close() error { return j.close() }

func (j *Journal) shut() error {
	j.end()
	j.group.close()
	j.tasks.Wait()
	j.gate.shut()
	j.endEnds()
	return j.stop()
}

// stop ends what open has begun, as far as it came.
func (j *Journal) stop() error {
	for _, nc := range []*nats.Conn{j.read, j.write} {
		if nc != nil {
			nc.Close()
		}
	}
	var err error
	if j.host != nil {
		j.host.stop()
		err = j.host.staging.end()
	}
	if j.lock != nil {
		err = errors.Join(err, j.lock.Release())
	}
	return err
}

// closed is closed when Close has been called.
func (j *Journal) closed() <-chan struct{} { return j.ctx.Done() }

var errClosed = errors.New("journal: the log is closed")
