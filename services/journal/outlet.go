package journal

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Bounds of an outlet, so that no reader of it is felt by the ledger.
const (
	outletReaders       = 32      // connections of those who have proved who they are
	outletConnections   = 4096    // of these and of strangers, who have outletProof for it
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
}

// An Outlet is a NATS server of its own through which other programs read LEDGER and
// USED, by JetStream's own protocol for reading messages directly. It holds no stream and no
// state, has no account but one and no connection to the log's server but the journal's: what
// it does not answer cannot be reached through it. What is sealed is left out.
type Outlet struct {
	journal *Journal
	options server.Options
	server  *server.Server
	door    *doorkeeper
	nc      *nats.Conn
	ctx     context.Context // ends when Close is called
	end     context.CancelFunc
	tasks   sync.WaitGroup

	account *server.Account // of all readers

	mu    sync.Mutex
	users []OutletUser
}

// OpenOutlet starts an outlet. Close it before the journal.
func (j *Journal) OpenOutlet(c OutletConfig) (*Outlet, error) {
	o := &Outlet{journal: j, users: c.Users}
	o.ctx, o.end = context.WithCancel(context.Background())
	if err := o.open(c); err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return o, nil
}

func (o *Outlet) open(c OutletConfig) error {
	if err := checkListen(c.Listen); err != nil {
		return err
	}
	var err error
	if o.account, err = outletAccount(); err != nil {
		return err
	}
	own := &server.User{Username: "keyledger", Password: rand.Text(), Account: o.account, AllowedConnectionTypes: connections("IN_PROCESS")}
	o.options = server.Options{
		ServerName: "keyledger-outlet", Host: "127.0.0.1", Port: server.RANDOM_PORT, ProxyProtocol: true, NoSigs: true, NoSystemAccount: true,
		MaxConn: outletConnections, MaxSubs: outletSubscriptions, MaxPending: outletPending, MaxPayload: outletPayload,
		MaxControlLine: 4096, WriteDeadline: outletWrite, PingInterval: 20 * time.Second,
		TLSConfig: c.TLS, TLSTimeout: 2 * outletProof, AuthTimeout: outletProof,
		Accounts: []*server.Account{o.account}, Users: []*server.User{own}, Nkeys: o.readers(c.Users),
	}
	if err := o.listen(); err != nil {
		return err
	}
	o.nc, err = nats.Connect("", nats.InProcessServer(o.server), nats.UserInfo(own.Username, own.Password), nats.Name("keyledger outlet"),
		nats.MaxReconnects(-1), nats.ReconnectBufSize(-1), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			o.journal.log.Debug("journal: the outlet", "error", err)
		}))
	if err != nil {
		return fmt.Errorf("journal: connect to the outlet: %w", err)
	}
	if err := o.answer(); err != nil {
		return err
	}
	o.door, err = newDoorkeeper(c.Listen, o.server.Addr().String(), outletPerAddress)
	return err
}

// outletAccount is the account of all readers, which bounds how many there are at once.
// Strangers are not in it until they have proved who they are, and so take no reader's place.
// The server takes the bound from its configuration language alone.
func outletAccount() (*server.Account, error) {
	var o server.Options
	own := 1 // the outlet's connection is of the account too
	text := fmt.Sprintf("accounts { READERS { limits { max_connections: %d } } }", outletReaders+own)
	if err := o.ProcessConfigString(text); err != nil || len(o.Accounts) != 1 {
		return nil, fmt.Errorf("journal: the account of the outlet's readers: %w", err)
	}
	return o.Accounts[0], nil
}

// listen starts the server and waits until it takes connections.
func (o *Outlet) listen() error {
	options := o.options
	s, err := server.NewServer(&options)
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

// SetUsers says who may read from now on. Whoever is not among them any more is cut off.
func (o *Outlet) SetUsers(users []OutletUser) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	next := o.options
	next.Nkeys = o.readers(users)
	if a, ok := o.server.Addr().(*net.TCPAddr); ok {
		next.Port = a.Port
	}
	if err := o.server.ReloadOptions(&next); err != nil {
		return fmt.Errorf("journal: change who may read: %w", err)
	}
	o.users = users
	return nil
}

// Close cuts everybody off. To close an outlet twice does nothing.
func (o *Outlet) Close() error {
	o.end()
	if o.door != nil {
		o.door.close()
	}
	if o.nc != nil {
		o.nc.Close()
	}
	o.tasks.Wait()
	if o.server != nil {
		o.server.Shutdown()
		o.server.WaitForShutdown()
	}
	return nil
}

// readers are users as the server takes them: each may ask for what the outlet
// answers, and hear the answers and what is new. Nothing else is allowed.
func (o *Outlet) readers(users []OutletUser) (out []*server.NkeyUser) {
	for _, u := range users {
		out = append(out, &server.NkeyUser{
			Nkey: u.Key, Account: o.account, AllowedConnectionTypes: connections("STANDARD"),
			Permissions: &server.Permissions{
				Publish:   &server.SubjectPermission{Allow: outletRequests()},
				Subscribe: &server.SubjectPermission{Allow: []string{u.InboxPrefix() + ".>", "ledger.>", "used.>"}},
			},
		})
	}
	return out
}

func connections(kind string) map[string]struct{} { return map[string]struct{}{kind: {}} }

// outletLog is what the outlet's server says. What it says of its clients is for those who
// look for it: anybody can make it say that.
type outletLog struct{ serverLog }

func (l outletLog) Warnf(format string, v ...any)  { l.Noticef(format, v...) }
func (l outletLog) Errorf(format string, v ...any) { l.Noticef(format, v...) }
