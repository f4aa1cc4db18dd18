package huawei_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
	"github.com/keyledger/keyledger/services/dialect/huawei"
)

func TestVectors(t *testing.T) {
	dialecttest.Run(t, huawei.Dialect().Schemes, "testdata/vectors")
}

// genuine returns a request signed by SDK-HMAC-SHA256.
func genuine(t testing.TB, method, target, body string) *dialect.Request {
	t.Helper()
	r := &dialect.Request{Method: method, Target: target, Host: "iam.example.test", Body: []byte(body)}
	add("Host", r.Host)(r)
	sign(t, r, testKey, testSecret)
	return r
}

// derived makes it one by V11-HMAC-SHA256.
func derived(t testing.TB, r *dialect.Request, scope string) {
	t.Helper()
	set("Authorization", "V11-HMAC-SHA256 Credential="+testKey+"/"+scope+", SignedHeaders=x-sdk-date, Signature="+strings.Repeat("0", 64))(r)
	resign(t, r, testSecret)
}

// code returns the stable code of what became of r.
func code(r *dialect.Request, now time.Time) string {
	claims, err := dialect.Read(r, huawei.Dialect().Schemes)
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

// authorization replaces part of the Authorization header.
func authorization(old, new string) func(*dialect.Request) {
	return func(r *dialect.Request) {
		set("Authorization", strings.Replace(r.Get("Authorization"), old, new, 1))(r)
	}
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*dialect.Request)
		want   string
	}{
		{"as it was", func(*dialect.Request) {}, ""},
		{"no signature", drop("Authorization"), "unsigned"},
		{"another scheme", set("Authorization", "Bearer x"), "unsigned"},
		{"another algorithm", authorization("SDK-HMAC-SHA256", "SDK-HMAC-SM3"), huawei.CodeAlgorithm},
		{"the other algorithm", authorization("SDK-HMAC-SHA256", "V11-HMAC-SHA256"), huawei.CodeAuthorization},
		{"two Authorization headers", add("Authorization", "Bearer x"), huawei.CodeTwoAuthorizations},
		{"no spaces", authorization(", ", ","), ""},
		{"unknown parameter", authorization("Access=", "Key=1, Access="), huawei.CodeAuthorization},
		{"duplicate parameter", authorization("Signature=", "Signature=00, Signature="), huawei.CodeDuplicateParameter},
		{"empty parameter", authorization("Access="+testKey, "Access="), huawei.CodeMissingParameter},
		{"missing parameter", authorization("SignedHeaders=x-sdk-date, ", ""), huawei.CodeMissingParameter},
		{"long key", authorization("Access=", "Access="+strings.Repeat("A", 120)), huawei.CodeAuthorization},
		{"short signature", authorization("Signature=", "Signature=0"), huawei.CodeSignature},
		{"upper-case signature", func(r *dialect.Request) {
			at := len(r.Get("Authorization")) - 64
			set("Authorization", r.Get("Authorization")[:at]+strings.ToUpper(r.Get("Authorization")[at:]))(r)
		}, huawei.CodeSignature},
		{"headers out of order", authorization("=x-sdk-date", "=x-sdk-date;host"), huawei.CodeSignedHeaders},
		{"header named twice", authorization("=x-sdk-date", "=x-sdk-date;x-sdk-date"), huawei.CodeSignedHeaders},
		{"header in upper case", authorization("=x-sdk-date", "=X-Sdk-Date"), huawei.CodeSignedHeaders},
		{"too many headers", authorization("=x-sdk-date", "="+strings.Repeat("a;", 128)+"x-sdk-date"), huawei.CodeSignedHeaders},
		{"signed header missing", authorization("=x-sdk-date", "=a;x-sdk-date"), huawei.CodeHeaderMissing},
		{"signed header twice", func(r *dialect.Request) {
			authorization("=x-sdk-date", "=a;x-sdk-date")(r)
			add("a", "1")(r)
			add("A", "1")(r)
		}, huawei.CodeDuplicateHeader},
		{"a header more is signed", authorization("=x-sdk-date", "=host;x-sdk-date"), dialect.SignatureMismatch},
		{"another header added", add("X-Domain-Id", "x"), ""},
		{"no date", drop("X-Sdk-Date"), huawei.CodeMissingDate},
		{"two dates", add("X-Sdk-Date", "20261122T044648Z"), huawei.CodeDuplicateHeader},
		{"date with a zone", set("X-Sdk-Date", "20261122T044648+00"), huawei.CodeDate},
		{"impossible date", set("X-Sdk-Date", "20261322T044648Z"), huawei.CodeDate},
		{"absolute target", func(r *dialect.Request) { r.Target = "http://iam.example.test/" }, huawei.CodeTarget},
		{"broken escape in the path", func(r *dialect.Request) { r.Target = "/a%2" }, huawei.CodeEncoding},
		{"broken escape in the query", func(r *dialect.Request) { r.Target = "/?a=%2" }, huawei.CodeEncoding},
		{"hash of no form", add("X-Sdk-Content-Sha256", "none"), huawei.CodePayloadHash},
		{"an empty hash", add("X-Sdk-Content-Sha256", ""), huawei.CodePayloadHash},
		{"hash of another body", add("X-Sdk-Content-Sha256", strings.Repeat("0", 64)), huawei.CodePayloadMismatch},
		{"a hash that is right", add("X-Sdk-Content-Sha256", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"), ""},
		{"unsigned body, put in", add("X-Sdk-Content-Sha256", "UNSIGNED-PAYLOAD"), dialect.SignatureMismatch},
		{"another body", func(r *dialect.Request) { r.Body = []byte("b") }, dialect.SignatureMismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := genuine(t, "POST", "/", "a")
			c.change(r)
			if got := code(r, signedAt); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestDerivedFaults(t *testing.T) {
	const good = "20261122/globe/iam"
	for scope, want := range map[string]string{
		good: "", "20261122/cn-north-4/ecs": "", "20261121/globe/iam": huawei.CodeScopeDate,
		"20261122/globe": huawei.CodeCredential, "20261122//iam": huawei.CodeCredential, "20261122/globe/": huawei.CodeCredential,
		"2026112/globe/iam": huawei.CodeCredential, "20261122/globe/iam/x": huawei.CodeCredential, "": huawei.CodeCredential,
	} {
		r := genuine(t, "GET", "/", "")
		derived(t, r, good)
		if want == "" {
			derived(t, r, scope)
		} else {
			authorization(good, scope)(r)
		}
		if got := code(r, signedAt); got != want {
			t.Errorf("%q: got %q, want %q", scope, got, want)
		}
	}
	r := genuine(t, "GET", "/", "")
	derived(t, r, good)
	for _, other := range []string{"20261122/globe/ecs", "20261122/other/iam"} {
		authorization(good, other)(r)
		if got := code(r, signedAt); got != dialect.SignatureMismatch {
			t.Errorf("made for %s, taken to %s: got %q", good, other, got)
		}
		authorization(other, good)(r)
	}
	claims, _ := dialect.Read(r, huawei.Dialect().Schemes)
	if c := claims[0]; c.Scheme != "V11-HMAC-SHA256" || c.Service != "iam" || c.Region != "globe" {
		t.Errorf("got %+v", c)
	}
}

func TestCanonicalText(t *testing.T) {
	for _, c := range []struct{ target, wantPath, wantQuery string }{
		{"/", "/", ""},
		{"/a b/+@:,/%2b%C3%a9/", "/a%20b/%2B%40%3A%2C/%2B%C3%A9/", ""},
		{"/a//..", "/a//../", ""},
		{"/?b&a=&b=x+y%2B&b=A&~=1&{=2&&", "/", "a=&b=&b=A&b=x%20y%2B&%7B=2&~=1"},
	} {
		r := genuine(t, "GET", c.target, "")
		authorization("=x-sdk-date", "=x-a;x-sdk-date")(r)
		add("X-A", "  two  words\t")(r)
		claims, err := dialect.Read(r, huawei.Dialect().Schemes)
		if err != nil {
			t.Fatal(err)
		}
		want := "GET\n" + c.wantPath + "\n" + c.wantQuery + "\nx-a:two  words\nx-sdk-date:20261122T044648Z\n\nx-a;x-sdk-date\n" +
			"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
		if got := string(claims[0].CanonicalRequest); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.target, got, want)
		}
	}
}

func TestWindow(t *testing.T) {
	r := genuine(t, "GET", "/", "")
	for after, want := range map[time.Duration]string{
		0: "", 15 * time.Minute: "", -15 * time.Minute: "",
		15*time.Minute + time.Second: dialect.RequestExpired, -15*time.Minute - time.Second: dialect.RequestNotYetValid,
	} {
		if got := code(r, signedAt.Add(after)); got != want {
			t.Errorf("after %s: got %q, want %q", after, got, want)
		}
	}
}

// A gateway that passes on only the sum of a body gets the same verdict.
func TestBodySum(t *testing.T) {
	r := genuine(t, "POST", "/", "a")
	sum := r.SHA256()
	r.Body, r.BodySum = nil, &sum
	if got := code(r, signedAt); got != "" {
		t.Errorf("got %q", got)
	}
	set("X-Sdk-Content-Sha256", hex.EncodeToString(sum[:]))(r)
	digester := huawei.Dialect().Schemes[0].(dialect.Digester)
	if got := digester.Digest(r); got == nil || *got != sum {
		t.Errorf("got the digest %x", got)
	}
}

func TestSessionToken(t *testing.T) {
	r := genuine(t, "GET", "/", "")
	add("X-Security-Token", " abc ")(r)
	claims, err := dialect.Read(r, huawei.Dialect().Schemes)
	if err != nil || claims[0].SessionToken != "abc" {
		t.Errorf("got %+v, %v", claims, err)
	}
}

func FuzzRead(f *testing.F) {
	for _, v := range dialecttest.Load(f, "testdata/vectors") {
		r := v.Request()
		f.Add(r.Method, r.Target, headerText(r), r.Body)
	}
	f.Fuzz(func(t *testing.T, method, target, header string, body []byte) {
		r := &dialect.Request{Method: method, Target: target, Body: body}
		for line := range strings.SplitSeq(header, "\n") {
			name, value, _ := strings.Cut(line, ":")
			add(name, value)(r)
		}
		first, err1 := dialect.Read(r, huawei.Dialect().Schemes)
		second, err2 := dialect.Read(r, huawei.Dialect().Schemes)
		if (err1 == nil) != (err2 == nil) || err1 != nil && err1.Error() != err2.Error() {
			t.Fatalf("reading twice: %v, then %v", err1, err2)
		}
		if err1 != nil {
			return
		}
		c := first[0]
		if len(first) != 1 || !bytes.Equal(c.CanonicalRequest, second[0].CanonicalRequest) || !bytes.Equal(c.StringToSign, second[0].StringToSign) {
			t.Fatal("reading twice gives two texts")
		}
		if c.AccessKeyID == "" || len(c.Signature) != 32 || c.SignedAt.IsZero() {
			t.Fatalf("a claim with a hole: %+v", c)
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
