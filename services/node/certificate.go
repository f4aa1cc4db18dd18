package node

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"
)

// reloadEvery is how often the files of a certificate are looked at.
const reloadEvery = 10 * time.Second

// A certificate is a pair of PEM files that may be replaced while the node
// runs. A pair that cannot be read leaves the one before it in use.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu       sync.Mutex
	pair     *tls.Certificate
	modified [2]time.Time
	looked   time.Time
}

func newCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	return c, c.load()
}

func (c *certificate) load() error {
	modified, err := c.stat()
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.pair, c.modified = &pair, modified
	return nil
}

func (c *certificate) stat() (modified [2]time.Time, err error) {
	for i, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return modified, err
		}
		modified[i] = info.ModTime()
	}
	return modified, nil
}

// get is tls.Config's GetCertificate.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) > reloadEvery {
		c.looked = now
		if modified, err := c.stat(); err == nil && modified != c.modified {
			if err := c.load(); err != nil { // a half-written pair is looked at again
				c.log.Warn("the certificate has changed and cannot be used; the one before it stays in use", "error", err)
			} else {
				c.log.Info("the certificate was read again")
			}
		}
	}
	return c.pair, nil
}
