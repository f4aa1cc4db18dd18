package api_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/keyledger/keyledger/services/node"
)

// certify writes a certificate for 127.0.0.1 with a serial number.
func certify(t *testing.T, certFile, keyFile string, serial int64) *x509.Certificate {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "keyledger"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// TestTLS: requests are served over TLS, HTTP/2 included, and a certificate that was
// renewed on disk is used without a restart; a half-written pair is not.
func TestTLS(t *testing.T) {
	t.Parallel() // it waits for the files to be looked at again
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	roots := x509.NewCertPool()
	roots.AddCert(certify(t, certFile, keyFile, 1))
	n, err := node.Start(t.Context(), node.Config{Data: filepath.Join(dir, "data"), Listen: "127.0.0.1:0", ExtAuthzListen: "127.0.0.1:0", TLSCert: certFile, TLSKey: keyFile})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	c, _, err := firstClient(n)
	if err != nil {
		t.Fatal(err)
	}
	the.keep(c.secret)
	https := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer https.CloseIdleConnections()
	res, err := https.Do(c.request(t, get("/v1/caller")))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != 200 || res.ProtoMajor != 2 || !strings.HasPrefix(n.URL(), "https://") {
		t.Errorf("%s: got %d over %s", n.URL(), res.StatusCode, res.Proto)
	}
	if _, err := tls.Dial("tcp", strings.TrimPrefix(n.URL(), "https://"), &tls.Config{RootCAs: roots, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 was spoken")
	}
	envoysTLS(t, n, roots)

	other := filepath.Join(dir, "other.pem")
	roots.AddCert(certify(t, other, keyFile, 2)) // the key alone: a pair half written
	half, deadline := time.Now(), time.After(40*time.Second)
	renewed := false
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		serial := served(t, n, roots)
		switch {
		case serial == 2 && !renewed:
			t.Fatal("a certificate was served that is not there")
		case serial == 2:
			return
		case !renewed && time.Since(half) > 11*time.Second:
			if err := os.Rename(other, certFile); err != nil {
				t.Fatal(err)
			}
			renewed = true
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the renewed certificate is not used")
		}
	}
}

// envoysTLS holds that Envoy is served over TLS with the same certificate, and not in the
// clear.
func envoysTLS(t *testing.T, n *node.Node, roots *x509.CertPool) {
	t.Helper()
	for want, by := range map[codes.Code]credentials.TransportCredentials{
		codes.Unauthenticated: credentials.NewTLS(&tls.Config{RootCAs: roots}), codes.Unavailable: insecure.NewCredentials(),
	} {
		c, err := grpc.NewClient(n.ExtAuthz(), grpc.WithTransportCredentials(by))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := auth.NewAuthorizationClient(c).Check(t.Context(), &auth.CheckRequest{}); status.Code(err) != want {
			t.Errorf("%s: got %v, want %v", by.Info().SecurityProtocol, err, want)
		}
		_ = c.Close()
	}
}

// served is the serial number of the certificate that a handshake shows.
func served(t *testing.T, n *node.Node, roots *x509.CertPool) int64 {
	t.Helper()
	conn, err := tls.Dial("tcp", strings.TrimPrefix(n.URL(), "https://"), &tls.Config{RootCAs: roots})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// TestPlainListener: what would be read on the way is refused before anything
// is made.
func TestPlainListener(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []node.Config{
		{Listen: "0.0.0.0:0"}, {Listen: ":0"}, {Listen: "[::]:0"}, {Listen: "192.0.2.1:0"}, {Listen: "example.com:0"},
		{Listen: "127.0.0.1"}, {Listen: "127.0.0.1:0", TLSCert: "cert.pem"}, {Listen: "127.0.0.1:0", TLSKey: "key.pem"},
		{Listen: "127.0.0.1:0", TLSCert: filepath.Join(dir, "none"), TLSKey: filepath.Join(dir, "none")},
	} {
		c.Data = filepath.Join(dir, "data")
		n, err := node.Start(t.Context(), c)
		var refusal *node.RefusedError
		if !errors.As(err, &refusal) || refusal.Guard != node.GuardListen {
			t.Errorf("%+v: got %v", c, err)
		}
		if n != nil {
			_ = n.Close()
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("a refused start left %v, %v", left, err)
	}
	n, err := node.Start(t.Context(), node.Config{Data: filepath.Join(dir, "data"), Listen: "0.0.0.0:0", InsecureHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}
