package tencent_test

import (
	"bytes"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
	"github.com/keyledger/keyledger/services/dialect/tencent"
	"github.com/keyledger/keyledger/services/dialect/vector"
)

var schemes = tencent.Dialect().Schemes

func TestVectors(t *testing.T) {
	dialecttest.Run(t, schemes, "testdata/vectors")
}

// TestVectorsByScheme: the scheme that an entry names is the one that reads it.
func TestVectorsByScheme(t *testing.T) {
	for _, v := range dialecttest.Load(t, "testdata/vectors") {
		claims, err := dialect.Read(v.Request(), schemes)
		if err != nil {
			continue
		}
		if got := claims[0].Scheme; got != v.Scheme && !strings.Contains(v.Name, "downgrade") {
			t.Errorf("%s is read as %s", v.Name, got)
		}
	}
}

// TestHostFlips: of the host, everything is signed; of a port, only where the client signs it.
func TestHostFlips(t *testing.T) {
	for _, v := range dialecttest.Load(t, "testdata/vectors") {
		if !v.Valid || v.Scheme != "TC3-HMAC-SHA256" {
			continue
		}
		for i := range len(v.Host) {
			for bit := range 8 {
				changed := []byte(v.Host)
				changed[i] ^= 1 << bit
				r := v.Request()
				set("Host", string(changed))(r)
				j := vector.JudgeRequest(r, v.AccessKeyID, v.Secret, v.At(), schemes)
				portOnly := strings.HasPrefix(v.Name, "node") && i > strings.IndexByte(v.Host, ':') && strings.Contains(v.Host, ":") && '0' <= changed[i] && changed[i] <= '9'
				if j.Valid && !portOnly && !strings.EqualFold(string(changed), v.Host) {
					t.Errorf("%s: still valid for the host %q", v.Name, changed)
				}
			}
		}
	}
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

func TestTC3Faults(t *testing.T) {
	at := signedAt.Unix()
	for _, c := range []struct {
		name   string
		change func(*dialect.Request)
		want   string
	}{
		{"as it was", func(*dialect.Request) {}, ""},
		{"no signature", drop("Authorization"), "unsigned"},
		{"another scheme", set("Authorization", "Bearer x"), "unsigned"},
		{"another algorithm", authorization("TC3-HMAC-SHA256", "TC3-HMAC-SM3"), tencent.CodeAlgorithm},
		{"tab after the algorithm", authorization("SHA256 ", "SHA256\t"), tencent.CodeAlgorithm},
		{"two Authorization headers", add("Authorization", "Bearer x"), tencent.CodeTwoAuthorizations},
		{"no spaces", authorization(", ", ","), ""},
		{"unknown parameter", authorization("Credential=", "Key=1, Credential="), tencent.CodeAuthorization},
		{"parameter twice", authorization("Signature=", "Signature=00, Signature="), tencent.CodeAuthorization},
		{"empty parameter", authorization("Signature=", "Signature=, Signature="), tencent.CodeAuthorization},
		{"missing parameter", authorization("Credential="+testKey+"/2026-11-22/cam/tc3_request, ", ""), tencent.CodeAuthorization},
		{"short scope", authorization("/cam/", "/"), tencent.CodeCredential},
		{"long scope", authorization("/cam/", "/cam/x/"), tencent.CodeCredential},
		{"scope without key", authorization(testKey, ""), tencent.CodeCredential},
		{"scope of another version", authorization("tc3_request", "tc4_request"), tencent.CodeCredential},
		{"scope of another day", authorization("2026-11-22", "2026-11-21"), tencent.CodeScopeDate},
		{"scope of another service", authorization("/cam/", "/sts/"), dialect.SignatureMismatch},
		{"headers out of order", authorization("content-type;host", "host;content-type"), tencent.CodeSignedHeaders},
		{"header named twice", authorization("host", "host;host"), tencent.CodeSignedHeaders},
		{"header in upper case", authorization("host", "Host"), tencent.CodeSignedHeaders},
		{"as many headers as there may be", manyHeaders(64), dialect.SignatureMismatch},
		{"one more", manyHeaders(65), tencent.CodeSignedHeaders},
		{"host not signed", authorization(";host", ""), tencent.CodeHeaderUnsigned},
		{"content-type not signed", authorization("content-type;", ""), tencent.CodeHeaderUnsigned},
		{"short signature", authorization("Signature=", "Signature=0"), tencent.CodeSignature},
		{"upper-case signature", func(r *dialect.Request) {
			at := len(r.Get("Authorization")) - 64
			set("Authorization", r.Get("Authorization")[:at]+strings.ToUpper(r.Get("Authorization")[at:]))(r)
		}, tencent.CodeSignature},
		{"signed header removed", drop("Content-Type"), tencent.CodeHeaderMissing},
		{"signed header twice", add("Content-Type", "text/plain"), tencent.CodeDuplicateHeader},
		{"no timestamp", drop("X-TC-Timestamp"), tencent.CodeMissingTimestamp},
		{"two timestamps", add("x-tc-timestamp", "1"), tencent.CodeDuplicateHeader},
		{"timestamp with a sign", set("X-TC-Timestamp", "+1795322808"), tencent.CodeTimestamp},
		{"timestamp with a zero", set("X-TC-Timestamp", "01795322808"), tencent.CodeTimestamp},
		{"empty timestamp", set("X-TC-Timestamp", ""), tencent.CodeTimestamp},
		{"timestamp of milliseconds", set("X-TC-Timestamp", "1795322808000"), tencent.CodeTimestamp},
		{"timestamp changed", set("X-TC-Timestamp", time.Unix(at+1, 0).Format("x")), tencent.CodeTimestamp},
		{"body changed", func(r *dialect.Request) { r.Body = []byte("{} ") }, dialect.SignatureMismatch},
		{"body not signed", set("X-TC-Content-SHA256", "UNSIGNED-PAYLOAD"), dialect.SignatureMismatch},
		{"body of a hash", set("X-TC-Content-SHA256", hexSum("{}")), tencent.CodePayload},
		{"body of two hashes", func(r *dialect.Request) {
			add("X-TC-Content-SHA256", "UNSIGNED-PAYLOAD")(r)
			add("X-TC-Content-SHA256", "UNSIGNED-PAYLOAD")(r)
		}, tencent.CodeDuplicateHeader},
		{"query added", func(r *dialect.Request) { r.Target = "/?TargetUin=1" }, tencent.CodeQueryUnsigned},
		{"another path", func(r *dialect.Request) { r.Target = "/v1/keys" }, dialect.SignatureMismatch},
		{"absolute target", func(r *dialect.Request) { r.Target = "http://keys.example.test/" }, tencent.CodeTarget},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := genuine("POST", "/", "{}")
			c.change(r)
			if got := code(r, signedAt); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// manyHeaders names n signed headers, two of them those of genuine.
func manyHeaders(n int) func(*dialect.Request) {
	return func(r *dialect.Request) {
		names := "content-type;host"
		for i := range n - 2 {
			name := "x" + string(rune('a'+i/26)) + string(rune('a'+i%26))
			names += ";" + name
			add(name, "x")(r)
		}
		authorization("content-type;host", names)(r)
	}
}

// TestReadings: the vendor's page signs header values in lower case and its clients as they are; the
// SDK for Node signs the host without its port.
func TestReadings(t *testing.T) {
	for _, c := range []struct{ kind, host, signedKind, signedHost, want string }{
		{"application/json", "keys.test", "application/json", "keys.test", ""},
		{"application/json; charset=UTF-8", "keys.test", "application/json; charset=UTF-8", "keys.test", ""},
		{"application/json; charset=UTF-8", "keys.test", "application/json; charset=utf-8", "keys.test", ""},
		{"application/json; charset=UTF-8", "Keys.test:81", "application/json; charset=utf-8", "keys.test", ""},
		{"application/json", "keys.test:81", "application/json", "keys.test:81", ""},
		{"application/json", "keys.test:81", "application/json", "keys.test", ""},
		{"application/json", "[::1]:81", "application/json", "[::1]", ""},
		{"application/json", "[::1]", "application/json", "[:", dialect.SignatureMismatch},
		{"application/json", "keys.test", "application/json", "keys.test:81", dialect.SignatureMismatch},
		{"application/json", "keys.test:81", "application/json", "keys.test:82", dialect.SignatureMismatch},
	} {
		r := unsigned("POST", "/", "{}")
		set("Host", c.signedHost)(r)
		set("Content-Type", c.signedKind)(r)
		signTC3(r, testKey, testSecret, signedAt)
		set("Host", c.host)(r)
		set("Content-Type", c.kind)(r)
		if got := code(r, signedAt); got != c.want {
			t.Errorf("%+v: got %q", c, got)
		}
	}
}

// TestUnsignedPayload: a body that is not signed is not said to be covered.
func TestUnsignedPayload(t *testing.T) {
	r := unsigned("POST", "/", "{}")
	add("X-TC-Content-SHA256", "UNSIGNED-PAYLOAD")(r)
	signTC3(r, testKey, testSecret, signedAt)
	claims, err := tencent.TC3{}.Read(r, new(dialect.Scratch))
	if err != nil || claims[0].Covers.Has(dialect.Body) || code(r, signedAt) != "" {
		t.Errorf("got %+v, %v", claims, err)
	}
	if bad, ok := errors.AsType[*dialect.MalformedError](front.CheckScope(r, claims[0])); !ok || bad.Code != tencent.CodeBodyUnsigned {
		t.Errorf("the API takes it: %v", bad)
	}
}

func TestWindow(t *testing.T) {
	for name, r := range map[string]*dialect.Request{"TC3": genuine("GET", "/?a=%20b+c", ""), "v1": genuineV1(nil, nil)} {
		for _, c := range []struct {
			after time.Duration
			want  string
		}{
			{0, ""}, {5 * time.Minute, ""}, {-5 * time.Minute, ""},
			{5*time.Minute + time.Second, dialect.RequestExpired}, {-5*time.Minute - time.Second, dialect.RequestNotYetValid},
		} {
			if got := code(r, signedAt.Add(c.after)); got != c.want {
				t.Errorf("%s after %s: got %q, want %q", name, c.after, got, c.want)
			}
		}
	}
}

func TestV1Faults(t *testing.T) {
	put := func(name, value string) func(url.Values) { return func(f url.Values) { f.Set(name, value) } }
	del := func(name string) func(url.Values) { return func(f url.Values) { f.Del(name) } }
	for _, c := range []struct {
		name          string
		before, after func(url.Values)
		want          string
	}{
		{"as it was", nil, nil, ""},
		{"odd values", put("Description", "a b+c*d~e'f(g)!h&=%/测 &i=j"), nil, ""}, // i would stand behind Nonce
		{"a value that reads like a parameter", put("Description", "x&Language=zh"), nil, tencent.CodeAmbiguous},
		{"the same, the last one", put("Zeta", "x&&Zeta2=&"), nil, tencent.CodeAmbiguous},
		{"a value that reads like a parameter, elsewhere", put("Description", "x&Action=y&Zeta=1"), nil, ""},
		{"no SecretId", nil, del("SecretId"), "unsigned"},
		{"no Nonce, no Signature", nil, func(f url.Values) { f.Del("Nonce"); f.Del("Signature") }, "unsigned"},
		{"no Nonce", nil, del("Nonce"), tencent.CodeMissingParameter},
		{"no Signature", nil, del("Signature"), tencent.CodeMissingParameter},
		{"no Timestamp", nil, del("Timestamp"), tencent.CodeMissingParameter},
		{"no SignatureMethod", nil, del("SignatureMethod"), tencent.CodeSignature}, // 32 bytes are none of SHA-1
		{"another method", nil, put("SignatureMethod", "HmacMD5"), tencent.CodeAlgorithm},
		{"a nonce of letters", nil, put("Nonce", "x"), tencent.CodeNonce},
		{"a negative nonce", nil, put("Nonce", "-1"), tencent.CodeNonce},
		{"a long nonce", nil, put("Nonce", strings.Repeat("1", 21)), tencent.CodeNonce},
		{"a timestamp of letters", nil, put("Timestamp", "now"), tencent.CodeTimestamp},
		{"a signature of letters", nil, put("Signature", "!"), tencent.CodeSignature},
		{"another nonce", nil, put("Nonce", "1"), dialect.SignatureMismatch},
		{"another action", nil, put("Action", "DeleteAccessKey"), dialect.SignatureMismatch},
		{"a parameter more", nil, put("Token", "x"), dialect.SignatureMismatch},
		{"a parameter less", put("Description", "x"), del("Description"), dialect.SignatureMismatch},
		{"a bad name", nil, put("a=b", "x"), tencent.CodeParameterName},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := code(genuineV1(c.before, c.after), signedAt); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	for name, c := range map[string]struct {
		change func(*dialect.Request)
		want   string
	}{
		"parameter twice":     {func(r *dialect.Request) { r.Target += "&Action=ListAccessKeys" }, tencent.CodeDuplicateParameter},
		"broken escape":       {func(r *dialect.Request) { r.Target += "&a=%2" }, tencent.CodeEncoding},
		"empty parameters":    {func(r *dialect.Request) { r.Target += "&&" }, ""},
		"many parameters":     {func(r *dialect.Request) { r.Target += strings.Repeat("&a=1", 1024) }, tencent.CodeTooMany},
		"a body":              {func(r *dialect.Request) { r.Body = []byte("x") }, tencent.CodeBodyUnsigned},
		"another method":      {func(r *dialect.Request) { r.Method = "DELETE" }, tencent.CodeMethod},
		"another path":        {func(r *dialect.Request) { r.Target = "/x" + r.Target }, dialect.SignatureMismatch},
		"absolute target":     {func(r *dialect.Request) { r.Target = "http://x" + r.Target }, tencent.CodeTarget},
		"no host":             {drop("Host"), tencent.CodeHost},
		"another host":        {set("Host", "x.test"), dialect.SignatureMismatch},
		"two hosts":           {add("Host", "x.test"), tencent.CodeDuplicateHeader},
		"a host with a slash": {set("Host", "keys.example.test/"), tencent.CodeHost},
		"Authorization, too":  {add("Authorization", "Bearer x"), "unsigned"},
	} {
		r := genuineV1(nil, nil)
		c.change(r)
		if got := code(r, signedAt); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	r := &dialect.Request{Method: "POST", Target: "/", Host: "keys.example.test"}
	add("Host", r.Host)(r)
	add("Content-Type", "Application/x-www-form-urlencoded ; charset=utf-8")(r)
	r.Body = []byte(signV1("POST", r.Host, "/", url.Values{"Action": {"a"}}, testKey, testSecret, signedAt))
	if got := code(r, signedAt); got != "" {
		t.Errorf("a form: got %q", got)
	}
	r.Target = "/?Action=b"
	if got := code(r, signedAt); got != tencent.CodeQueryUnsigned {
		t.Errorf("a form with a query: got %q", got)
	}
	r.Target = "/"
	set("Content-Type", "text/plain")(r)
	if got := code(r, signedAt); got != "unsigned" {
		t.Errorf("no form: got %q", got)
	}
}

// TestNoParameterMoves: whatever is cut out of a signed value, or put into one, is not what was signed.
func TestNoParameterMoves(t *testing.T) {
	whole := genuineV1(func(f url.Values) { f.Set("Description", "x"); f.Set("Language", "zh-CN") }, nil)
	whole.Target = strings.Replace(whole.Target, "&Language=", "%26Language=", 1)
	if got := code(whole, signedAt); got != tencent.CodeAmbiguous {
		t.Errorf("merged into one: got %q", got)
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
		_, _, _ = front.Recognise(r), front.Action(r), front.Identity(r)
		if err1 != nil {
			return
		}
		c := first[0]
		if !bytes.Equal(c.CanonicalRequest, second[0].CanonicalRequest) || !bytes.Equal(c.StringToSign, second[0].StringToSign) {
			t.Fatal("reading twice gives two texts")
		}
		if c.AccessKeyID == "" || len(c.Signature) < 20 || c.SignedAt.IsZero() || len(first) > 4 {
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
