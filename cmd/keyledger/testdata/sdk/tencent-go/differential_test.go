package sdk

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"
	"time"

	tchttp "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/http"

	"github.com/keyledger/keyledger/cmd/keyledger/testdata/sdk/ledger"
	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/tencent"
)

// wire takes what the SDK sends as it would come off the wire.
type wire struct {
	t    *testing.T
	last *dialect.Request
}

func (w *wire) RoundTrip(out *http.Request) (*http.Response, error) {
	dump, err := httputil.DumpRequestOut(out, true)
	if err != nil {
		w.t.Fatal(err)
	}
	in, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(dump)))
	if err != nil {
		w.t.Fatal(err)
	}
	body, err := io.ReadAll(in.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	w.last = dialect.FromHTTP(in, body)
	answer := `{"Response":{"RequestId":"1"}}`
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)), Request: out}, nil
}

// odd draws a text of characters that signers and parsers disagree about.
func odd(r *rand.Rand) string {
	const letters = "abzABZ019 -_.~!*'()+%&=/?#:;,@$[]{}<>\"\\^`|\t\n\x00\x7fé测试🔑"
	all := []rune(letters)
	var b strings.Builder
	for range r.IntN(24) {
		b.WriteRune(all[r.IntN(len(all))])
	}
	return b.String()
}

// TestDifferential: what the vendor's own signer makes of 10,000 random requests of each scheme is what our schemes take for genuine.
func TestDifferential(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 2026))
	seen := map[string]int{}
	ambiguous := 0
	for i := range 30000 { // three schemes
		w := way{[]string{"TC3-HMAC-SHA256", "HmacSHA256", "HmacSHA1"}[i%3], []string{"POST", "GET"}[random.IntN(2)]}
		k := ledger.Pair{ID: fmt.Sprintf("KLAK%016d", i), Secret: odd(random) + "x"}
		host := []string{"keys.test", "keys.test:8080", "127.0.0.1:80", "[::1]:8080", "Keys.Test:8080"}[random.IntN(5)]
		client := w.client(host, k)
		sent := &wire{t: t}
		client.WithHttpTransport(sent)
		one, two := odd(random), odd(random)
		r := request{BaseRequest: &tchttp.BaseRequest{}, Description: &one, Status: &two}
		for range random.IntN(4) {
			item := odd(random)
			r.SecretIDList = append(r.SecretIDList, &item)
		}
		r.Init().WithApiInfo("cam", "2019-01-16", "CreateAccessKey")
		if err := client.Send(&r, &response{BaseResponse: &tchttp.BaseResponse{}}); err != nil {
			t.Fatalf("%d: the SDK: %v", i, err)
		}
		claims, err := dialect.Read(sent.last, tencent.Dialect().Schemes)
		if bad, ok := err.(*dialect.MalformedError); ok && bad.Code == tencent.CodeAmbiguous {
			ambiguous++
			continue
		}
		if err == nil {
			_, err = dialect.CheckAny(claims, []byte(k.Secret), time.Now())
		}
		if err != nil {
			t.Fatalf("%d, %+v: %v\n%s %s %q\n%s", i, w, err, sent.last.Method, sent.last.Target, sent.last.Header, sent.last.Body)
		}
		seen[claims[0].Scheme+" "+sent.last.Method]++
	}
	if len(seen) != 6 || ambiguous > 300 {
		t.Errorf("got %v, and %d refused as ambiguous", seen, ambiguous)
	}
}
