package verify_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect/aws"
	"github.com/keyledger/keyledger/services/node"
)

// A signer sends requests signed by one key.
type signer struct {
	url, id, secret string
	http            *http.Client
}

// send is the status and the body that answer a request. A node that is starved of
// the processor may be behind the log and refuse to decide: it is asked again.
func (s signer) send(method, path, body string) (status int, text []byte, err error) {
	for until := time.Now().Add(time.Minute); ; {
		status, text, err = s.once(method, path, body)
		if err != nil || status != http.StatusServiceUnavailable || time.Now().After(until) {
			return status, text, err
		}
	}
}

func (s signer) once(method, path, body string) (int, []byte, error) {
	req, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	aws.Sign(req, []byte(body), s.id, s.secret, "keyledger", "local", time.Now())
	res, err := s.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, text, err
}

// must is the body of an answer that went well.
func (s signer) must(t *testing.T, method, path, body string) map[string]any {
	t.Helper()
	status, text, err := s.send(method, path, body)
	out := map[string]any{}
	if err == nil && len(text) > 0 {
		err = json.Unmarshal(text, &out)
	}
	if err != nil || status >= 300 {
		t.Fatalf("%s %s: %d %s %v", method, path, status, text, err)
	}
	return out
}

// startNode starts a ledger and gives its operator.
func startNode(t *testing.T) signer {
	t.Helper()
	n, err := node.Start(t.Context(), node.Config{
		Data: filepath.Join(t.TempDir(), "data"), Listen: "127.0.0.1:0", Profile: "relaxed", // it is about order, not about power cuts
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	text, err := os.ReadFile(n.FirstCredentials())
	if err != nil {
		t.Fatal(err)
	}
	var c node.Credentials
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	t.Cleanup(client.CloseIdleConnections)
	return signer{c.Endpoint, c.AccessKeyID, c.SecretAccessKey, client}
}

// rounds is how often each of the keys is disabled and enabled again, or restricted and
// unrestricted, or deleted and restored.
const (
	rivals = 8
	rounds = 400
)

// TestRevocation: from the moment at which a disable, a restrict or a delete has been answered, no
// verification that begins is allowed, until what takes it back is sent; after a purge, ever.
func TestRevocation(t *testing.T) {
	root := startNode(t)
	me := root.must(t, "GET", "/v1/caller", "")["account_id"].(string)
	root.must(t, "PUT", "/v1/accounts/"+me+"/policy", `{"overrides":{"delete":{"requires_disabled":false}}}`)
	var group sync.WaitGroup
	var late, refused, accepted atomic.Int64
	for i := range rivals {
		user := root.must(t, "POST", "/v1/users", fmt.Sprintf(`{"name":"user-%d"}`, i))["user_id"].(string)
		made := root.must(t, "POST", "/v1/users/"+user+"/keys", "")
		k := signer{root.url, made["access_key_id"].(string), made["secret_access_key"].(string), root.http}
		// Odd while the key is known to be disabled; each change is another number.
		var phase atomic.Int64
		done := make(chan struct{})
		verify := func() {
			before := phase.Load()
			status, _, err := k.send("GET", "/v1/caller", "")
			switch {
			case err != nil:
				t.Error(err)
			case status == http.StatusUnauthorized, status == http.StatusForbidden: // disabled or gone; restricted
				refused.Add(1)
			case status != http.StatusOK:
				t.Errorf("a verification was answered %d", status)
			case before%2 == 1 && phase.Load() == before:
				late.Add(1)
			default:
				accepted.Add(1)
			}
		}
		group.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					verify()
				}
			}
		})
		group.Go(func() {
			defer close(done)
			change := func(method, path, body string) {
				if code, text, err := root.send(method, "/v1/keys/"+k.id+path, body); err != nil || code != http.StatusOK {
					t.Errorf("%s %s %s: %d %s %v", method, path, body, code, text, err)
				}
			}
			set := func(status string) { change("PATCH", "", `{"status":"`+status+`"}`) }
			for i := range rounds {
				switch i % 4 {
				case 1:
					change("POST", "/restrict", "")
				case 3:
					change("DELETE", "", "")
				default:
					set("disabled")
				}
				phase.Add(1)
				verify()
				if i%4 == 3 { // which leaves it disabled
					change("POST", "/restore", "")
					verify()
				}
				phase.Add(1)
				if i%4 == 1 {
					change("POST", "/unrestrict", "")
					continue
				}
				set("active")
			}
			change("DELETE", "", "")
			phase.Add(1)
			verify()
			change("POST", "/purge", "")
			verify()
		})
	}
	group.Wait()
	if late.Load() > 0 {
		t.Errorf("%d verifications were allowed after the key was disabled, restricted, deleted or purged", late.Load())
	}
	if refused.Load() < rivals*rounds || accepted.Load() == 0 {
		t.Errorf("%d refused and %d allowed: it shows nothing", refused.Load(), accepted.Load())
	}
}
