package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/keyledger/keyledger/events"
)

// noStoreLimit turns JetStream's own limit off: it counts bytes before
// compression, so it would refuse long before the disk is full. The watch over
// the free space takes its place.
const noStoreLimit = 1 << 60

// startPatience is how long a server may take to recover its streams.
const startPatience = 5 * time.Minute

// A host keeps a NATS server inside this process. Connections made through it
// outlive the server they began with: after a restart they find the next one.
type host struct {
	options  server.Options
	staging  *staging
	suspects *suspects
	staged   atomic.Bool // batches are gathered in memory
	logger   server.Logger
	log      *slog.Logger

	mu      sync.Mutex
	running *server.Server     // nil between stop and start
	epoch   context.Context    // ends when a connection has found another server
	turn    context.CancelFunc // ends epoch
}

func startHost(ctx context.Context, c Config, s *suspects) (*host, error) {
	h := &host{options: serverOptions(c), staging: newStaging(c.Dir), suspects: s, logger: serverLog{c.Logger}, log: c.Logger}
	h.epoch, h.turn = context.WithCancel(context.Background())
	if err := h.start(ctx, c.StoredPosition); err != nil {
		return nil, err
	}
	return h, nil
}

func serverOptions(c Config) server.Options {
	o := server.Options{
		ServerName:             "keyledger",
		DontListen:             true,
		NoSigs:                 true, // otherwise it traps SIGINT and ends the process by itself
		JetStream:              true,
		StoreDir:               c.Dir,
		JetStreamMaxStore:      noStoreLimit,
		JetStreamMaxMemory:     64 << 20, // nothing of ours is kept in memory
		DisableJetStreamBanner: true,
		SyncAlways:             c.Profile == Durable,
	}
	if c.maxStore > 0 {
		o.JetStreamMaxStore = c.maxStore
	}
	if c.Profile == Relaxed {
		o.SyncInterval = relaxedSync
	}
	return o
}

// start runs a new server on the directory and returns when it has recovered
// everything. The server's own goroutines end with stop. A block that is damaged, and
// a stream that it could not recover, which is kept from it, are named in a
// *RefusedError; but of the streams that the ledger can go on without a part of, what is damaged is set
// aside. known is the position that LEDGER is known to have reached.
func (h *host) start(ctx context.Context, known events.Position) error {
	files := keepOf(h.options.StoreDir)
	if _, err := files.putBack(); err != nil {
		return err
	}
	others, err := readEnds(h.options.StoreDir)
	if err != nil {
		return err
	}
	if err := files.checkStreams(known, others); err != nil {
		return err
	}
	if err := h.mendSuspects(files, others); err != nil {
		return err
	}
	for mended := []string(nil); ; {
		err := h.attempt(ctx, files, known, others.without(mended))
		var damage *damageError
		if !errors.As(err, &damage) || !areMendable(damage.streams) || slices.Contains(mended, damage.streams[0]) {
			return err
		}
		h.log.Error("journal: access records are damaged: what is damaged is set aside; every block is read, which may take a while", "streams", damage.streams, "error", err)
		places, mendErr := files.mendAll(damage.streams, others)
		if mendErr != nil {
			return errors.Join(err, mendErr)
		}
		if places == 0 && !damage.doubtful {
			return err
		}
		mended = append(mended, damage.streams...)
	}
}

// mendSuspects reads the streams of which something was found damaged while a server ran.
func (h *host) mendSuspects(files keep, known ends) error {
	names := h.suspects.take()
	if len(names) == 0 {
		return nil
	}
	if _, err := files.mendAll(names, known); err != nil {
		return err
	}
	return h.suspects.clear()
}

