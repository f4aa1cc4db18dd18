package main

import (
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
)

// TestSDKNginx puts nginx, configured as docs/gateways.md says, before a small
// service, and has the AWS CLI talk to it: what is signed by a key goes on with the
// identity of its user, whatever identity the client claims; all else stops at nginx.
func TestSDKNginx(t *testing.T) {
	w := newWorld(t, "aws")
	if _, err := exec.LookPath("nginx"); err != nil {
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
	front := w.nginx(service.Listener.Addr().String(), token)
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

// nginx starts nginx with the documented locations and gives its URL.
func (w *world) nginx(service, token string) string {
	w.t.Helper()
	page, err := os.ReadFile("../../docs/gateways.md")
	if err != nil {
		w.t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(page), "```nginx\n")
	block, _, _ = strings.Cut(block, "```")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	block = strings.NewReplacer("127.0.0.1:9000", service, "http://127.0.0.1:7420", w.server.URL, "klgw_...", token).Replace(block)
	conf := fmt.Sprintf("daemon off; master_process off; pid %s/nginx.pid; error_log stderr;\nevents {}\nhttp { access_log off; client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;\nserver { listen %s;\n%s} }\n", w.dir, address, block)
	file := filepath.Join(w.dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.Command("nginx", "-c", file, "-p", w.dir)
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if w.t.Failed() {
			w.t.Logf("nginx wrote:\n%s", log.String())
		}
	})
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
			return "http://" + address
		}
	}
	w.t.Fatalf("nginx does not listen:\n%s", log.String())
	return ""
}
