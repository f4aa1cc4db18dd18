package obs_test

import (
	"encoding/base64"
	"errors"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/aws"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
	"github.com/keyledger/keyledger/services/dialect/objectstore"
	"github.com/keyledger/keyledger/services/dialect/obs"
)

// Clients of OBS also sign as those of S3 do; package aws reads that.
func TestVectors(t *testing.T) {
	dialecttest.Run(t, append(obs.Dialect().Schemes, aws.Dialect().Schemes...), "testdata/vectors")
}

const (
	testKey    = "KLAK0123456789ABCDEF"
	testSecret = "kls_0123456789abcdefghijklmnopqrstuvwxyz"
	nothing    = "AAAAAAAAAAAAAAAAAAAAAAAAAAA="
)

var (
	front    = obs.Dialect().Front
	signedAt = time.Date(2026, 11, 22, 4, 45, 21, 0, time.UTC)
)

func add(name, value string) func(*dialect.Request) {
	return func(r *dialect.Request) { r.Header = append(r.Header, dialect.Field{Name: name, Value: value}) }
}

func set(name, value string) func(*dialect.Request) {
	return func(r *dialect.Request) {
		drop(name)(r)
		add(name, value)(r)
	}
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

// genuine is signed in its header.
func genuine(t testing.TB, method, target, body string) *dialect.Request {
	t.Helper()
	r := &dialect.Request{Method: method, Target: target, Host: "127.0.0.1:7420", Body: []byte(body)}
	add("Date", "Sun, 22 Nov 2026 04:45:21 GMT")(r)
	add("Authorization", "OBS "+testKey+":"+nothing)(r)
	resign(t, r)
	return r
}

// signedURL is signed in its query.
func signedURL(t testing.TB, target string, until time.Time) *dialect.Request {
	t.Helper()
	join := "?"
	if strings.Contains(target, "?") {
		join = "&"
	}
	target += join + "AccessKeyId=" + testKey + "&Expires=" + strconv.FormatInt(until.Unix(), 10) + "&Signature=" + nothing
	r := &dialect.Request{Method: "GET", Target: target, Host: "127.0.0.1:7420"}
	resign(t, r)
	return r
}

// resign puts a right signature into a request that carries an empty one.
func resign(t testing.TB, r *dialect.Request) {
	t.Helper()
	claims, err := obs.Scheme.Read(r, new(dialect.Scratch))
	if err != nil {
		t.Fatal(err)
	}
	signature := base64.StdEncoding.EncodeToString(claims[0].MAC([]byte(testSecret)))
	set("Authorization", strings.Replace(r.Get("Authorization"), nothing, signature, 1))(r)
	if r.Get("Authorization") == "" {
		drop("Authorization")(r)
	}
	r.Target = strings.Replace(r.Target, nothing, strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(signature), 1)
}

// code returns the stable code of what became of r.
func code(r *dialect.Request, now time.Time) string {
	claims, err := obs.Scheme.Read(r, new(dialect.Scratch))
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

func TestHeaderFaults(t *testing.T) {
	target := func(s string) func(*dialect.Request) { return func(r *dialect.Request) { r.Target = s } }
	for _, c := range []struct {
		name   string
		change func(*dialect.Request)
		want   string
	}{
		{"as it was", func(*dialect.Request) {}, ""},
		{"no signature", drop("Authorization"), "unsigned"},
		{"another word", set("Authorization", "AWS "+testKey+":"+nothing), "unsigned"},
		{"no word's end", set("Authorization", "OBS"), "unsigned"},
		{"no key", set("Authorization", "OBS :"+nothing), objectstore.CodeAuthorization},
		{"no signature after the key", set("Authorization", "OBS "+testKey), objectstore.CodeAuthorization},
		{"a long key", set("Authorization", "OBS "+strings.Repeat("A", 129)+":"+nothing), objectstore.CodeAuthorization},
		{"a short signature", set("Authorization", "OBS "+testKey+":AAAA"), objectstore.CodeSignature},
		{"bits too many", set("Authorization", "OBS "+testKey+":"+strings.Replace(nothing, "A=", "B=", 1)), objectstore.CodeSignature},
		{"two Authorization headers", add("Authorization", "Bearer x"), objectstore.CodeTwoAuthorizations},
		{"header and query", target("/b/k?AccessKeyId=x&Expires=1&Signature=y"), objectstore.CodeTwoMethods},
		{"no date", drop("Date"), objectstore.CodeMissingDate},
		{"two dates", add("date", "x"), objectstore.CodeDuplicateHeader},
		{"another kind of date", set("Date", "2026-11-22"), objectstore.CodeDate},
		{"the vendor's own date put in", add("X-Obs-Date", "Sun, 22 Nov 2026 04:45:21 GMT"), dialect.SignatureMismatch},
		{"another method", func(r *dialect.Request) { r.Method = "DELETE" }, dialect.SignatureMismatch},
		{"another path", target("/b/l"), dialect.SignatureMismatch},
		{"an absolute target", target("http://127.0.0.1/b/k"), objectstore.CodeTarget},
		{"a sub-resource put in", target("/b/k?acl"), dialect.SignatureMismatch},
		{"a parameter that is not signed", target("/b/k?prefix=a"), ""},
		{"a sub-resource twice", target("/b/k?acl&acl"), objectstore.CodeDuplicateParameter},
		{"a broken escape", target("/b/k?a=%2"), objectstore.CodeEncoding},
		{"a header put in", add("X-Obs-Acl", "public-read"), dialect.SignatureMismatch},
		{"another vendor's header put in", add("X-Amz-Acl", "public-read"), ""},
		{"a type put in", add("Content-Type", "text/plain"), dialect.SignatureMismatch},
		{"another body", func(r *dialect.Request) { r.Body = []byte("b") }, ""},
		{"the body's MD5 put in", add("Content-MD5", "DMF1ucDxtqgxw5niaXcmYQ=="), dialect.SignatureMismatch},
		{"another body's MD5", add("Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA=="), objectstore.CodeDigest},
		{"an MD5 of no form", add("Content-MD5", "AAAA"), objectstore.CodeDigestForm},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := genuine(t, "PUT", "/b/k", "a")
			c.change(r)
			if got := code(r, signedAt); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestURLFaults(t *testing.T) {
	target := func(old, new string) func(*dialect.Request) {
		return func(r *dialect.Request) { r.Target = strings.Replace(r.Target, old, new, 1) }
	}
	for _, c := range []struct {
		name   string
		change func(*dialect.Request)
		want   string
	}{
		{"as it was", func(*dialect.Request) {}, ""},
		{"a longer life", target("&Expires=", "&Expires=1"), objectstore.CodeExpires},
		{"another life", target("&Expires=17", "&Expires=18"), dialect.SignatureMismatch},
		{"a life of no number", target("&Expires=", "&Expires=-"), objectstore.CodeExpires},
		{"two lives", target("&Expires=", "&Expires=1&Expires="), objectstore.CodeDuplicateParameter},
		{"two lives, one disguised", target("&Expires=", "&%45xpires=1&Expires="), objectstore.CodeDuplicateParameter},
		{"no life", target("&Expires=", "&Expired="), "unsigned"},
		{"a policy", target("&Expires=", "&Policy="), objectstore.CodePolicy},
		{"no key", target("AccessKeyId="+testKey, "AccessKeyId="), objectstore.CodeMissingParameter},
		{"another response", target("text", "html"), dialect.SignatureMismatch},
		{"an Authorization header", add("Authorization", "Bearer x"), objectstore.CodeTwoMethods},
		{"an unsigned header", add("Date", "whenever"), ""},
		{"a signed header", add("X-Obs-Meta-A", "b"), dialect.SignatureMismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := signedURL(t, "/b/k?response-content-type=text", signedAt.Add(time.Hour))
			c.change(r)
			if got := code(r, signedAt); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestWindows(t *testing.T) {
	header, url := genuine(t, "GET", "/b/k", ""), signedURL(t, "/b/k", signedAt.Add(time.Hour))
	for _, c := range []struct {
		r     *dialect.Request
		after time.Duration
		want  string
	}{
		{header, 15 * time.Minute, ""}, {header, -15 * time.Minute, ""},
		{header, 15*time.Minute + time.Second, dialect.RequestExpired},
		{header, -15*time.Minute - time.Second, dialect.RequestNotYetValid},
		{url, time.Hour, ""}, {url, -1000 * time.Hour, ""}, {url, time.Hour + time.Second, dialect.PresignedExpired},
	} {
		if got := code(c.r, signedAt.Add(c.after)); got != c.want {
			t.Errorf("after %s: got %q, want %q", c.after, got, c.want)
		}
	}
}

// TestBucketOfTheHost: a signature for one bucket is none for another, once it is known which
// part of the host is the service.
func TestBucketOfTheHost(t *testing.T) {
	r := genuine(t, "GET", "/b/k", "")
	for _, c := range []struct{ host, base, target, want string }{
		{"b.obs.example.test", "", "/k", ""},
		{"b.obs.example.test", "obs.example.test", "/k", ""},
		{"evil.obs.example.test", "", "/k", dialect.SignatureMismatch},
		{"evil.obs.example.test", "obs.example.test", "/b/k", dialect.SignatureMismatch},
		{"obs.example.test", "obs.example.test", "/b/k", ""},
		{"b", "obs.example.test", "/k", ""}, // a domain of the customer's
	} {
		r.Host, r.BaseHost, r.Target = c.host, c.base, c.target
		if got := code(r, signedAt); got != c.want {
			t.Errorf("%+v: got %q", c, got)
		}
	}
}

// served is what a client sees.
func served(r *dialect.Request, err error) string {
	w := httptest.NewRecorder()
	out := dialect.Outcome{}
	if err != nil {
		out = front.Refuse(w, r, "1", err)
	} else {
		out = front.Answer(nil, w, r, "1", nil) //nolint:staticcheck // it asks nobody
	}
	if out.Status != w.Code {
		return "the outcome differs"
	}
	seen := strconv.Itoa(w.Code) + " " + w.Header().Get("X-Obs-Error-Code")
	if w.Body.Len() > 0 {
		seen = strconv.Itoa(w.Code) + " " + strings.TrimSpace(strings.TrimPrefix(w.Body.String(), `<?xml version="1.0" encoding="UTF-8"?>`))
	}
	return seen
}

func TestFront(t *testing.T) {
	request := func(method, target string) *dialect.Request {
		return &dialect.Request{Method: method, Target: target}
	}
	element := func(code, message, resource string) string {
		return "<Error><Code>" + code + "</Code><Message>" + message + "</Message><Resource>" + resource + "</Resource><RequestId>1</RequestId><HostId>1</HostId></Error>"
	}
	get := request("GET", "/b/k<?acl")
	for _, c := range []struct {
		r    *dialect.Request
		err  error
		want string
	}{
		{get, nil, "404 " + element("NoSuchBucket", "The specified bucket does not exist.", "/b/k&lt;")},
		{request("GET", "/"), nil, "501 " + element("NotImplemented", "A header you provided implies functionality that is not implemented.", "/")},
		{request("PUT", "/b"), nil, "501 " + element("NotImplemented", "A header you provided implies functionality that is not implemented.", "/b")},
		{request("GET", "/?acl"), nil, "404 " + element("NoSuchBucket", "The specified bucket does not exist.", "/")},
		{request("HEAD", "/b/k"), nil, "404 NoSuchBucket"},
		{request("HEAD", "/b/k"), dialect.ErrUnknownKey, "403 InvalidAccessKeyId"},
		{get, dialect.ErrUnsigned, "403 " + element("AccessDenied", "Access Denied", "/b/k&lt;")},
		{get, dialect.ErrKeyDisabled, "403 " + element("InvalidAccessKeyId", "The access key ID you provided does not exist in our records.", "/b/k&lt;")},
		{request("HEAD", "/b/k"), dialect.ErrKeyRestricted, "403 InvalidAccessKeyId"},
		{get, &dialect.NetworkError{}, "403 " + element("AccessDenied", "Access Denied: the account&#39;s network policy for access keys does not allow the source address.", "/b/k&lt;")},
		{get, &dialect.RefusedError{Reason: dialect.SignatureMismatch}, "403 " + element("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method.", "/b/k&lt;")},
		{get, &dialect.RefusedError{Reason: dialect.RequestExpired}, "403 " + element("RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", "/b/k&lt;")},
		{get, &dialect.RefusedError{Reason: dialect.PresignedExpired}, "403 " + element("RequestTimeTooSkewed", "Request has expired.", "/b/k&lt;")},
		{get, &dialect.MalformedError{Code: objectstore.CodeDigest, Detail: "x"}, "400 " + element("BadDigest", "The Content-MD5 you specified did not match what we received.", "/b/k&lt;")},
		{get, &dialect.MalformedError{Code: "other", Detail: "what is wrong"}, "400 " + element("InvalidArgument", "what is wrong (other)", "/b/k&lt;")},
		{get, &dialect.Fault{Kind: dialect.Unavailable}, "503 " + element("ServiceUnavailable", "The service is not available now. Send the request again.", "/b/k&lt;")},
		{get, &dialect.Fault{Kind: dialect.Invalid, Detail: "too large"}, "400 " + element("InvalidRequest", "too large", "/b/k&lt;")},
		{get, errors.New("/var/lib/secret path"), "500 " + element("InternalError", "We encountered an internal error. Please try again.", "/b/k&lt;")},
	} {
		if got := served(c.r, c.err); got != c.want {
			t.Errorf("%s %s, %v: got\n%s\nwant\n%s", c.r.Method, c.r.Target, c.err, got, c.want)
		}
	}
}

func TestRecognise(t *testing.T) {
	for _, c := range []struct {
		target, authorization string
		want                  bool
	}{
		{"/b", "OBS x", true}, {"/b", "AWS x", false}, {"/v1/keys", "OBS x", false}, {"/b", "", false},
		{"/b?AccessKeyId=a&Signature=b&Expires=1", "", true},
		{"/?AccessKeyId=a&Signature=b&SignatureMethod=HMAC-SHA1", "", false}, // another vendor's
		{"/b?AWSAccessKeyId=a&Signature=b&Expires=1", "", false},
	} {
		r := &dialect.Request{Method: "GET", Target: c.target}
		if c.authorization != "" {
			add("Authorization", c.authorization)(r)
		}
		if got := front.Recognise(r); got != c.want {
			t.Errorf("%s %q: got %t", c.target, c.authorization, got)
		}
	}
	if err := front.CheckScope(nil, dialect.Claim{Service: "iam"}); err == nil {
		t.Error("made for another service: got no error")
	}
	r := &dialect.Request{Method: "GET", Target: "/b"}
	if front.Action(r) != "REST.GET" || front.Action(&dialect.Request{Method: "BREW"}) != "" || front.Identity(r) != "" {
		t.Error("got another action or identity")
	}
}

func FuzzRead(f *testing.F) {
	for _, v := range dialecttest.Load(f, "testdata/vectors") {
		r := v.Request()
		var lines []string
		for _, h := range r.Header {
			lines = append(lines, h.Name+":"+h.Value)
		}
		f.Add(r.Method, r.Target, r.Host, strings.Join(lines, "\n"), r.Body)
	}
	f.Fuzz(func(t *testing.T, method, target, host, header string, body []byte) {
		r := &dialect.Request{Method: method, Target: target, Host: host, Body: body}
		for line := range strings.SplitSeq(header, "\n") {
			name, value, _ := strings.Cut(line, ":")
			add(name, value)(r)
		}
		for _, s := range []objectstore.V2{obs.Scheme, aws.V2} {
			claims, err := s.Read(r, new(dialect.Scratch))
			if err == nil != (len(claims) > 0) {
				t.Fatalf("got %d claims, %v", len(claims), err)
			}
			for _, c := range claims {
				if c.AccessKeyID == "" || len(c.Signature) != 20 || c.AccessKeyID != claims[0].AccessKeyID {
					t.Fatalf("a claim with a hole: %+v", c)
				}
			}
			if err == nil && !s.Speaks(r) {
				t.Fatal("read, and it does not speak")
			}
			if _, err := dialect.CheckAny(claims, nil, signedAt); err == nil {
				t.Fatal("no secret, and it passed")
			}
		}
	})
}
