package aws_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/aws"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
	"github.com/keyledger/keyledger/services/dialect/vector"
)

func TestVectors(t *testing.T) {
	dialecttest.Run(t, aws.Dialect().Schemes, "testdata/vectors")
}

const (
	testKey    = "KLAK0123456789ABCDEF"
	testSecret = "kls_0123456789abcdefghijklmnopqrstuvwxyz"
)

var signedAt = time.Date(2026, 11, 22, 4, 46, 48, 0, time.UTC)

// genuine returns a request signed by header, as a server receives it.
func genuine(method, target, body string) *dialect.Request {
	req := httptest.NewRequest(method, "http://keys.example.test"+target, strings.NewReader(body))
	req.RequestURI = target
	aws.Sign(req, []byte(body), testKey, testSecret, "iam", "us-east-1", signedAt)
	return dialect.FromHTTP(req, []byte(body))
}

// code returns the stable code of what became of r.
func code(r *dialect.Request, now time.Time) string {
	claims, err := aws.SigV4{}.Read(r, new(dialect.Scratch))
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

// manyHeaders names n signed headers, three of them those of genuine.
func manyHeaders(n int) func(*dialect.Request) {
	return func(r *dialect.Request) {
		var names strings.Builder
		for i := range n - 3 {
			name := fmt.Sprintf("a%03d", i)
			names.WriteString(name + ";")
			add(name, "x")(r)
		}
		authorization("=host;", "="+names.String()+"host;")(r)
	}
}

// A signature that the vendor publishes, from its get-vanilla example, so that
// reading and signing cannot be wrong in the same way.
func TestPublishedSignature(t *testing.T) {
	const signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
	r := &dialect.Request{Method: "GET", Target: "/"}
	add("Host", "example.amazonaws.com")(r)
	add("X-Amz-Date", "20150830T123600Z")(r)
	add("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "+
		"SignedHeaders=host;x-amz-date, Signature="+signature)(r)
	claims, err := aws.SigV4{}.Read(r, new(dialect.Scratch))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
	if err := dialect.Check(&claims[0], []byte("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), now); err != nil {
		t.Error(err)
	}
}

func TestCanonicalText(t *testing.T) {
	for _, c := range []struct{ service, target, wantPath, wantQuery string }{
		{"iam", "/", "/", ""},
		{"iam", "/a%20b(c)//../~d", "/a%2520b%28c%29//../~d", ""},
		{"s3", "/a%20b(c)+%2f%7E//../~d%c3%a9", "/a%20b%28c%29%2B%2F~//../~d%C3%A9", ""},
		{"s3", "/?b=%41+%2b&a=&b=%c3%a9&a.b-_~=*", "/", "a=&a.b-_~=%2A&b=%C3%A9&b=A%20%2B"},
		{"iam", "/?x?y=z=/", "/", "x%3Fy=z%3D%2F"},
	} {
		r := genuine("GET", c.target, "")
		authorization("/iam/", "/"+c.service+"/")(r)
		add("X-Amz-Meta-B", "  blue   and  green\t")(r)
		add("x-amz-meta-b", "")(r)
		add("X-AMZ-META-B", " red ")(r)
		authorization("x-amz-date", "x-amz-date;x-amz-meta-b")(r)
		claims, err := aws.SigV4{}.Read(r, new(dialect.Scratch))
		if err != nil {
			t.Fatal(err)
		}
		want := "GET\n" + c.wantPath + "\n" + c.wantQuery + "\nhost:keys.example.test\n" +
			"x-amz-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\nx-amz-date:20261122T044648Z\n" +
			"x-amz-meta-b:blue and green,,red\n\nhost;x-amz-content-sha256;x-amz-date;x-amz-meta-b\n" +
			"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
		if got := string(claims[0].CanonicalRequest); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.target, got, want)
		}
	}
	bad := genuine("GET", "/", "")
	bad.Target = "/a%2"
	authorization("/iam/", "/s3/")(bad)
	if got := code(bad, signedAt); got != aws.CodeEncoding {
		t.Errorf("a broken escape in an S3 path: got %q", got)
	}
}

