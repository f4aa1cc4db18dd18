package sdk

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/cdnetworks"
)

// odd draws a text of characters that signers and parsers disagree about.
func odd(r *rand.Rand) string {
	all := []rune("abzABZ019 -_.~!*'()+%&=/?#:;,@$[]{}<>\"\\^`|\t\n\x00\x7fé测试🔑")
	var b strings.Builder
	for range r.IntN(24) {
		b.WriteRune(all[r.IntN(len(all))])
	}
	return b.String()
}

// TestDifferential: what the signer makes of 10,000 random requests is what our scheme takes for genuine.
func TestDifferential(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 2026))
	methods := []string{"GET", "POST", "PUT", "DELETE", "PATCH"}
	for i := range 10000 {
		u := url.URL{Scheme: "http", Host: []string{"keys.test", "Keys.Test:8080", "[::1]:80"}[random.IntN(3)], Path: "/" + odd(random), RawQuery: url.Values{odd(random): {odd(random), odd(random)}, "q": {odd(random)}}.Encode()}
		method, body, secret := methods[random.IntN(len(methods))], odd(random), odd(random)+"x"
		if method == "GET" {
			body = ""
		}
		out, err := http.NewRequestWithContext(t.Context(), method, u.String(), strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		out.Header.Set("Content-Type", []string{"application/json", "Text/Plain; charset=UTF-8", "x/Y; a=\"B  c\""}[random.IntN(3)])
		if err := Sign(out, body, "KLAK0123456789ABCDEF", secret, time.Now()); err != nil {
			t.Fatal(err)
		}
		r := received(t, out)
		claims, err := cdnetworks.CNC{}.Read(r, new(dialect.Scratch))
		if err == nil {
			_, err = dialect.CheckAny(claims, []byte(secret), time.Now())
		}
		if err != nil {
			t.Fatalf("%d: %v\n%s %s %q", i, err, r.Method, r.Target, r.Header)
		}
	}
}

// received is req as it comes off the wire.
func received(t *testing.T, req *http.Request) *dialect.Request {
	dump, err := httputil.DumpRequestOut(req, true)
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
