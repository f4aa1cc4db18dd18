package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/keyledger/keyledger/services/clientip"
	"github.com/keyledger/keyledger/services/journal"
	"github.com/keyledger/keyledger/services/node"
	"github.com/keyledger/keyledger/services/trace"
)

// dataFlags say where a server keeps what it knows.
type dataFlags struct {
	Data      string `default:"keyledger-data" placeholder:"DIR" help:"The data directory (${default} if left out)."`
	UnlockKey string `name:"unlock-key" placeholder:"FILE" help:"The file that opens the secrets, outside the data directory; <data>-unlock.key if left out."`
	Profile   string `enum:"durable,relaxed" default:"durable" placeholder:"PROFILE" help:"durable (if left out): what is acknowledged is on disk; relaxed: the last moment may be lost in a power cut."`
}

// listenFlags say how a server is reached.
type listenFlags struct {
	Listen         string   `default:"127.0.0.1:7420" placeholder:"ADDR" help:"host:port to listen on; port 0 takes any (${default} if left out)."`
	ExtAuthzListen string   `name:"ext-authz-listen" placeholder:"ADDR" help:"host:port where Envoy asks (ext_authz, gRPC), with the same certificate; nowhere if left out."`
	TrustedProxies []string `name:"trusted-proxies" placeholder:"CIDR" help:"Networks of proxies whose X-Forwarded-For is believed; none if left out."`
	TLSCert        string   `name:"tls-cert" placeholder:"FILE" help:"PEM file of the certificate; read again when it changes."`
	TLSKey         string   `name:"tls-key" placeholder:"FILE" help:"PEM file of the certificate's key."`
	InsecureHTTP   bool     `name:"insecure-http" help:"Allow other machines to be served unencrypted, when something in front encrypts."`
	NATSListen     string   `name:"nats-listen" placeholder:"ADDR" help:"host:port at which programs read LEDGER and USED over NATS; nowhere if left out."`
	NATSUsers      string   `name:"nats-users" placeholder:"FILE" help:"Who may read over NATS, as nats user create writes it; <data>-nats-users if left out."`
}

// Validate is kong's hook. It finds what no machine could make right; a start finds the rest.
func (l listenFlags) Validate() error {
	for flag, address := range map[string]string{"--listen": l.Listen, "--ext-authz-listen": l.ExtAuthzListen, "--nats-listen": l.NATSListen} {
		if address == "" {
			continue
		}
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return fmt.Errorf("%s: %q is not host:port, such as 127.0.0.1:7420", flag, address)
		}
		if _, err := net.LookupPort("tcp", port); err != nil {
			return fmt.Errorf("%s: %q has no port from 0 to 65535 behind the colon", flag, address)
		}
	}
	if (l.TLSCert == "") != (l.TLSKey == "") {
		return errors.New("--tls-cert and --tls-key go together: give both, or neither")
	}
	if _, err := clientip.Parse(l.TrustedProxies); err != nil {
		return fmt.Errorf("--trusted-proxies: %w", err)
	}
	if l.NATSUsers != "" && l.NATSListen == "" {
		return errors.New("--nats-users says who may read over NATS, and nobody can without --nats-listen: give both, or neither")
	}
	return nil
}

type serveCommand struct {
	dataFlags
	listenFlags
	AsyncUses       bool   `name:"async-uses" help:"Answer a verification before its access record is on disk: faster, and a crash loses those that wait (metric keyledger_uses_waiting)."`
	OTLPEndpoint    string `name:"otlp-endpoint" placeholder:"URL" help:"Send OpenTelemetry spans there by OTLP over HTTP, such as http://localhost:4318. None are sent if it is left out."`
	InitCredentials string `name:"init-credentials" placeholder:"FILE" help:"Where the first start leaves the operator's root key; <data>-credentials.json if left out."`
}

// Validate is kong's hook.
func (s serveCommand) Validate() error {
	if err := trace.Endpoint(s.OTLPEndpoint); s.OTLPEndpoint != "" && err != nil {
		return fmt.Errorf("--otlp-endpoint: %w", err)
	}
	return s.listenFlags.Validate()
}

