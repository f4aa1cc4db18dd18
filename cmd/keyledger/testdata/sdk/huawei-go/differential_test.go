package sdk

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/signer"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/request"

	"github.com/keyledger/keyledger/cmd/keyledger/testdata/sdk/ledger"
)

// A capture is a request as it came off the wire, in the form that keyledger signature
// check reads.
type capture struct {
	Name          string     `json:"name"`
	AccessKeyID   string     `json:"access_key_id"`
	Secret        string     `json:"secret"`
	Method        string     `json:"method"`
	RequestTarget string     `json:"request_target"`
	Host          string     `json:"host"`
	BaseHost      string     `json:"base_host,omitempty"`
	Headers       [][]string `json:"headers"`
	Body          []byte     `json:"body_base64"`
	VerifyAt      int64      `json:"verify_at"`
	Valid         bool       `json:"valid"`
}

// capturing answers every request with nothing and keeps it.
func capturing(t *testing.T) (url string, next func() capture) {
	t.Helper()
	seen := make(chan capture, 1)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		c := capture{Method: r.Method, RequestTarget: r.RequestURI, Host: r.Host, Valid: true}
		for name, values := range r.Header {
			for _, v := range values {
				c.Headers = append(c.Headers, []string{name, v})
			}
		}
		c.Body, _ = io.ReadAll(r.Body)
		seen <- c
	}))
	t.Cleanup(s.Close)
	return s.URL, func() capture { return <-seen }
}

// check has the product judge requests that it should find genuine.
func check(t *testing.T, captures []capture) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "requests.json")
	content, err := json.Marshal(captures)
	if err == nil {
		err = os.WriteFile(file, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(ledger.Binary(t), "signature", "check", file).CombinedOutput()
	valid := strings.Count(string(out), "\nok ") + strings.Count("\n"+string(out)[:min(3, len(out))], "\nok ")
	if err != nil || valid != len(captures) {
		t.Errorf("%d of %d are found genuine, %v", valid, len(captures), err)
		for line := range strings.SplitSeq(string(out), "\n") {
			if strings.HasPrefix(line, "DIFFERS") {
				name := strings.Fields(line)[1]
				for _, c := range captures {
					if c.Name == name {
						t.Fatalf("%s\n%+v", line, c)
					}
				}
			}
		}
	}
}

// rounds is how many random requests a signer signs: many for make sdk.
func rounds() int {
	if os.Getenv("KEYLEDGER_SDK") == "" {
		return 200
	}
	return 10_000
}

// odd draws text of characters that encoders disagree about.
func odd(r *rand.Rand, most int) string {
	const of = "aZ09-._~ +%/:@!$&'()*,;=?#[]\\\"<>^`{|}é中😀"
	alphabet := []rune(of)
	var b strings.Builder
	for range r.IntN(most + 1) {
		b.WriteRune(alphabet[r.IntN(len(alphabet))])
	}
	return b.String()
}

// TestSDKDifferential signs random requests by the vendor's own signers.
func TestSDKDifferential(t *testing.T) {
	url, next := capturing(t)
	for _, scheme := range []string{"SDK-HMAC-SHA256", "V11-HMAC-SHA256"} {
		t.Run(scheme, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			var captures []capture
			for i := range rounds() {
				c := signed(t, r, url, scheme, next)
				c.Name = fmt.Sprintf("%s-%d", scheme, i)
				captures = append(captures, c)
			}
			check(t, captures)
		})
	}
}

func signed(t *testing.T, r *rand.Rand, url, scheme string, next func() capture) capture {
	t.Helper()
	k := ledger.Pair{ID: "TESTHW" + fmt.Sprint(r.IntN(1e9)), Secret: "secret" + odd(r, 30)}
	req := randomRequest(r, url)
	var headers map[string]string
	var err error
	if scheme == "V11-HMAC-SHA256" {
		headers, err = signer.SignDerived(req, k.ID, k.Secret, "iam", "cn-north-"+fmt.Sprint(r.IntN(9)))
	} else {
		headers, err = signer.Sign(req, k.ID, k.Secret)
	}
	if err != nil {
		t.Fatal(err)
	}
	b := req.Builder()
	for name, value := range headers {
		b.AddHeaderParam(name, value)
	}
	wire, err := b.Build().ConvertRequest()
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(wire)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	c := next()
	c.AccessKeyID, c.Secret, c.VerifyAt = k.ID, k.Secret, at(t, headers["X-Sdk-Date"])
	return c
}

// randomRequest is one that the vendor's SDK can send: its query encoder cannot write a
// name that is empty, and its paths hold no empty segments.
func randomRequest(r *rand.Rand, url string) *request.DefaultHttpRequest {
	path := "/p"
	for range r.IntN(4) {
		path += "/s" + strings.ReplaceAll(odd(r, 8), "/", "")
	}
	b := request.NewHttpRequestBuilder().WithEndpoint(url).WithPath(path).WithMethod([]string{"GET", "POST", "PUT", "DELETE"}[r.IntN(4)])
	for range r.IntN(4) {
		name := "q" + odd(r, 4)
		if r.IntN(2) == 0 {
			b.AddQueryParam(name, reflect.ValueOf(odd(r, 8)))
		} else {
			b.AddQueryParam(name, reflect.ValueOf([]string{odd(r, 4), odd(r, 4), odd(r, 4)}))
		}
	}
	if r.IntN(2) == 0 {
		b.AddHeaderParam("X-Domain-Id", strings.Trim(odd(r, 12), "\t"))
	}
	b.AddHeaderParam("User-Agent", "go  test "+odd(r, 5))
	b.AddHeaderParam("Content-Type", []string{"application/json", "application/octet-stream"}[r.IntN(2)])
	if r.IntN(2) == 0 {
		b.WithBody("body", map[string]string{"text": odd(r, 40)})
	}
	return b.Build()
}

// at is the unix time of a stamp.
func at(t *testing.T, stamp string) int64 {
	t.Helper()
	when, err := time.Parse("20060102T150405Z", stamp)
	if err != nil {
		t.Fatal(err)
	}
	return when.Unix()
}