// attempt is start, but mends nothing.
func (h *host) attempt(ctx context.Context, files keep, known events.Position, others ends) error {
	if err := h.staging.clear(); err != nil {
		return fmt.Errorf("journal: start the log: %w", err)
	}
	if err := files.begin(); err != nil {
		return err
	}
	err := checkBlocks(files.streams, known)
	if err == nil {
		err = files.checkPresent(others)
	}
	if err != nil {
		_, backErr := files.putBack()
		return errors.Join(err, backErr)
	}
	o := h.options
	s, err := server.NewServer(&o)
	if err != nil {
		return fmt.Errorf("journal: start the log: %w", err)
	}
	s.SetLogger(h.logger, false, false) // before Start, or what recovery says is lost
	s.Start()
	err = ready(ctx, s)
	if err != nil || len(files.lost()) > 0 {
		s.Shutdown()
		s.WaitForShutdown()
	}
	lost, backErr := files.putBack()
	if len(lost) > 0 {
		err = lostStreams(lost)
	}
	if err = errors.Join(err, backErr); err != nil {
		return err
	}
	h.mu.Lock()
	h.running = s
	h.mu.Unlock()
	return nil
}

// stage has the server gather batches in memory from now on. Without that they only
// take longer.
func (h *host) stage() {
	if err := h.staging.lay(); err != nil {
		h.log.Warn("journal: batches are gathered on disk, which is slower", "error", err)
	}
	h.staged.Store(h.staging.laid())
}

// ready waits until s has recovered its streams and says so. By the time it
// takes connections it has recovered what it can: if it is sick then, it stays so.
func ready(ctx context.Context, s *server.Server) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for !s.ReadyForConnections(10 * time.Millisecond) {
		if ctx.Err() != nil {
			return fmt.Errorf("journal: the log did not become ready: %w", ctx.Err())
		}
	}
	for wait := time.Millisecond; sick(s) != ""; wait *= 2 {
		if wait > time.Second || !pause(ctx, wait) {
			return refused(GuardContent, "the server cannot use what it has recovered: %s", sick(s))
		}
	}
	return nil
}

// sick is what the server says is wrong with it; empty if nothing is.
func sick(s *server.Server) string {
	status := s.Healthz(nil)
	if status.Status == "ok" {
		return ""
	}
	return status.Status + ": " + status.Error
}

// stop ends the server and waits for it.
func (h *host) stop() {
	h.mu.Lock()
	s := h.running
	h.running = nil
	h.mu.Unlock()
	h.newEpoch()
	if s != nil {
		s.Shutdown()
		s.WaitForShutdown()
	}
}

// sick is what the running server says is wrong with it.
func (h *host) sick() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running == nil {
		return "it is stopped"
	}
	return sick(h.running)
}

// durability is the server's effective setting, not the one we asked for.
func (h *host) durability() (always bool, interval time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running == nil {
		return false, 0
	}
	c := h.running.JetStreamConfig()
	return c.SyncAlways, c.SyncInterval
}

// InProcessConn is what a connection dials, now and whenever it reconnects.
func (h *host) InProcessConn() (net.Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running == nil {
		return nil, errors.New("journal: the log is being restarted")
	}
	return h.running.InProcessConn()
}

// connect makes a connection that never gives up and buffers nothing while it
// is down: what is published then fails at once and is known not to be sent.
func (h *host) connect(name string) (*nats.Conn, error) {
	return nats.Connect("", nats.InProcessServer(h), nats.Name(name),
		nats.MaxReconnects(-1), nats.ReconnectBufSize(-1),
		nats.CustomReconnectDelay(func(int) time.Duration { return 10 * time.Millisecond }),
		nats.ReconnectHandler(func(*nats.Conn) { h.newEpoch() }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			h.log.Debug("journal: a connection to the log", "name", name, "error", err)
		}),
	)
}

// newEpoch tells everybody who relies on what a server keeps in memory that it
// may be gone.
func (h *host) newEpoch() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.turn()
	h.epoch, h.turn = context.WithCancel(context.Background())
}

// bounded is ctx for one question to the server: it ends in time, and when the
// server that was asked may be gone.
func (h *host) bounded(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, d)
	stop := context.AfterFunc(h.thisEpoch(), cancel)
	return ctx, func() { stop(); cancel() }
}

// thisEpoch ends when what the server keeps in memory may be gone.
func (h *host) thisEpoch() context.Context {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.epoch
}
