package node_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/keyledger/keyledger/services/journal"
	"github.com/keyledger/keyledger/services/node"
)

// TestNATS: a program reads over TLS what the file of users lets it read, before and
// after a restart; the file is followed while the node runs; the data directory holds no
// seed.
func TestNATS(t *testing.T) {
	node.LookOften(t)
	w := installed(t)
	u, seed, err := journal.NewOutletUser("siem")
	if err != nil {
		t.Fatal(err)
	}
	seedFile := w.path("seed")
	w.write("seed", seed)
	w.write("data-nats-users", journal.FormatOutletUsers([]journal.OutletUser{u}))
	w.certify("cert.pem", "key.pem")
	w.config.TLSCert, w.config.TLSKey, w.config.NATSListen = w.path("cert.pem"), w.path("key.pem"), "127.0.0.1:0"
	connect := func(n *node.Node) (*nats.Conn, error) {
		option, err := nats.NkeyOptionFromSeed(seedFile)
		if err != nil {
			t.Fatal(err)
		}
		return nats.Connect("tls://"+n.NATSAddr(), option, nats.RootCAs(w.path("cert.pem")), nats.MaxReconnects(0))
	}
	n := w.start()
	for range 2 {
		nc, err := connect(n)
		if err != nil {
			t.Fatal(err)
		}
		m, err := nc.Request("$JS.API.DIRECT.GET.LEDGER", []byte(`{"seq":1}`), 5*time.Second)
		if err != nil || !strings.Contains(string(m.Data), "dev.keyledger.account.opened.v1") {
			t.Fatalf("got %+v, %v", m, err)
		}
		nc.Close()
		w.stop(n)
		n = w.start()
	}
	nc, err := connect(n)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	w.remove("data-nats-users")
	w.eventually("the one without a line is cut off", nc.IsClosed)
	if again, err := connect(n); err == nil {
		again.Close()
		t.Error("the one without a line was let in")
	}
	w.write("data-nats-users", journal.FormatOutletUsers([]journal.OutletUser{u}))
	w.eventually("the one with a line is let in", func() bool {
		again, err := connect(n)
		if err != nil {
			return false
		}
		again.Close()
		return true
	})
	if _, err := nats.Connect("nats://"+n.NATSAddr(), nats.Nkey(u.Key, nil), nats.MaxReconnects(0)); err == nil {
		t.Error("a connection in the clear was let in")
	}
}

// certify writes a certificate for 127.0.0.1 that is its own authority.
func (w *world) certify(certFile, keyFile string) {
	w.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		w.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		w.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(w.path(name), pem.EncodeToMemory(block), 0o600); err != nil {
			w.Fatal(err)
		}
	}
}
