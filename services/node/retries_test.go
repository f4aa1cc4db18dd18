package node_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/services/dialect/dialecttest"
	"github.com/keyledger/keyledger/services/dialect/vector"
)

// TestRetriedCreates sends each vendor's captured request to create a key twice, byte for byte. Where the vendor gives a
// request an identity it acts once; where it gives none, two requests that look the same are two.
func TestRetriedCreates(t *testing.T) {
	for _, c := range []struct {
		vendor, vector string
		made           int
		again          string // what the second answer holds
	}{
		{"aws", "iam-create", 1, "<Code>EntityAlreadyExists</Code>"}, // amz-sdk-invocation-id
		{"alibaba", "node-ram-v3-create-no-user", 1, `"Code":"SignatureNonceUsed"`},
		{"alibaba", "go-ram-v1-create-no-user", 1, `"Code":"SignatureNonceUsed"`},
		{"tencent", "node-v1-sha1-post-create", 1, `"Code":"FailedOperation.Accesskey"`}, // a nonce, which the signature covers
		{"tencent", "node-v1-sha256-post-create", 1, `"Code":"FailedOperation.Accesskey"`},
		{"tencent", "node-v3-post-create", 2, `"SecretAccessKey"`},
		{"huawei", "iam3-create", 2, `"secret"`},
		{"huawei", "derived-create", 2, `"secret"`},
		{"huawei", "iam5-create", 2, `"secret_access_key"`},
	} {
		t.Run(c.vector, func(t *testing.T) {
			e := captured(t, c.vendor, c.vector)
			g := newGateway(t, []vector.Vector{e})
			a := g.opened(c.vendor)
			owner := a.as.UserID
			if c.vendor == "aws" { // its request names a user, and signs its own length
				owner = a.ask(http.MethodPost, "/v1/users", `{"name":"test.user"}`)["user_id"].(string)
			}
			before := a.keysOf(owner)
			g.put(e.VerifyAt)
			e = as(t, e, [2]string{a.as.AccessKeyID, a.as.SecretAccessKey},
				"testuser000000000000000000000001", owner, "TargetUin\":100000000001", "TargetUin\":"+owner, "TargetUin=100000000002", "TargetUin="+owner)
			first, one := g.direct(e)
			_, two := g.direct(e)
			if first/100 != 2 || !strings.Contains(one, "ecret") || !strings.Contains(two, c.again) {
				t.Errorf("got %d %s, and then %s; want it to hold %s", first, one, two, c.again)
			}
			if made := a.keysOf(owner) - before; made != c.made {
				t.Errorf("%d keys were made, want %d", made, c.made)
			}
		})
	}
}

// captured is one of a vendor's captured requests.
func captured(t *testing.T, vendor, name string) vector.Vector {
	t.Helper()
	for _, e := range dialecttest.Load(t, filepath.Join("../dialect", vendor, "testdata/vectors")) {
		if e.Name == name {
			return e
		}
	}
	t.Fatalf("%s has no request %s", vendor, name)
	return vector.Vector{}
}

func (c *client) keysOf(user string) int {
	c.Helper()
	return len(c.ask(http.MethodGet, fmt.Sprintf("/v1/users/%s/keys?limit=100", user), "")["items"].([]any))
}