func TestHeaderFaults(t *testing.T) {
	hash := strings.Repeat("0", 64)
	for _, c := range []struct {
		name   string
		change func(*dialect.Request)
		want   string
	}{
		{"as it was", func(*dialect.Request) {}, ""},
		{"no signature", drop("Authorization"), "unsigned"},
		{"another scheme", set("Authorization", "Bearer x"), "unsigned"},
		{"another algorithm", authorization("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), aws.CodeAlgorithm},
		{"tab after the algorithm", authorization("SHA256 ", "SHA256\t"), aws.CodeAlgorithm},
		{"two Authorization headers", add("Authorization", "Bearer x"), aws.CodeTwoAuthorizations},
		{"header and query", func(r *dialect.Request) { r.Target += "?X-Amz-Signature=00" }, aws.CodeTwoMethods},
		{"no spaces", authorization(", ", ","), ""},
		{"unknown parameter", authorization("Credential=", "Key=1, Credential="), aws.CodeAuthorization},
		{"trailing comma", func(r *dialect.Request) { authorization("Credential", ",Credential")(r) }, aws.CodeAuthorization},
		{"duplicate parameter", authorization("Signature=", "Signature=00, Signature="), aws.CodeDuplicateParameter},
		{"empty parameter", authorization("Signature=", "Signature=, Signature="), aws.CodeMissingParameter},
		{"missing parameter", authorization("Credential="+testKey+"/20261122/us-east-1/iam/aws4_request, ", ""), aws.CodeMissingParameter},
		{"short scope", authorization("/iam/", "/"), aws.CodeCredential},
		{"long scope", authorization("/iam/", "/iam/x/"), aws.CodeCredential},
		{"scope without key", authorization(testKey, ""), aws.CodeCredential},
		{"scope of another version", authorization("aws4_request", "aws5_request"), aws.CodeCredential},
		{"scope of another day", authorization("20261122", "20261121"), aws.CodeScopeDate},
		{"scope of another region", authorization("us-east-1", "us-east-2"), dialect.SignatureMismatch},
		{"headers out of order", authorization("host;x-amz", "x-amz-a;host;x-amz"), aws.CodeSignedHeaders},
		{"header named twice", authorization("host;", "host;host;"), aws.CodeSignedHeaders},
		{"header in upper case", authorization("host;", "Host;"), aws.CodeSignedHeaders},
		{"empty header name", authorization("=host;", "=;host;"), aws.CodeSignedHeaders},
		{"as many headers as there may be", manyHeaders(128), dialect.SignatureMismatch},
		{"one more", manyHeaders(129), aws.CodeSignedHeaders},
		{"host not signed", authorization("host;", ""), aws.CodeHostUnsigned},
		{"short signature", authorization("Signature=", "Signature=0"), aws.CodeSignature},
		{"upper-case signature", func(r *dialect.Request) {
			at := len(r.Get("Authorization")) - 64
			set("Authorization", r.Get("Authorization")[:at]+strings.ToUpper(r.Get("Authorization")[at:]))(r)
		}, aws.CodeSignature},
		{"header added on the way", add("X-Amz-Meta-A", "b"), aws.CodeHeaderUnsigned},
		{"header added by CloudFront", add("X-Amz-Cf-Id", "b"), ""},
		{"another header added", add("X-Forwarded-For", "192.0.2.1"), ""},
		{"signed header removed", drop("X-Amz-Content-Sha256"), aws.CodeHeaderMissing},
		{"two dates", add("X-Amz-Date", "20261122T044648Z"), aws.CodeDuplicateHeader},
		{"two dates, one empty", func(r *dialect.Request) {
			r.Header = append([]dialect.Field{{Name: "X-Amz-Date"}}, r.Header...)
		}, aws.CodeDuplicateHeader},
		{"no date", drop("X-Amz-Date"), aws.CodeMissingDate},
		{"date with a zone", set("X-Amz-Date", "20261122T044648+00"), aws.CodeDate},
		{"date with a fraction", set("X-Amz-Date", "20261122T044648.5Z"), aws.CodeDate},
		{"impossible date", set("X-Amz-Date", "20261322T044648Z"), aws.CodeDate},
		{"absolute target", func(r *dialect.Request) { r.Target = "http://keys.example.test/" }, aws.CodeTarget},
		{"broken escape in the query", func(r *dialect.Request) { r.Target = "/?a=%2" }, aws.CodeEncoding},
		{"hash of nothing", set("X-Amz-Content-Sha256", ""), aws.CodePayloadHash},
		{"hash of no form", set("X-Amz-Content-Sha256", "z"+hash[1:]), aws.CodePayloadHash},
		{"hash of another body", set("X-Amz-Content-Sha256", hash), aws.CodePayloadMismatch},
		{"another body", func(r *dialect.Request) { r.Body = []byte("b") }, aws.CodePayloadMismatch},
		{"unsigned body", set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"), aws.CodePayloadUnsupported},
		{"streaming body", set("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), aws.CodePayloadUnsupported},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := genuine("POST", "/", "a")
			c.change(r)
			if got := code(r, signedAt); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestHeaderWindow(t *testing.T) {
	r := genuine("GET", "/v1/accounts?limit=5&cursor=a%2Fb", "")
	for _, c := range []struct {
		after time.Duration
		want  string
	}{
		{0, ""}, {5 * time.Minute, ""}, {-5 * time.Minute, ""},
		{5*time.Minute + time.Second, dialect.RequestExpired},
		{-5*time.Minute - time.Second, dialect.RequestNotYetValid},
	} {
		if got := code(r, signedAt.Add(c.after)); got != c.want {
			t.Errorf("after %s: got %q, want %q", c.after, got, c.want)
		}
	}
}

func TestSignCoversItsHeaders(t *testing.T) {
	req := httptest.NewRequest("POST", "/v1/keys?b=2&a=1+1&a=%C3%A9", strings.NewReader("{}"))
	for _, name := range []string{"Content-Type", "Idempotency-Key", "X-Keyledger-Account", "X-Amz-Meta"} {
		req.Header.Set(name, " one   two ")
	}
	req.Header.Set("Accept", "not signed")
	for range 2 { // signing again signs anew
		aws.Sign(req, []byte("{}"), testKey, testSecret, "keyledger", "local", signedAt)
	}
	claims, err := aws.SigV4{}.Read(dialect.FromHTTP(req, []byte("{}")), new(dialect.Scratch))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.ReplaceAll(claims[0].SignedHeaders, ";", " ")
	want := "content-type host idempotency-key x-amz-content-sha256 x-amz-date x-amz-meta x-keyledger-account"
	if got != want {
		t.Errorf("signed %s, want %s", got, want)
	}
	if err := dialect.Check(&claims[0], []byte(testSecret), signedAt); err != nil {
		t.Error(err)
	}
	if c := claims[0]; c.Service != "keyledger" || c.Region != "local" || !c.Covers.Has(dialect.Body|dialect.Query) {
		t.Errorf("got scope %s %s, covers %b", c.Service, c.Region, c.Covers)
	}
}

// What our client signs is what our server reads, over a real connection: the
// server gives back exactly what net/http took apart.
func TestSignOverTheWire(t *testing.T) {
	verdict := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		verdict <- code(dialect.FromHTTP(r, body), signedAt)
	}))
	defer server.Close()
	for _, target := range []string{"/", "/v1/keys/a%2Fb", "/v1/a b", "/v1//x/../y", "/v1?q=a+b&q=%E4%B8%AD&empty&z=", "/%C3%A9?a=%7E"} {
		for _, body := range []io.Reader{nil, strings.NewReader("hello"), io.MultiReader(strings.NewReader("hello"))} {
			sent := ""
			if body != nil {
				sent = "hello"
			}
			req, err := http.NewRequestWithContext(t.Context(), "POST", server.URL+strings.ReplaceAll(target, " ", "%20"), body)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "text/plain")
			aws.Sign(req, []byte(sent), testKey, testSecret, "keyledger", "local", signedAt)
			resp, err := server.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if got := <-verdict; got != "" {
				t.Errorf("%s: got %q", target, got)
			}
		}
	}
}

func TestDateHeaderStandsIn(t *testing.T) {
	for _, date := range []string{"Sun, 22 Nov 2026 04:46:48 GMT", "20261122T044648Z"} {
		// The string to sign has the same time either way, but x-amz-date is
		// out of the headers: sign by reading what a signer would have signed.
		r := genuine("GET", "/", "")
		drop("X-Amz-Date")(r)
		add("Date", date)(r)
		authorization(";x-amz-date", "")(r)
		resign(t, r)
		if got := code(r, signedAt.Add(time.Minute)); got != "" {
			t.Errorf("%s: got %q", date, got)
		}
	}
	r := genuine("GET", "/", "")
	drop("X-Amz-Date")(r)
	add("Date", "Sun, 22 Nov 2026 04:46:48 PST")(r)
	if got := code(r, signedAt); got != aws.CodeDate {
		t.Errorf("a date of another zone: got %q, want %q", got, aws.CodeDate)
	}
}

// resign puts a right signature into a request that carries a wrong one.
func resign(t *testing.T, r *dialect.Request) {
	t.Helper()
	claims, err := aws.SigV4{}.Read(r, new(dialect.Scratch))
	if err != nil {
		t.Fatal(err)
	}
	old, good := hexOf(claims[0].Signature), hexOf(claims[0].MAC([]byte(testSecret)))
	r.Target = strings.Replace(r.Target, old, good, 1)
	for i := range r.Header {
		r.Header[i].Value = strings.Replace(r.Header[i].Value, old, good, 1)
	}
}

// Some clients sign the query as they send it; no reading lets a parameter be
// added, changed or taken away.
func TestQuerySignedAsSent(t *testing.T) {
	for _, c := range []struct{ query, canonical string }{
		{"limit=5&cursor=abc", "cursor=abc&limit=5"},
		{"a=1+2&b=%2f&c", "a=1%202&b=%2F&c="},
		{"a=1&a=1&&", "a=1&a=1"},
		{"a=2&a=10&A=3&a=1", "A=3&a=1&a=10&a=2"},
	} {
		r := genuine("GET", "/v1/keys?"+c.query, "")
		claims, err := aws.SigV4{}.Read(r, new(dialect.Scratch))
		if err != nil || len(claims) != 2 {
			t.Fatalf("%s: got %d readings, %v; want 2", c.query, len(claims), err)
		}
		for i, want := range []string{c.canonical, c.query} {
			if line := strings.Split(string(claims[i].CanonicalRequest), "\n")[2]; line != want {
				t.Errorf("reading %d: got %q, want %q", i, line, want)
			}
		}
		signature := hexOf(claims[0].Signature)
		authorization(signature, hexOf(claims[1].MAC([]byte(testSecret))))(r)
		if got := code(r, signedAt); got != "" {
			t.Errorf("%s, signed as sent: got %q", c.query, got)
		}
		for _, other := range []string{c.query + "x", c.query + "&x=1", "x", ""} {
			r.Target = "/v1/keys?" + other
			if got := code(r, signedAt); got != dialect.SignatureMismatch {
				t.Errorf("%s, changed to %s: got %q", c.query, other, got)
			}
		}
	}
	for _, query := range []string{"", "a=1", "a=1&b=%2F&b=~"} {
		if claims, _ := (aws.SigV4{}).Read(genuine("GET", "/?"+query, ""), new(dialect.Scratch)); len(claims) != 1 {
			t.Errorf("%q is canonical: got %d readings", query, len(claims))
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, v := range dialecttest.Load(f, "testdata/vectors") {
		r := v.Request()
		if len(r.Body) < 4096 {
			f.Add(r.Method, r.Target, headerText(r), r.Body)
		}
	}
	p := presignedRequest("&X-Amz-Expires=60")
	f.Add(p.Method, p.Target, headerText(p), p.Body)
	f.Fuzz(func(t *testing.T, method, target, header string, body []byte) {
		r := &dialect.Request{Method: method, Target: target, Body: body}
		for line := range strings.SplitSeq(header, "\n") {
			name, value, _ := strings.Cut(line, ":")
			add(name, value)(r)
		}
		first, err1 := aws.SigV4{}.Read(r, new(dialect.Scratch))
		second, err2 := aws.SigV4{}.Read(r, new(dialect.Scratch))
		if (err1 == nil) != (err2 == nil) || err1 != nil && err1.Error() != err2.Error() {
			t.Fatalf("reading twice: %v, then %v", err1, err2)
		}
		if err1 != nil {
			return
		}
		c := first[0]
		if !bytes.Equal(c.CanonicalRequest, second[0].CanonicalRequest) || !bytes.Equal(c.StringToSign, second[0].StringToSign) {
			t.Fatal("reading twice gives two texts")
		}
		if c.AccessKeyID == "" || len(c.Signature)%32 != 0 || len(c.Signature) == 0 || c.SignedAt.IsZero() {
			t.Fatalf("a claim with a hole: %+v", c)
		}
		if len(first) > 3 || first[len(first)-1].AccessKeyID != c.AccessKeyID {
			t.Fatalf("%d readings", len(first))
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

func loadVectors(t testing.TB) []vector.Vector { return dialecttest.Load(t, "testdata/vectors") }
