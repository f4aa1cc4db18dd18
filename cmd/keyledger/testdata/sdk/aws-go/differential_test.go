package sdk

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/keyledger/keyledger/services/dialect"
	amazon "github.com/keyledger/keyledger/services/dialect/aws"
)

const (
	inValues  = "abzABZ019 -_.~!*'()+%&=/?#:;,@$[]{}<>\"\\^`|\t\n\x00\x7fé测试🔑"
	inHeaders = "abzABZ019  -_.~!*'()+%&=/?#:;,@$[]{}é测"
)

// odd draws a text of characters that signers and parsers disagree about.
func odd(r *rand.Rand, from string) string {
	all := []rune(from)
	var b strings.Builder
	for range r.IntN(24) {
		b.WriteRune(all[r.IntN(len(all))])
	}
	return b.String()
}

// TestDifferential: what the vendor's own signer makes of 10,000 random requests, in headers and presigned, for S3
// and for other services, is what ours takes for genuine, and with another secret is not.
func TestDifferential(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 2026))
	now := time.Now().UTC().Truncate(time.Second)
	seen := map[string]int{}
	for i := range 10000 {
		service, presigned := []string{"iam", "sts", "s3", "execute-api"}[random.IntN(4)], random.IntN(3) == 0
		k := aws.Credentials{AccessKeyID: fmt.Sprintf("KLAK%016d", i), SecretAccessKey: odd(random, inValues) + "x"}
		sent := signed(t, random, k, service, presigned, now)
		claims, err := dialect.Read(sent, amazon.Dialect().Schemes)
		if err == nil {
			_, err = dialect.CheckAny(claims, []byte(k.SecretAccessKey), now)
		}
		if err != nil || claims[0].AccessKeyID != k.AccessKeyID || claims[0].Service != service {
			t.Fatalf("%d, %s, presigned %t: %v\n%s %s %q\n%q", i, service, presigned, err, sent.Method, sent.Target, sent.Header, sent.Body)
		}
		if _, err := dialect.CheckAny(claims, []byte(k.SecretAccessKey+"y"), now); err == nil {
			t.Fatalf("%d: genuine with another secret", i)
		}
		seen[fmt.Sprint(service, presigned)]++
	}
	if len(seen) != 8 {
		t.Errorf("got %v, want each service signed both ways", seen)
	}
}

// signed is a random request as it comes off the wire.
func signed(t *testing.T, random *rand.Rand, k aws.Credentials, service string, presigned bool, now time.Time) *dialect.Request {
	t.Helper()
	req, body := unsigned(t, random, service)
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	if service == "s3" {
		if presigned || random.IntN(4) == 0 {
			hash = "UNSIGNED-PAYLOAD"
		}
		if !presigned {
			req.Header.Set("X-Amz-Content-Sha256", hash)
		}
	}
	if presigned && (service == "s3" || random.IntN(2) == 0) { // S3 wants it, STS does not
		query := req.URL.Query()
		query.Set("X-Amz-Expires", fmt.Sprint(1+random.IntN(604800)))
		req.URL.RawQuery = query.Encode()
	}
	region := []string{"us-east-1", "cn-north-1", "local"}[random.IntN(3)]
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" })
	if !presigned {
		if err := signer.SignHTTP(t.Context(), k, req, hash, service, region, now); err != nil {
			t.Fatal(err)
		}
		return offWire(t, req)
	}
	uri, more, err := signer.PresignHTTP(t.Context(), k, req, hash, service, region, now)
	if err != nil {
		t.Fatal(err)
	}
	out, err := http.NewRequestWithContext(t.Context(), req.Method, uri, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	out.Header = more
	return offWire(t, out)
}

// unsigned is a random request.
func unsigned(t *testing.T, random *rand.Rand, service string) (*http.Request, []byte) {
	t.Helper()
	path := "/"
	for range random.IntN(4) {
		segment := url.PathEscape(odd(random, inValues))
		if service == "s3" { // whose clients escape all that can be escaped before they sign
			segment = strings.ReplaceAll(url.QueryEscape(odd(random, inValues)), "+", "%20")
		}
		path += segment + []string{"/", ""}[random.IntN(2)]
	}
	if service == "s3" && random.IntN(4) == 0 {
		path += "//a/../b/./"
	}
	query := url.Values{}
	for range random.IntN(5) {
		query.Add("p"+odd(random, inValues), odd(random, inValues))
	}
	var body []byte
	if random.IntN(2) == 0 {
		body = []byte(odd(random, inValues))
	}
	host := []string{"keys.test", "keys.test:8080", "127.0.0.1:7420", "[::1]:8080"}[random.IntN(4)]
	req, err := http.NewRequestWithContext(t.Context(), []string{"GET", "POST", "PUT", "DELETE"}[random.IntN(4)], "http://"+host+path+"?"+query.Encode(), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "text/plain; "+strings.TrimSpace(odd(random, inHeaders)))
	for range random.IntN(3) {
		req.Header.Add("X-Amz-Meta-Odd", strings.TrimSpace(odd(random, inHeaders)))
	}
	return req, body
}

// offWire is a request as a server receives it.
func offWire(t *testing.T, out *http.Request) *dialect.Request {
	t.Helper()
	dump, err := httputil.DumpRequestOut(out, true)
	if err != nil {
		t.Fatal(err)
	}
	in, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(dump)))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(in.Body)
	if err != nil {
		t.Fatal(err)
	}
	return dialect.FromHTTP(in, body)
}
