package cdnetworks_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/cdnetworks"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
)

var schemes = cdnetworks.Dialect().Schemes

func TestVectors(t *testing.T) {
	dialecttest.Run(t, schemes, "testdata/vectors")
}

const (
	testKey    = "KLAK0123456789ABCDEF"
	testSecret = "kls_0123456789abcdefghijklmnopqrstuvwxyz"
)

var signedAt = time.Date(2026, 11, 22, 4, 46, 48, 0, time.UTC)

func hexSum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// sign signs r as the vendor's page tells a client to, and by nothing that the package under test has.
func sign(t testing.TB, r *dialect.Request, key, secret string, at time.Time, more ...string) {
	t.Helper()
	set("x-cnc-accessKey", key)(r)
	set("x-cnc-auth-method", "AKSK")(r)
	set("x-cnc-timestamp", fmt.Sprint(at.Unix()))(r)
	query := ""
	if r.Method != "POST" {
		var err error
		if query, err = url.QueryUnescape(r.Query()); err != nil {
			t.Fatal(err)
		}
	}
	names := append([]string{"content-type", "host"}, more...)
	sort.Strings(names)
	canonical := r.Method + "\n" + r.Path() + "\n" + query + "\n"
	for _, n := range names {
		canonical += n + ":" + strings.ToLower(r.Get(n)) + "\n"
	}
	canonical += "\n" + strings.Join(names, ";") + "\n" + hexSum(string(r.Body))
	m := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(m, "CNC-HMAC-SHA256\n%d\n%s", at.Unix(), hexSum(canonical))
	set("Authorization", "CNC-HMAC-SHA256 Credential="+key+", SignedHeaders="+strings.Join(names, ";")+", Signature="+hex.EncodeToString(m.Sum(nil)))(r)
}

func set(name, value string) func(*dialect.Request) {
	return func(r *dialect.Request) {
		drop(name)(r)
		add(name, value)(r)
	}
}

func add(name, value string) func(*dialect.Request) {
	return func(r *dialect.Request) { r.Header = append(r.Header, dialect.Field{Name: name, Value: value}) }
}

func drop(name string) func(*dialect.Request) {
	return func(r *dialect.Request) {
		kept := r.Header[:0]
		for _, f := range r.Header {
			if !strings.EqualFold(f.Name, name) {
				kept = append(kept, f)
			}
		}
		r.Header = kept
	}
}

// authorization replaces part of the Authorization header.
func authorization(old, new string) func(*dialect.Request) {
	return func(r *dialect.Request) {
		set("Authorization", strings.Replace(r.Get("Authorization"), old, new, 1))(r)
	}
}

// genuine returns a signed request.
func genuine(t testing.TB, method, target, body string) *dialect.Request {
	t.Helper()
	r := &dialect.Request{Method: method, Target: target, Host: "Keys.example.test", Body: []byte(body)}
	add("Host", r.Host)(r)
	add("Content-Type", "application/json; charset=UTF-8")(r)
	sign(t, r, testKey, testSecret, signedAt)
	return r
}

// code returns the stable code of what became of r.
func code(r *dialect.Request, now time.Time) string {
	claims, err := dialect.Read(r, schemes)
	if err == nil {
		_, err = dialect.CheckAny(claims, []byte(testSecret), now)
	}
	if bad, ok := errors.AsType[*dialect.MalformedError](err); ok {
		return bad.Code
	}
	if no, ok := errors.AsType[*dialect.RefusedError](err); ok {
		return no.Reason
	}
	if errors.Is(err, dialect.ErrUnsigned) {
		return "unsigned"
	}
	return ""
}

