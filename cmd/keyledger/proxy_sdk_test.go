package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect/aws"
)

// A proxy is a program that asks the ledger, configured as docs/gateways.md says.
type proxy struct {
	program string
	fence   string // of its block in the page
	around  string // configuration around the block: the world's folder, the address, the block
	args    []string
	odd     bool // it hands on names that have underscores for hyphens
}

// TestSDKNginx and TestSDKCaddy put a proxy before a small service and have the AWS
// CLI talk to it: what is signed by a key goes on with the identity of its user, whatever
// identity the client claims; all else stops at the proxy.
func TestSDKNginx(t *testing.T) {
	inFront(t, proxy{
		program: "nginx", fence: "### nginx\n\n```nginx\n", args: []string{"-c", "proxy.conf", "-p", "."},
		around: "daemon off; master_process off; pid %[1]s/nginx.pid; error_log stderr;\nevents {}\nhttp { access_log off; client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;\nserver { listen %[2]s;\n%[3]s} }\n",
	})
}

func TestSDKCaddy(t *testing.T) {
	inFront(t, proxy{
		program: "caddy", fence: "### Caddy\n\n```\n", args: []string{"run", "--config", "proxy.conf", "--adapter", "caddyfile"},
		around: "{\nadmin off\n}\n# in %[1]s\nhttp://%[2]s {\n%[3]s}\n",
	})
}

// TestSDKTraefik runs where there is a Traefik: Debian has none, and make sdk installs none.
func TestSDKTraefik(t *testing.T) {
	if _, err := exec.LookPath("traefik"); err != nil {
		t.Skip("there is no traefik on the PATH")
	}
	inFront(t, proxy{
		program: "traefik", odd: true, fence: "### Traefik\n\n```yaml\n",
		args:   []string{"--providers.file.filename=proxy.yml", "--entrypoints.web.address=ADDRESS", "--global.checknewversion=false", "--global.sendanonymoususage=false"},
		around: "# in %[1]s, at %[2]s\n%[3]s      rule: \"PathPrefix(`/`)\"\n      service: photos\n  services:\n    photos:\n      loadBalancer: { servers: [{ url: \"http://127.0.0.1:9000\" }] }\n",
	})
}

