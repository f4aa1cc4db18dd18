package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// connection holds the flags that say which server is asked, and how. Every command takes them.
type connection struct {
	Endpoint    string        `env:"KEYLEDGER_ENDPOINT" group:"connection" placeholder:"URL" help:"Where the server is; the credentials file's endpoint if left out."`
	Credentials string        `env:"KEYLEDGER_CREDENTIALS" group:"connection" placeholder:"FILE" help:"The credentials file to sign with."`
	CAFile      string        `name:"ca-file" env:"KEYLEDGER_CA_FILE" group:"connection" placeholder:"FILE" help:"PEM file of the certificate authority to trust instead of the system's."`
	Timeout     time.Duration `default:"15s" group:"connection" help:"How long to wait for each answer."`
}

// client reads the credentials and makes ready to ask the server.
func (c *connection) client(t *terminal) (*client, error) {
	if c.Credentials == "" {
		return nil, usage("no credentials: name a credentials file with --credentials or KEYLEDGER_CREDENTIALS; the first start of a server writes the operator's")
	}
	who, err := readCredentials(t, c.Credentials)
	if err != nil {
		return nil, err
	}
	if who.Endpoint, err = parseEndpoint(cmp.Or(c.Endpoint, who.Endpoint)); err != nil {
		return nil, err
	}
	transport, err := c.transport()
	if err != nil {
		return nil, err
	}
	return &client{
		endpoint: who.Endpoint, credentials: who, http: &http.Client{Transport: transport, CheckRedirect: stay},
		timeout: c.Timeout, now: time.Now, pause: pause,
	}, nil
}

// Validate is kong's hook.
func (c connection) Validate() error {
	if c.Timeout <= 0 {
		return fmt.Errorf("--timeout %s will not do; want more than 0s", c.Timeout)
	}
	return nil
}

// endpoint is where the server is, by the flags or else by the credentials file.
func (c connection) endpoint(t *terminal) (string, error) {
	if c.Endpoint != "" || c.Credentials == "" {
		return parseEndpoint(c.Endpoint)
	}
	who, err := readCredentials(t, c.Credentials)
	if err != nil {
		return "", err
	}
	return parseEndpoint(who.Endpoint)
}

// stay follows no redirect: a signature is for one place.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func (c connection) transport() (*http.Transport, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	if c.CAFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, usage("the --ca-file cannot be read: %v", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, usage("%s holds no certificate in PEM form", c.CAFile)
	}
	t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return t, nil
}

// parseEndpoint is scheme and host of an endpoint, and nothing else: requests
// are signed with their path, so that no proxy may put something before it.
func parseEndpoint(text string) (string, error) {
	if text == "" {
		return "", usage("no endpoint: name it with --endpoint or KEYLEDGER_ENDPOINT, e.g. http://127.0.0.1:7420")
	}
	if strings.Contains(text, "@") { // not quoted: it may hold a password
		return "", usage("the endpoint names a user, which it may not: want http://host:port or https://host:port")
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", usage("the endpoint %q will not do; want http://host:port or https://host:port", text)
	}
	return u.Scheme + "://" + u.Host, nil
}

// inTheClear says whether answers travel unencrypted to another machine.
func inTheClear(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme == "https" || u.Hostname() == "localhost" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return ip == nil || !ip.IsLoopback()
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
