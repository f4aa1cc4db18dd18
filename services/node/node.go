// Package node is a running ledger as a value: it puts the log, the
// projections, the vault and the HTTP face together, starts them in the order in which
// they need each other, and stops them in the reverse.
//
// The way in is [Start]. [Recover] and [Doctor] work on the data of a ledger that is
// not running.
//
// The limits: it decides nothing but whether what it finds is whole. What is
// not whole is refused by a named guard and left as it is.
package node

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/services/api"
	"github.com/keyledger/keyledger/services/clientip"
	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/durable"
	"github.com/keyledger/keyledger/services/extauthz"
	"github.com/keyledger/keyledger/services/feed"
	"github.com/keyledger/keyledger/services/identity"
	"github.com/keyledger/keyledger/services/journal"
	"github.com/keyledger/keyledger/services/ledger"
	"github.com/keyledger/keyledger/services/metrics"
	"github.com/keyledger/keyledger/services/timekeeper"
	"github.com/keyledger/keyledger/services/trace"
	"github.com/keyledger/keyledger/services/usage"
	"github.com/keyledger/keyledger/services/vault"
	"github.com/keyledger/keyledger/services/verify"
	"github.com/keyledger/keyledger/services/view"
)

// A Node is a running ledger.
type Node struct {
	config   Config
	in       installation
	listener net.Listener
	envoys   net.Listener // nil if Envoy is not served
	proxies  clientip.Proxies
	lock     *durable.Lock
	vault    *vault.Vault
	journal  *journal.Journal
	store    *projections.Store
	runner   *projections.Runner
	views    *view.Views
	ledger   *ledger.Ledger
	uses     *usage.Recorder
	feed     *feed.Feed
	outlet   *journal.Outlet // nil unless the log can be read over NATS
	metrics  *metrics.Metrics
	tracer   *trace.Tracer // nil if traces are off
	guard    *timekeeper.Guard
	secrets  secretsCheck
	fresh    *freshness
	http     *http.Server
	extAuthz *extauthz.Server
	first    string // path of the credentials file, if this was the first start

	rebuilds rebuilds
	records  records
	files    openFiles
	memory   memory

	logRecords func(projections.Health)
	mark       nonceMark                       // belongs to keepNonces while the node runs
	verifier   atomic.Pointer[verify.Verifier] // nil until the doors open

	working context.Context    // of what runs besides the callers
	stop    context.CancelFunc // ends it
	tasks   sync.WaitGroup
	done    chan struct{}
	once    sync.Once
	err     error // why it stopped by itself; read after done

	closing sync.Once
	closed  error // what came of Close
}