func TestFaults(t *testing.T) {
	sum := sha256.Sum256([]byte("x"))
	for _, c := range []struct {
		name, method string
		change       func(*dialect.Request)
		want         string
	}{
		{"as it was", "PUT", func(*dialect.Request) {}, ""},
		{"a GET", "GET", func(*dialect.Request) {}, ""},
		{"no signature", "PUT", drop("Authorization"), "unsigned"},
		{"another scheme", "PUT", set("Authorization", "Basic x"), "unsigned"},
		{"another algorithm", "PUT", authorization("CNC-HMAC-SHA256", "CNC-HMAC-SM3"), cdnetworks.CodeAlgorithm},
		{"two Authorization headers", "PUT", add("Authorization", "Basic x"), cdnetworks.CodeTwoAuthorizations},
		{"no spaces", "PUT", authorization(", ", ","), ""},
		{"unknown parameter", "PUT", authorization("Credential=", "Key=1, Credential="), cdnetworks.CodeAuthorization},
		{"parameter twice", "PUT", authorization("Signature=", "Signature=00, Signature="), cdnetworks.CodeAuthorization},
		{"empty parameter", "PUT", authorization("Signature=", "Signature=, Signature="), cdnetworks.CodeAuthorization},
		{"missing parameter", "PUT", authorization("Credential="+testKey+", ", ""), cdnetworks.CodeAuthorization},
		{"headers out of order", "PUT", authorization("content-type;host", "host;content-type"), cdnetworks.CodeSignedHeaders},
		{"header in upper case", "PUT", authorization("host", "Host"), cdnetworks.CodeSignedHeaders},
		{"many headers", "PUT", authorization("host", "host"+strings.Repeat(";z", 63)), cdnetworks.CodeSignedHeaders},
		{"host not signed", "PUT", authorization(";host", ""), cdnetworks.CodeHeaderUnsigned},
		{"a header that is not there", "PUT", authorization("host", "host;x-a"), cdnetworks.CodeHeaderMissing},
		{"signed header removed", "PUT", drop("Content-Type"), cdnetworks.CodeHeaderMissing},
		{"signed header twice", "PUT", add("Host", "x"), cdnetworks.CodeDuplicateHeader},
		{"short signature", "PUT", authorization("Signature=", "Signature=0"), cdnetworks.CodeSignature},
		{"no hexadecimal digit", "PUT", func(r *dialect.Request) {
			set("Authorization", r.Get("Authorization")[:len(r.Get("Authorization"))-1]+"g")(r)
		}, cdnetworks.CodeSignature},
		{"upper case", "PUT", func(r *dialect.Request) {
			at := len(r.Get("Authorization")) - 64
			set("Authorization", r.Get("Authorization")[:at]+strings.ToUpper(r.Get("Authorization")[at:]))(r)
		}, ""},
		{"both cases", "PUT", func(r *dialect.Request) {
			at := len(r.Get("Authorization")) - 32
			set("Authorization", r.Get("Authorization")[:at]+strings.ToUpper(r.Get("Authorization")[at:]))(r)
		}, cdnetworks.CodeSignature},
		{"no access key header", "PUT", drop("x-cnc-accessKey"), cdnetworks.CodeAccessKey},
		{"another access key header", "PUT", set("X-Cnc-Accesskey", "KLAK9999999999999999"), cdnetworks.CodeAccessKey},
		{"no auth method", "PUT", drop("x-cnc-auth-method"), cdnetworks.CodeAuthMethod},
		{"another auth method", "PUT", set("x-cnc-auth-method", "APIKEY"), cdnetworks.CodeAuthMethod},
		{"no timestamp", "PUT", drop("x-cnc-timestamp"), cdnetworks.CodeMissingTimestamp},
		{"two timestamps", "PUT", add("x-cnc-timestamp", "1"), cdnetworks.CodeDuplicateHeader},
		{"empty timestamp", "PUT", set("x-cnc-timestamp", ""), cdnetworks.CodeTimestamp},
		{"timestamp of milliseconds", "PUT", set("x-cnc-timestamp", "1795322808000"), cdnetworks.CodeTimestamp},
		{"another timestamp", "PUT", set("x-cnc-timestamp", "1795322809"), dialect.SignatureMismatch},
		{"another body", "PUT", func(r *dialect.Request) { r.Body = []byte("x") }, dialect.SignatureMismatch},
		{"a GET with a body", "GET", func(r *dialect.Request) { r.Body = []byte("x") }, cdnetworks.CodeBodyUnsigned},
		{"a GET with the sum of a body", "GET", func(r *dialect.Request) { r.BodySum = &sum }, cdnetworks.CodeBodyUnsigned},
		{"another path", "PUT", func(r *dialect.Request) { r.Target = "/api/y?b=2&a=1" }, dialect.SignatureMismatch},
		{"another query", "PUT", func(r *dialect.Request) { r.Target = "/api/x?a=1&b=2" }, dialect.SignatureMismatch},
		{"broken escape", "PUT", func(r *dialect.Request) { r.Target = "/api/x?a=%2" }, cdnetworks.CodeEncoding},
		{"bad escape", "PUT", func(r *dialect.Request) { r.Target = "/api/x?a=%zz" }, cdnetworks.CodeEncoding},
		{"absolute target", "PUT", func(r *dialect.Request) { r.Target = "http://x/api/x" }, cdnetworks.CodeTarget},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := genuine(t, c.method, "/api/x?b=2&a=1", "")
			c.change(r)
			if got := code(r, signedAt); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestWindow(t *testing.T) {
	r := genuine(t, "GET", "/", "")
	for _, c := range []struct {
		after time.Duration
		want  string
	}{
		{0, ""}, {5 * time.Minute, ""}, {-5 * time.Minute, ""},
		{5*time.Minute + time.Second, dialect.RequestExpired}, {-5*time.Minute - time.Second, dialect.RequestNotYetValid},
	} {
		if got := code(r, signedAt.Add(c.after)); got != c.want {
			t.Errorf("after %s: got %q, want %q", c.after, got, c.want)
		}
	}
}

// TestCovers: what anybody could change is not said to be covered.
func TestCovers(t *testing.T) {
	for _, c := range []struct {
		method, target string
		query          bool
	}{
		{"POST", "/a", true}, {"POST", "/a?b=1", false},
		{"GET", "/a", true}, {"GET", "/a?b=1+2&c=%2B%25", true}, {"GET", "/a?b=1%262", false}, {"DELETE", "/a?b=1%3d2", false},
	} {
		claims, err := cdnetworks.CNC{}.Read(genuine(t, c.method, c.target, ""), new(dialect.Scratch))
		if err != nil || claims[0].Covers.Has(dialect.Query) != c.query || !claims[0].Covers.Has(dialect.Method|dialect.Path|dialect.Body) {
			t.Errorf("%s %s: got %+v, %v", c.method, c.target, claims, err)
		}
	}
}

// TestNonce: a signature is one nonce, however it is written, and no two moments share one.
func TestNonce(t *testing.T) {
	nonce := func(r *dialect.Request) string {
		claims, err := cdnetworks.CNC{}.Read(r, new(dialect.Scratch))
		if err != nil {
			t.Fatal(err)
		}
		return claims[0].Nonce
	}
	one, other := genuine(t, "GET", "/", ""), genuine(t, "GET", "/", "")
	at := len(one.Get("Authorization")) - 64
	set("Authorization", one.Get("Authorization")[:at]+strings.ToUpper(one.Get("Authorization")[at:]))(other)
	if a, b := nonce(one), nonce(other); a != b || len(a) != 64 {
		t.Errorf("got %q and %q", a, b)
	}
	sign(t, other, testKey, testSecret, signedAt.Add(time.Second))
	if nonce(one) == nonce(other) {
		t.Error("a second later it is the same")
	}
}

func FuzzRead(f *testing.F) {
	for _, v := range dialecttest.Load(f, "testdata/vectors") {
		r := v.Request()
		f.Add(r.Method, r.Target, headerText(r), r.Body)
	}
	f.Fuzz(func(t *testing.T, method, target, head string, body []byte) {
		r := &dialect.Request{Method: method, Target: target, Body: body}
		for line := range strings.SplitSeq(head, "\n") {
			name, value, _ := strings.Cut(line, ":")
			add(name, value)(r)
		}
		first, err1 := dialect.Read(r, schemes)
		second, err2 := dialect.Read(r, schemes)
		if (err1 == nil) != (err2 == nil) || err1 != nil && err1.Error() != err2.Error() {
			t.Fatalf("reading twice: %v, then %v", err1, err2)
		}
		_, _ = front.Recognise(r), front.Action(r)
		if err1 != nil {
			return
		}
		c := first[0]
		if !bytes.Equal(c.CanonicalRequest, second[0].CanonicalRequest) || !bytes.Equal(c.StringToSign, second[0].StringToSign) {
			t.Fatal("reading twice gives two texts")
		}
		if c.AccessKeyID == "" || len(c.Signature) != 32 || len(c.Nonce) != 64 || c.SignedAt.IsZero() || len(first) != 1 {
			t.Fatalf("a claim with a hole: %+v", c)
		}
		if want, err := url.QueryUnescape(r.Query()); method != "POST" && (err != nil || !strings.HasPrefix(string(c.CanonicalRequest), method+"\n"+r.Path()+"\n"+want+"\n")) {
			t.Fatalf("the query is signed as another: %q, %v", c.CanonicalRequest, err)
		}
		if _, err := dialect.CheckAny(first, nil, c.SignedAt); err == nil {
			t.Fatal("no secret, and it passed")
		}
	})
}

func headerText(r *dialect.Request) string {
	var lines []string
	for _, h := range r.Header {
		lines = append(lines, h.Name+":"+h.Value)
	}
	return strings.Join(lines, "\n")
}
