package node

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/keyledger/keyledger/services/journal"
)

// usersEvery is how often the file of those who may read over NATS is looked at.
var usersEvery = time.Second // tests have less

// checkOutlet refuses an outlet that would not do, before anything is made.
func checkOutlet(c Config) error {
	if c.NATSListen == "" {
		return nil
	}
	if err := notInTheClear(c, c.NATSListen); err != nil {
		return err
	}
	_, err := outletUsers(c)
	return err
}

// outletUsers are who may read over NATS.
func outletUsers(c Config) ([]journal.OutletUser, error) {
	text, err := os.ReadFile(c.NATSUsers)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, refuse(GuardListen, nil, "nobody could read at --nats-listen: there is no %s; make it with keyledger nats user create", c.NATSUsers)
	}
	if err != nil {
		return nil, refuse(GuardListen, err, "the file of those who may read over NATS cannot be read")
	}
	users, err := journal.ParseOutletUsers(string(text))
	if err != nil {
		return nil, refuse(GuardListen, err, "%s cannot be used", c.NATSUsers)
	}
	return users, nil
}

// openOutlet lets programs read LEDGER and USED over NATS.
func (n *Node) openOutlet(tasks context.Context) error {
	if n.config.NATSListen == "" {
		return nil
	}
	users, err := outletUsers(n.config)
	if err != nil {
		return err
	}
	c := journal.OutletConfig{Listen: n.config.NATSListen, Users: users, Connections: n.files.nats}
	if n.config.TLSCert != "" {
		pair, err := newCertificate(n.config.TLSCert, n.config.TLSKey, n.config.Logger)
		if err != nil {
			return refuse(GuardListen, err, "the certificate cannot be used")
		}
		c.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: pair.get}
	}
	if n.outlet, err = n.journal.OpenOutlet(c); err != nil {
		return refuse(GuardListen, err, "the address of --nats-listen cannot be listened on")
	}
	n.tasks.Go(func() { n.watchOutletUsers(tasks, users) })
	return nil
}

// watchOutletUsers lets in and cuts off whom the file says. A file that is gone lets
// nobody in; one that cannot be read changes nothing.
func (n *Node) watchOutletUsers(ctx context.Context, now []journal.OutletUser) {
	tick := time.NewTicker(usersEvery)
	defer tick.Stop()
	for warned, settled := "", true; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		next, err := outletUsers(n.config)
		if _, gone := os.Stat(n.config.NATSUsers); isMissing(gone) {
			next, err = nil, nil
		}
		if err == nil && (!settled || !slices.Equal(next, now)) {
			if err = n.outlet.SetUsers(next); err == nil {
				n.config.Logger.Info("who may read over NATS has changed", "users", len(next))
				now, warned = next, ""
			}
			settled = err == nil // or those who are gone were cut off, and those who are new not let in
		}
		if err != nil && err.Error() != warned {
			warned = err.Error()
			n.config.Logger.Warn("the file of who may read over NATS has not taken effect", "error", err)
		}
	}
}

// NATSAddr is the address at which the log can be read over NATS; empty if it cannot.
func (n *Node) NATSAddr() string {
	if n.outlet == nil {
		return ""
	}
	return n.outlet.Addr()
}