// Start starts a ledger and returns when it serves. The first start makes the
// installation. A *RefusedError or a *journal.RefusedError says that what was
// found is not whole, and nothing was changed.
func Start(ctx context.Context, c Config) (*Node, error) {
	n := &Node{config: c.filled(), done: make(chan struct{})}
	if err := checkOutlet(n.config); err != nil {
		return nil, err
	}
	n.metrics = metrics.New(c.Version, n.metricsState)
	n.metrics.Begin(knownBeforehand(n.config))
	var err error
	if c.OTLP != "" {
		if n.tracer, err = trace.New(ctx, c.OTLP, c.Version, n.config.Logger); err != nil {
			return nil, err
		}
	}
	if err = n.listen(); err == nil {
		err = n.open(ctx, true)
	}
	if err == nil {
		err = n.serve(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// open opens everything but the doors. mayBegin allows a first start.
func (n *Node) open(ctx context.Context, mayBegin bool) error {
	if err := vault.HardenProcess(); err != nil {
		n.config.Logger.Warn("the process could not be kept out of core dumps", "error", err)
	}
	var err error
	if n.files, err = allowedFiles(); err != nil {
		return err
	}
	n.memory = allowedMemory()
	if err := n.openData(mayBegin); err != nil {
		return err
	}
	if err := n.checkSpace(); err != nil {
		return err
	}
	if err := n.openLog(ctx); err != nil {
		return err
	}
	var tasks context.Context
	tasks, n.stop = context.WithCancel(context.WithoutCancel(ctx))
	defer context.AfterFunc(ctx, n.stop)() // whoever gives up a start does not wait for room on a disk
	if err := n.openProjections(ctx, tasks); err != nil {
		return err
	}
	if err := n.openRecords(tasks); err != nil {
		return err
	}
	return n.openLedger()
}

// openData locks the data directory and holds it and the unlock key to each
// other. Where no lock has ever been it looks before it leaves one, so that a
// refusal leaves no directory behind.
func (n *Node) openData(mayBegin bool) error {
	c := n.config
	if _, err := os.Lstat(filepath.Join(c.Data, lockFile)); isMissing(err) {
		if _, _, _, err := look(c, mayBegin); err != nil {
			return err
		}
	}
	lock, err := durable.LockDir(c.Data)
	if err != nil {
		return refuse(GuardDirectory, err, "the data directory cannot be used")
	}
	n.lock = lock
	in, found, unlock, err := look(c, mayBegin)
	if err != nil {
		return err
	}
	if err := durable.RemoveLeftovers(c.Data, "*"); err != nil {
		return refuse(GuardDirectory, err, "the data directory cannot be used")
	}
	if !found {
		if in, err = begin(c); err != nil {
			return err
		}
	}
	n.in = in
	n.vault, err = openVault(c, in, unlock)
	step("epoch key")
	return err
}

// look says what is in the data directory and which unlock key opens it. It
// changes nothing.
func look(c Config, mayBegin bool) (in installation, found bool, unlock *vault.UnlockKey, err error) {
	if in, found, err = readInstallation(c.Data); err != nil {
		return in, found, nil, err
	}
	if unlock, err = checkUnlock(c, in, found); err != nil {
		return in, found, nil, err
	}
	if (!found || in.State != ready) && !mayBegin {
		return in, found, nil, refuse(GuardNotFirst, nil, "there is no ledger in %s yet: start it once with serve", c.Data)
	}
	if !found {
		err = credentialsFree(c)
	}
	return in, found, unlock, err
}

// openLog opens the log and holds it to what it was. The one that a first
// start makes is written down as ours before anything else rests on it.
func (n *Node) openLog(ctx context.Context) error {
	dir := filepath.Join(n.config.Data, logFolder)
	unmade := n.in.State == starting && n.in.LedgerCreated.IsZero()
	if unmade {
		if err := removeUnmade(dir); err != nil {
			return err
		}
	}
	if _, err := os.Stat(dir); !unmade && isMissing(err) {
		return &journal.RefusedError{Guard: journal.GuardMissing, Detail: "there is no log in " + dir + ": restore the data directory as a whole from a backup"}
	}
	known, err := reached(n.config.Data)
	if err != nil {
		return err
	}
	n.journal, err = journal.Open(ctx, journal.Config{
		Dir: dir, Profile: journal.Profile(n.config.Profile), Create: unmade, Created: n.in.LedgerCreated, StoredPosition: known,
		Space: n.space(), Logger: n.config.Logger,
	})
	if err != nil || !unmade {
		return err
	}
	step("log")
	n.in.LedgerCreated = n.journal.Created()
	err = n.in.write(n.config.Data)
	step("log recorded")
	return err
}

// identity names the log for the projections: another log has another.
func (n *Node) identity() string {
	return string(n.in.ID) + " " + n.journal.Created().UTC().Format(time.RFC3339Nano)
}

// openProjections opens the store, holds the log to how far the store knows
// that it reached, and lets the projections catch up.
func (n *Node) openProjections(ctx, tasks context.Context) error {
	o := n.memory.keys
	o.Full, o.Files = func() { n.awaitSpace(tasks) }, n.files.store
	var err error
	if n.store, err = view.OpenStore(n.config.Data+"/"+projectionFolder, n.config.Logger, o); err != nil {
		return n.notFollowing(err)
	}
	n.runner, err = projections.NewRunner(ctx, projections.Config{
		Store: n.store, Source: n.journal, Identity: n.identity(), Parts: view.Parts(), Applied: n.forget,
	})
	if err != nil {
		return n.notFollowing(err)
	}
	n.journal.Excuse(n.excused)
	n.tasks.Go(func() {
		if err := n.runner.Run(tasks); err != nil && tasks.Err() == nil {
			n.config.Logger.Error("the projections have stopped", "error", err)
			n.fail(err)
		}
	})
	n.views = view.New(n.store, n.runner)
	last, err := n.journal.Last(ctx)
	if err != nil {
		return err
	}
	var degraded *projections.DegradedError
	if err := n.runner.Wait(ctx, last); err != nil && !errors.As(err, &degraded) {
		return err
	}
	n.shortenReplay(ctx, flushPatience)
	return nil
}

// notFollowing tells projections that are of another log from some that cannot be
// read.
func (n *Node) notFollowing(err error) error {
	var identity *projections.IdentityError
	var ahead *projections.AheadError
	if errors.As(err, &identity) || errors.As(err, &ahead) {
		return refuse(GuardProjections, err, "the projections do not belong to this log")
	}
	return refuse(GuardStore, err, "the projections cannot be read: remove %s, and they are built anew from the log", filepath.Join(n.config.Data, projectionFolder))
}

func (n *Node) openLedger() error {
	var err error
	n.ledger, err = ledger.New(ledger.Config{
		Log: n.measured(), View: n.views.Now, Wait: n.runner.Wait, Vault: n.vault, LastUsed: n.lastUsed,
		Draw: identity.Source{Rand: n.config.Rand, Now: n.config.Now}, Now: n.config.Now,
	})
	return err
}

// serve finishes a first start, starts what runs besides the callers, and
// opens the doors.
func (n *Node) serve(ctx context.Context) error {
	if n.in.State == starting {
		if err := n.finish(ctx, n.in); err != nil {
			return err
		}
	}
	n.guard = n.newGuard()
	n.fresh = newFreshness(n.journal.Last, n.runner.Wait)
	n.fresh.ask(ctx)
	tasks, stop := context.WithCancel(context.WithoutCancel(ctx))
	n.working = tasks
	before := n.stop
	n.stop = func() { stop(); before() }
	n.tasks.Go(func() { n.fresh.run(tasks) })
	n.tasks.Go(func() { n.timekeeper().Run(tasks) })
	n.tasks.Go(func() { n.checkSecrets(tasks) })
	n.tasks.Go(func() { n.watchReached(tasks) })
	n.tasks.Go(func() { n.keepReplayShort(tasks) })
	n.tasks.Go(func() { n.followRecords(tasks) })
	if err := n.openOutlet(tasks); err != nil {
		return err
	}
	return n.openDoors()
}

func (n *Node) openDoors() error {
	verifier, err := verify.New(verify.Config{
		Applied: n.views.Applied, Lookup: n.views.VerifyKey, Fresh: n.fresh.check, Vault: n.vault, Schemes: dialect.Schemes(n.config.Dialects), Now: n.config.Now,
		Lockouts: dialect.Lockouts(n.config.Dialects), Observe: n.observeVerdict,
	})
	if err != nil {
		return err
	}
	n.verifier.Store(verifier)
	if err := n.beginNonces(verifier); err != nil {
		return refuse(GuardDirectory, err, "what is known of nonces cannot be written down")
	}
	n.tasks.Go(func() { n.keepNonces(n.working) })
	n.uses = usage.New(usage.Config{
		Log: measuredUses{n.journal, n.observeAppend}, Draw: identity.Source{Rand: n.config.Rand, Now: n.config.Now}, Now: n.config.Now,
		Admit: n.journal.Admit, Async: n.config.AsyncUses, Logger: n.config.Logger,
	})
	tail := journal.Tail{Journal: n.journal}
	n.feed = feed.New(feed.Config{
		Ledger: tail, Uses: tail, LedgerAt: n.views.PositionAt, Excused: n.runner.Excused, ExcusedUse: n.passed, Now: n.config.Now, Ended: n.metrics.ReaderEnd,
	})
	c := api.Config{
		Ledger: n.ledger, Queries: n.views, Verifier: verifier, Uses: n.uses, Records: &n.records, Feed: n.feed, Dialects: n.config.Dialects, Operator: (*operator)(n),
		Proxies: n.proxies, Draw: identity.Source{Rand: n.config.Rand, Now: n.config.Now}, Now: n.config.Now,
		Logger: n.config.Logger, Version: n.config.Version, Observe: n.observeRequest, Decided: n.observeAnswer, Metrics: n.metrics.Handler(),
	}
	n.serveHTTP(api.New(c))
	n.serveEnvoy(c)
	return nil
}

func (n *Node) serveHTTP(handler http.Handler) {
	n.http = &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 60 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(n.config.Logger.Handler(), slog.LevelWarn),
	}
	n.tasks.Go(func() {
		if err := n.http.Serve(n.listener); !errors.Is(err, http.ErrServerClosed) {
			n.fail(err)
		}
	})
}

// serveEnvoy opens Envoy's door, if there is to be one.
func (n *Node) serveEnvoy(c api.Config) {
	if n.envoys == nil {
		return
	}
	n.extAuthz = extauthz.New(extauthz.Config{Forward: api.NewForwardAuth(c), Proxies: c.Proxies, Draw: c.Draw, Logger: c.Logger, Observe: n.observeExtAuthz})
	n.tasks.Go(func() {
		if err := n.extAuthz.Serve(n.envoys); err != nil {
			n.fail(err)
		}
	})
}

// forget has the verifier drop what it keeps of the keys that records are about.
// A policy of an account binds all its keys.
func (n *Node) forget(records iter.Seq[*events.Record]) {
	v := n.verifier.Load()
	if v == nil {
		return
	}
	if records == nil {
		v.ForgetAll()
		return
	}
	for r := range records {
		for _, e := range r.Events {
			switch e.Event.(type) {
			case events.PolicyChanged, events.AccountNetworkPolicySet:
				v.ForgetAll()
			default: // about one key, or about none
			}
			v.Forget(events.AccessKeyID(e.Event.About()))
		}
		if n.metrics != nil {
			n.observeRevocations(r)
		}
	}
}

// fail makes the node stop by itself.
func (n *Node) fail(err error) {
	n.once.Do(func() {
		n.err = err
		close(n.done)
	})
}

// URL is where the node is reached from its own machine.
func (n *Node) URL() string { return n.config.url(n.listener.Addr().String()) }

// ExtAuthz is the "host:port" where Envoy asks; empty if it is not served.
func (n *Node) ExtAuthz() string {
	if n.envoys == nil {
		return ""
	}
	return n.envoys.Addr().String()
}

// FirstCredentials is the path of the credentials file, if this was the first
// start.
func (n *Node) FirstCredentials() string { return n.first }

// Done is closed when the node has stopped by itself.
func (n *Node) Done() <-chan struct{} { return n.done }

// Err is why the node stopped by itself; read it after Done.
func (n *Node) Err() error {
	<-n.done
	return n.err
}

// shutdownPatience is how long requests under way have to come to their end.
var shutdownPatience = 15 * time.Second // tests have less

// Close stops taking requests, lets those under way come to their end, and
// closes everything in the reverse order of Start. To close a node twice does nothing.
func (n *Node) Close() error {
	n.closing.Do(func() { n.closed = n.shut() })
	return n.closed
}

func (n *Node) shut() error {
	if n.feed != nil {
		n.feed.Close() // or its readers would hold up the stop
	}
	errs := n.closeDoors()
	recorded := false
	if n.uses != nil {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownPatience)
		defer cancel()
		err := n.uses.Close(ctx)
		left := n.uses.Stats()
		recorded = err == nil && left.Waiting == 0 && left.Uncertain+left.Failed == 0
		errs = append(errs, err)
	}
	if n.stop != nil {
		n.stop()
	}
	n.tasks.Wait()
	if n.mark.Async && recorded {
		errs = append(errs, n.endNonces())
	}
	if n.outlet != nil {
		errs = append(errs, n.outlet.Close())
	}
	if n.journal != nil {
		errs = append(errs, n.closeLog())
	}
	if n.records.store != nil {
		errs = append(errs, n.records.store.Close())
	}
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	if n.tracer != nil {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownPatience)
		defer cancel()
		if err := n.tracer.Close(ctx); err != nil { // nobody is there to take them
			n.config.Logger.Warn("spans were not delivered", "error", err)
		}
	}
	if n.lock != nil {
		errs = append(errs, n.lock.Release())
	}
	return errors.Join(errs...)
}

// closeDoors returns when nobody is served any more.
func (n *Node) closeDoors() (errs []error) {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownPatience)
	defer cancel()
	var envoys sync.WaitGroup
	defer envoys.Wait()
	if n.extAuthz != nil {
		envoys.Go(func() { n.extAuthz.Shutdown(ctx) })
	} else if n.envoys != nil {
		errs = append(errs, n.envoys.Close())
	}
	if n.http != nil {
		if n.http.Shutdown(ctx) != nil { // somebody has not sent his request to its end
			errs = append(errs, n.http.Close())
		}
	} else if n.listener != nil {
		errs = append(errs, n.listener.Close())
	}
	return errs
}

// closeLog closes the log and writes down how far it went.
func (n *Node) closeLog() error {
	err := n.journal.Close()
	if err != nil || n.views == nil || n.views.Applied() == 0 {
		return err
	}
	return n.rememberReached(n.views.Applied())
}

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

func isNone(err error) bool { return errors.Is(err, events.ErrNone) }
