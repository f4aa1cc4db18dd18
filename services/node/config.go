package node

import (
	"crypto/rand"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"golang.org/x/net/netutil"

	"github.com/keyledger/keyledger/services/clientip"
	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/builtin"
	"github.com/keyledger/keyledger/services/journal"
)

// Config says where a node keeps its data and how it is reached.
type Config struct {
	Data            string   // directory; made if missing
	Listen          string   // "host:port"; port 0 takes any
	ExtAuthzListen  string   // "host:port" where Envoy asks; nowhere if empty
	TrustedProxies  []string // networks of proxies that are believed about whom they ask for; nobody if empty
	TLSCert, TLSKey string   // PEM files, read again when they change; both or neither
	InsecureHTTP    bool     // allow plain listeners beyond loopback
	UnlockKey       string   // file outside Data; <Data>-unlock.key if empty
	Profile         string   // "durable" (if empty) or "relaxed"
	InitCredentials string   // where a first start leaves the operator's key; <Data>-credentials.json if empty
	AsyncUses       bool     // answer before the access record is on disk
	OTLP            string   // endpoint that spans are sent to; none if empty
	NATSListen      string   // "host:port" at which the log can be read over NATS; empty: nowhere
	NATSUsers       string   // file of who may; <Data>-nats-users if empty
	Version         string
	Logger          *slog.Logger     // silent if nil
	Now             func() time.Time // time.Now if nil
	Rand            io.Reader        // crypto/rand.Reader if nil
	// Dialects are what is spoken; builtin.All() if nil.
	Dialects []dialect.Dialect
	// Schedule is how often what is due is done; 1 s if zero.
	Schedule time.Duration
	// Space overrides when writes are turned off; if Off and Statfs are zero, what suits the disk.
	Space journal.Space
}

func (c Config) filled() Config {
	c.Data = filepath.Clean(c.Data)
	if c.UnlockKey == "" {
		c.UnlockKey = c.Data + "-unlock.key"
	}
	if c.InitCredentials == "" {
		c.InitCredentials = c.Data + "-credentials.json"
	}
	if c.NATSUsers == "" {
		c.NATSUsers = c.Data + "-nats-users"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Dialects == nil {
		c.Dialects = builtin.All()
	}
	if c.Schedule == 0 {
		c.Schedule = time.Second
	}
	return c
}

// url is where whoever listens at an address is reached from the same machine:
// one that listens on every interface has no address to be called by, and which of
// its names others know it by, nobody has told us.
func (c Config) url(address string) string {
	scheme, name := "http://", "127.0.0.1"
	if c.TLSCert != "" {
		scheme, name = "https://", "localhost"
	}
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		address = net.JoinHostPort(name, port)
	}
	return scheme + address
}

// listen takes the addresses before anything is made, so that a refusal leaves
// nothing behind.
func (n *Node) listen() error {
	var err error
	if n.files, err = allowedFiles(); err != nil {
		return err
	}
	if n.proxies, err = clientip.Parse(n.config.TrustedProxies); err != nil {
		return refuse(GuardListen, nil, "--trusted-proxies: %v", err)
	}
	if n.listener, err = listen(n.config, n.config.Listen, n.files.http); err != nil {
		return err
	}
	if n.config.ExtAuthzListen != "" {
		n.envoys, err = listen(n.config, n.config.ExtAuthzListen, n.files.envoy)
	}
	return err
}

// listen takes an address, behind TLS if there is a certificate, and so many connections at once.
func listen(c Config, address string, connections int) (net.Listener, error) {
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return nil, refuse(GuardListen, nil, "--tls-cert and --tls-key go together")
	}
	if err := notInTheClear(c, address); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, refuse(GuardListen, err, "the address %s cannot be listened on", address)
	}
	l = netutil.LimitListener(l, connections)
	if c.TLSCert == "" {
		return l, nil
	}
	pair, err := newCertificate(c.TLSCert, c.TLSKey, c.Logger)
	if err != nil {
		l.Close()
		return nil, refuse(GuardListen, err, "the certificate cannot be used")
	}
	return tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: pair.get, NextProtos: []string{"h2", "http/1.1"}}), nil
}

// notInTheClear refuses an address that other machines can reach without
// encryption, unless somebody wants just that.
func notInTheClear(c Config, address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return refuse(GuardListen, err, "the address %q is not host:port", address)
	}
	if c.TLSCert == "" && !c.InsecureHTTP && !loopback(host) {
		return refuse(GuardListen, nil, "%s is reachable from other machines and would be in the clear: give --tls-cert and --tls-key, or --insecure-http if something in front of it encrypts", address)
	}
	return nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