func inFront(t *testing.T, p proxy) {
	w := newWorld(t, "aws")
	if _, err := exec.LookPath(p.program); err != nil {
		t.Fatalf("%v; make sdk installs it", err)
	}
	w.open("aws")
	w.keyledger("aws.json", "user", "create", "--name", "alice")
	made := w.keyledger("aws.json", "key", "create", "--user", "alice")
	k := pair{made["access_key_id"].(string), made["secret_access_key"].(string)}
	token := w.keyledger("aws.json", "gateway", "token", "create", "--name", "edge")["token"].(string)

	var seen http.Header
	service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Header.Clone() }))
	defer service.Close()
	front := w.behind(p, service.Listener.Addr().String(), token)
	at := &world{t: t, binary: w.binary, dir: w.dir, server: &serverProcess{URL: front}}

	at.aws(k, "", "", "s3api", "head-bucket", "--bucket", "photos")
	if got := seen.Get("X-Keyledger-Key-Id"); got != k.id {
		t.Errorf("the service saw the key %q, want %q", got, k.id)
	}
	file := filepath.Join(w.dir, "picture")
	if err := os.WriteFile(file, []byte("a picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	at.aws(k, "", "", "s3api", "put-object", "--bucket", "photos", "--key", "a picture.png", "--body", file)
	w.namesClient(k, "127.0.0.1")
	w.hidesForged(p, k, front, "", func() http.Header { return seen })
	seen = nil
	w.asksOtherHost(k, front)
	if seen != nil {
		t.Errorf("the service saw a request for another host: %v", seen)
	}
	w.keyledger("aws.json", "key", "restrict", k.id)
	w.hidesForged(p, k, front, "true", func() http.Header { return seen })
	at.aws(k, "", "", "s3api", "head-bucket", "--bucket", "photos")
	wants(t, "what the service saw of a restricted key", seen.Get("X-Keyledger-Restricted"), "true")
	seen = nil
	at.aws(pair{k.id, "kls_of_somebody_else"}, "401", "", "s3api", "head-bucket", "--bucket", "photos")
	req, err := http.NewRequest("GET", front+"/photos", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Keyledger-Key-Id", k.id)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	wants(t, "unsigned, with an identity of its own making", fmt.Sprint(res.StatusCode, " ", res.Header.Get("X-Keyledger-Reason")), "401 unsigned")
	w.keyledger("aws.json", "key", "disable", k.id, "--yes")
	at.aws(k, "403", "", "s3api", "head-bucket", "--bucket", "photos")
	if seen != nil {
		t.Errorf("the service saw a request that was refused: %v", seen)
	}
}

// namesClient holds that the access records of a key name whoever spoke with the proxy.
func (w *world) namesClient(k pair, address string) {
	w.t.Helper()
	w.eventually("the records", func() bool {
		found := w.keyledger("aws.json", "records", "list", "--key", k.id)["items"].([]any)
		for _, r := range found {
			if got := fmt.Sprint(r.(map[string]any)["source_ip"]); got != address {
				w.t.Fatalf("on record: got the address %s, want %s", got, address)
			}
		}
		return len(found) >= 2
	})
}

// asksOtherHost sends a request signed for the proxy's host with a target that names another, by which a
// proxy may choose what it serves.
func (w *world) asksOtherHost(k pair, front string) {
	w.t.Helper()
	req, err := http.NewRequest("GET", front+"/photos", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	aws.Sign(req, nil, k.id, k.secret, "photos", "local", time.Now())
	conn, err := net.Dial("tcp", req.URL.Host)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	var head bytes.Buffer
	_ = req.Header.Write(&head)
	_, _ = fmt.Fprintf(conn, "GET http://other.example/photos HTTP/1.1\r\nHost: %s\r\n%s\r\n", req.URL.Host, head.String())
	if _, err := http.ReadResponse(bufio.NewReader(conn), req); err != nil { // its status may be 200, of no service at all
		w.t.Fatal(err)
	}
}

// hidesForged holds that a service behind the proxy sees no identity but that of
// the key, whatever a genuine client claims besides, and records no address it claims.
func (w *world) hidesForged(p proxy, k pair, front, restricted string, seen func() http.Header) {
	w.t.Helper()
	req, err := http.NewRequest("GET", front+"/photos", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	aws.Sign(req, nil, k.id, k.secret, "photos", "local", time.Now())
	for name, value := range map[string]string{
		"X-Keyledger-Key-Id": "none", "X-Keyledger-User-Id": "1", "X-Keyledger-Position": "1", "X-Keyledger-Scheme": "none", "X-Keyledger-Restricted": "none", "X-Keyledger-Reason": "none", "X-Keyledger-Request-Id": "none", "X-Keyledger-Service": "none", "X-Keyledger-Action": "none", "X-Forwarded-For": "203.0.113.1", "X-Real-IP": "203.0.113.1",
		"X_Keyledger_Key_Id": "none", "X-Keyledger_User-Id": "1", "Connection": "x-keyledger-key-id, X-Keyledger-User-Id, X-Keyledger-Account-Id, X-Keyledger-Restricted",
	} {
		req.Header[name] = []string{value}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != 200 {
		w.t.Fatalf("genuine, with claims besides: got %d %v", res.StatusCode, res.Header)
	}
	for name, values := range seen() {
		if p.odd && strings.Contains(name, "_") {
			continue
		}
		ours := strings.HasPrefix(strings.ReplaceAll(strings.ToLower(name), "_", "-"), "x-keyledger-")
		if ours && (len(values) != 1 || values[0] == "1" || values[0] == "none") {
			w.t.Errorf("the service saw %s: %q", name, values)
		}
	}
	wants(w.t, "the key that the service saw", seen().Get("X-Keyledger-Key-Id"), k.id)
	wants(w.t, "restricted, as the service saw it", seen().Get("X-Keyledger-Restricted"), restricted)
	if seen().Get("X-Keyledger-User-Id") == "" || seen().Get("X-Keyledger-Account-Id") == "" {
		w.t.Errorf("the service saw %v, want user and account", seen())
	}
	w.namesClient(k, "127.0.0.1")
}

// behind starts a proxy with its documented configuration and gives its URL.
func (w *world) behind(p proxy, service, token string) string {
	w.t.Helper()
	page, err := os.ReadFile("../../docs/gateways.md")
	if err != nil {
		w.t.Fatal(err)
	}
	_, block, found := strings.Cut(string(page), p.fence)
	block, _, _ = strings.Cut(block, "```")
	if !found {
		w.t.Fatalf("docs/gateways.md has no configuration for %s", p.program)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	block = strings.NewReplacer("127.0.0.1:9000", service, "127.0.0.1:7420", strings.TrimPrefix(w.server.URL, "http://"), "klgw_...", token).Replace(block)
	around := strings.ReplaceAll(p.around, "127.0.0.1:9000", service)
	for _, name := range []string{"proxy.conf", "proxy.yml"} { // Traefik goes by the ending
		if err := os.WriteFile(filepath.Join(w.dir, name), fmt.Appendf(nil, around, w.dir, address, block), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	args := strings.Split(strings.ReplaceAll(strings.Join(p.args, "\n"), "ADDRESS", address), "\n")
	cmd := exec.Command(p.program, args...)
	var log strings.Builder
	cmd.Dir, cmd.Env, cmd.Stderr = w.dir, []string{"HOME=" + w.dir}, &log
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if w.t.Failed() {
			w.t.Logf("%s wrote:\n%s", p.program, log.String())
		}
	})
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
			return "http://" + address
		}
	}
	w.t.Fatalf("%s does not listen:\n%s", p.program, log.String())
	return ""
}