func (f dataFlags) config(l listenFlags, t *terminal) node.Config {
	return node.Config{
		Data: f.Data, UnlockKey: f.UnlockKey, Profile: f.Profile,
		Listen: l.Listen, ExtAuthzListen: l.ExtAuthzListen, TrustedProxies: l.TrustedProxies, TLSCert: l.TLSCert, TLSKey: l.TLSKey, InsecureHTTP: l.InsecureHTTP,
		NATSListen: l.NATSListen, NATSUsers: l.NATSUsers,
		Version: version, Logger: logger(t),
	}
}

// logger writes for people where they watch, and JSON where programs do.
func logger(t *terminal) *slog.Logger {
	if t.watched {
		return slog.New(slog.NewTextHandler(t.err, nil))
	}
	return slog.New(slog.NewJSONHandler(t.err, nil))
}

// Run serves until it is told to stop. A second signal does not wait.
func (s *serveCommand) Run(ctx context.Context, t *terminal) error {
	collectSeldom(os.Getenv, os.DirFS("/"))
	c := s.config(s.listenFlags, t)
	c.InitCredentials, c.AsyncUses, c.OTLP = s.InitCredentials, s.AsyncUses, s.OTLPEndpoint
	n, err := node.Start(ctx, c)
	if err != nil {
		return notStarted(err)
	}
	if err := s.greet(n, t); err != nil {
		return errors.Join(err, n.Close())
	}
	select {
	case <-ctx.Done():
		signal.Reset(os.Interrupt, syscall.SIGTERM)
		c.Logger.Info("stopping")
		return n.Close()
	case <-n.Done():
		return errors.Join(n.Err(), n.Close())
	}
}

// notStarted is the failure of a start. A guard that refused names itself.
func notStarted(err error) error {
	var (
		ours *node.RefusedError
		logs *journal.RefusedError
	)
	switch {
	case errors.As(err, &ours):
		return fail(exitNotStarted, "start."+ours.Guard, "%v", err)
	case errors.As(err, &logs):
		return fail(exitNotStarted, "start."+string(logs.Guard), "%v", err)
	}
	return fmt.Errorf("not started: %w", err)
}

// greet says where to go.
func (s *serveCommand) greet(n *node.Node, t *terminal) error {
	if !t.json {
		return t.write([]byte(welcome(n, s.Data)))
	}
	out := map[string]string{"url": n.URL(), "data": s.Data, "first_credentials_file": n.FirstCredentials()}
	if address := n.ExtAuthz(); address != "" {
		out["ext_authz"] = address
	}
	if address := n.NATSAddr(); address != "" {
		out["nats"] = address
	}
	return t.writeValue(out)
}

// welcome says it to people.
func welcome(n *node.Node, data string) string {
	text := fmt.Sprintf("Keyledger %s serves %s\n  API description  %s/openapi.json\n  health           %s/readyz\n  data             %s\n",
		version, n.URL(), n.URL(), n.URL(), data)
	if address := n.NATSAddr(); address != "" {
		text += "  NATS             " + address + "\n"
	}
	if address := n.ExtAuthz(); address != "" {
		text += "  ext_authz        " + address + "\n"
	}
	if file := n.FirstCredentials(); file != "" {
		text += firstSteps(os.Args[0], n.URL(), file)
	}
	return text
}

// firstSteps are the commands of somebody who has just started a first server.
func firstSteps(program, url, file string) string {
	program = shellQuote(program)
	return fmt.Sprintf(`
This is the first start. The operator's root key is in
  %s
It is not shown again: keep the file safe. Three commands to try, in another terminal:

  %s account create --name demo --preset aws --credentials-out demo-credentials.json --endpoint %s --credentials %s
  %s user create --name alice --credentials demo-credentials.json
  %s key create --user alice --credentials demo-credentials.json
`, file, program, url, shellQuote(file), program, program)
}
