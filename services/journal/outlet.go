package journal

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Bounds of an outlet, so that no reader of it is felt by the ledger.
const (
	outletPerProgram    = 8       // connections of one program that has proved who it is: a few instances, and the old ones while new ones start
	outletConnections   = 4096    // of all programs and of strangers, who have outletProof for it
	outletPerAddress    = 256     // of these from one address
	outletProof         = 1       // seconds
	outletSubscriptions = 32      // of a connection
	outletPending       = 8 << 20 // bytes on their way to a connection; one that is slower is cut
	outletPayload       = 2 << 20 // bytes of a message; LEDGER and USED have none that is larger
	outletWrite         = 5 * time.Second
)

// An OutletConfig says where an outlet listens.
type OutletConfig struct {
	Listen string       // host:port; port 0 takes any
	TLS    *tls.Config  // nil: in the clear
	Users  []OutletUser // who may read
	// Connections is how many there are at once, each of which takes three open files; 4096 if zero.
	Connections int
}

// An Outlet is a NATS server of its own through which other programs read LEDGER and
// USED, by JetStream's own protocol for reading messages directly. It holds no stream and no
// state, and has no connection to the log's server but the journal's: what it does not answer
// cannot be reached through it. Each program has an account of its own, which has nothing in
// common with any other. What is sealed is left out.
type Outlet struct {
	journal *Journal
	options server.Options // but for who may read
	server  *server.Server
	door    *doorkeeper
	ctx     context.Context // ends when Close is called
	end     context.CancelFunc
	tasks   sync.WaitGroup
	turns   chan struct{} // holds one for each request that is being answered

	changing sync.Mutex // held by SetUsers and Close
	mu       sync.Mutex
	readers  map[string]*reader // by public key
}

// OpenOutlet starts an outlet. Close it before the journal.
func (j *Journal) OpenOutlet(c OutletConfig) (*Outlet, error) {
	o := &Outlet{journal: j, turns: make(chan struct{}, relayWorkers), readers: map[string]*reader{}}
	o.ctx, o.end = context.WithCancel(context.Background())
	if err := o.open(c); err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return o, nil
}

// open lets nobody in before everybody who may read would be answered.
func (o *Outlet) open(c OutletConfig) (err error) {
	if err := checkListen(c.Listen); err != nil {
		return err
	}
	if o.door, err = newDoorkeeper(c.Listen, cmp.Or(c.Connections, outletConnections), outletPerAddress); err != nil {
		return err
	}
	o.options = server.Options{
		ServerName: "keyledger-outlet", Host: "127.0.0.1", Port: server.RANDOM_PORT, ClientAdvertise: o.Addr(), ProxyProtocol: true, NoSigs: true, NoSystemAccount: true,
		MaxConn: outletConnections, MaxSubs: outletSubscriptions, MaxPending: outletPending, MaxPayload: outletPayload,
		MaxControlLine: 4096, WriteDeadline: outletWrite, PingInterval: 20 * time.Second,
		TLSConfig: c.TLS, TLSTimeout: 2 * outletProof, AuthTimeout: outletProof,
	}
	if err := o.listen(); err != nil {
		return err
	}
	if err := o.SetUsers(c.Users); err != nil {
		return err
	}
	if err := o.follow(); err != nil {
		return err
	}
	o.door.open(o.server.Addr().String())
	return nil
}

// listen starts the server and waits until it takes connections.
func (o *Outlet) listen() error {
	options, err := o.admitting(nil, nil)
	if err != nil {
		return err
	}
	s, err := server.NewServer(options)
	if err != nil {
		return fmt.Errorf("journal: start the outlet: %w", err)
	}
	s.SetLogger(outletLog{serverLog{o.journal.log}}, false, false)
	o.server = s
	s.Start()
	if !s.ReadyForConnections(5 * time.Second) {
		return fmt.Errorf("journal: the outlet cannot listen on %s", net.JoinHostPort(options.Host, strconv.Itoa(options.Port)))
	}
	return nil
}

// checkListen refuses what is no host and port.
func checkListen(address string) error {
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if port, err := strconv.Atoi(text); err != nil || port < 0 || port > 65535 {
		return fmt.Errorf("journal: %q is no port", text)
	}
	return nil
}

// Addr is the address that the outlet listens on.
func (o *Outlet) Addr() string { return o.door.listener.Addr().String() }

// SetUsers says who may read from now on. Whoever is not among them any more is cut off,
// also if it fails otherwise; when it returns without an error, all the others are answered.
func (o *Outlet) SetUsers(users []OutletUser) error {
	o.changing.Lock()
	defer o.changing.Unlock()
	if o.ctx.Err() != nil {
		return errors.New("journal: the outlet is closed")
	}
	kept, added := o.sort(users)
	if err := o.admit(slices.Concat(kept, added), kept); err != nil {
		return err
	}
	o.keep(kept)
	if len(added) == 0 {
		return nil
	}
	all, err := slices.Concat(kept, added), error(nil)
	for _, r := range added {
		err = errors.Join(err, r.open()) // before its program may come, so that it has a place among the connections of the account
	}
	if err == nil {
		err = o.admit(all, all)
	}
	if err != nil {
		for _, r := range added {
			r.close()
		}
		return err
	}
	o.keep(all)
	return nil
}

// sort tells those who may read already from those who may from now on.
func (o *Outlet) sort(users []OutletUser) (kept, added []*reader) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, u := range users {
		if r := o.readers[u.Key]; r != nil {
			kept = append(kept, r)
			continue
		}
		added = append(added, o.newReader(u))
	}
	return kept, added
}

// keep makes these the readers, and ends what was done for any other.
func (o *Outlet) keep(readers []*reader) {
	next := map[string]*reader{}
	for _, r := range readers {
		next[r.user.Key] = r
	}
	o.mu.Lock()
	before := o.readers
	o.readers = next
	o.mu.Unlock()
	for key, r := range before {
		if next[key] == nil {
			r.close()
		}
	}
}

// Close cuts everybody off. To close an outlet twice does nothing.
func (o *Outlet) Close() error {
	o.changing.Lock()
	defer o.changing.Unlock()
	o.end()
	if o.door != nil {
		o.door.close()
	}
	o.keep(nil)
	o.tasks.Wait()
	if o.server != nil {
		o.server.Shutdown()
		o.server.WaitForShutdown()
	}
	return nil
}

// outletLog is what the outlet's server says. What it says of its clients is for those who
// look for it: anybody can make it say that.
type outletLog struct{ serverLog }

func (l outletLog) Warnf(format string, v ...any)  { l.Noticef(format, v...) }
func (l outletLog) Errorf(format string, v ...any) { l.Noticef(format, v...) }
