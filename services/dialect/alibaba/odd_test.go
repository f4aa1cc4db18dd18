package alibaba_test

import (
	"errors"
	"testing"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/alibaba"
)

// TestOddNames: the vendor's client for Go signs the names of parameters as they are. No
// other parameters may pass for those that were signed, in either way.
func TestOddNames(t *testing.T) {
	for _, c := range []struct {
		signed, sent string // the canonical query, and the one that arrives
		want         bool
	}{
		{"p(x%20y=1", "p%28x%2520y=1", false},
		{"a%28b=1", "a(b=1", true},
		{"a(b=1", "a%28b=1", true}, // as the client for Go
		{"a%2Ab=1&c(=2", "a*b=1&c(=2", true},
		{"a%20b=v", "a%20b=v", true},
		{"a%20b=v", "a%2520b=v", false}, // the name a%20b, as it is, is the name "a b", encoded
		{"a%20b=v", "a%2Bb=v", false},
		{"a=1&b=2", "a%3D1%26b=2", false}, // one name, as it is, is two parameters
		{"a=1&b(=2", "a%3D1%26b%28=2", false},
		{"a=1", "a=1&b=2", false},
	} {
		r := &dialect.Request{Method: "POST", Target: "/?" + c.sent, Host: "x", Header: []dialect.Field{{Name: "Host", Value: "x"}}}
		signACS3As(r, c.signed, testKey, testSecret)
		claims, err := dialect.Read(r, alibaba.Dialect().Schemes)
		if err == nil {
			_, err = dialect.CheckAny(claims, []byte(testSecret), signedAt)
		}
		if (err == nil) != c.want {
			t.Errorf("signed %s, sent %s: got %v, want it to hold: %t", c.signed, c.sent, err, c.want)
		}
	}
}

// TestPaths: the vendor's clients escape stars and leave tildes; a plus sign in a path is itself.
func TestPaths(t *testing.T) {
	for _, c := range []struct {
		signed, sent string
		want         bool
	}{
		{"/a%2Ab", "/a*b", true}, {"/a~b", "/a%7Eb", true}, {"/a%20b", "/a%20b", true}, {"/a%20b", "/a+b", false}, {"/a/b", "/a%2Fb", false}, {"/a", "/a/", false},
	} {
		r := &dialect.Request{Method: "GET", Target: c.signed, Host: "x", Header: []dialect.Field{{Name: "Host", Value: "x"}}}
		signACS3As(r, "", testKey, testSecret)
		r.Target = c.sent
		claims, err := dialect.Read(r, alibaba.Dialect().Schemes)
		if err == nil {
			_, err = dialect.CheckAny(claims, []byte(testSecret), signedAt)
		}
		if (err == nil) != c.want {
			t.Errorf("signed %s, sent %s: got %v, want it to hold: %t", c.signed, c.sent, err, c.want)
		}
	}
}

// TestReadRefuses: each thing that is wrong with a signature has its code.
func TestReadRefuses(t *testing.T) {
	v3 := func(change func(*dialect.Request)) *dialect.Request {
		r := &dialect.Request{Method: "POST", Target: "/?a=1", Host: "x", Header: []dialect.Field{{Name: "Host", Value: "x"}, {Name: "x-acs-action", Value: "A"}}}
		signACS3(t, r, testKey, testSecret)
		change(r)
		return r
	}
	authorization := func(value string) *dialect.Request {
		return v3(func(r *dialect.Request) { r.Header[len(r.Header)-1].Value = value })
	}
	const sign = "0000000000000000000000000000000000000000000000000000000000000000"
	const names = "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce"
	for name, c := range map[string]struct {
		r    *dialect.Request
		want string
	}{
		"two headers":          {v3(func(r *dialect.Request) { add(r, "Authorization", "ACS3-HMAC-SHA256 x") }), alibaba.CodeTwoAuthorizations},
		"another's besides":    {v3(func(r *dialect.Request) { add(r, "Authorization", "Basic x") }), alibaba.CodeTwoAuthorizations},
		"both ways":            {v3(func(r *dialect.Request) { r.Target += "&AccessKeyId=a&SignatureVersion=1.0" }), alibaba.CodeTwoMethods},
		"no path":              {v3(func(r *dialect.Request) { r.Target = "http://x/" }), alibaba.CodeTarget},
		"another algorithm":    {authorization("ACS3-RSA-SHA256 Credential=a,SignedHeaders=host,Signature=" + sign), alibaba.CodeAlgorithm},
		"spaces":               {authorization("ACS3-HMAC-SHA256 Credential=a, SignedHeaders=" + names + ", Signature=" + sign), alibaba.CodeAuthorization},
		"twice":                {authorization("ACS3-HMAC-SHA256 Credential=a,Credential=b,SignedHeaders=" + names + ",Signature=" + sign), alibaba.CodeAuthorization},
		"no signature":         {authorization("ACS3-HMAC-SHA256 Credential=a,SignedHeaders=" + names), alibaba.CodeAuthorization},
		"nobody":               {authorization("ACS3-HMAC-SHA256 Credential=,SignedHeaders=" + names + ",Signature=" + sign), alibaba.CodeCredential},
		"upper case":           {authorization("ACS3-HMAC-SHA256 Credential=a,SignedHeaders=" + names + ",Signature=A" + sign[1:]), alibaba.CodeSignature},
		"a short signature":    {authorization("ACS3-HMAC-SHA256 Credential=a,SignedHeaders=" + names + ",Signature=00"), alibaba.CodeSignature},
		"names not sorted":     {authorization("ACS3-HMAC-SHA256 Credential=a,SignedHeaders=x-acs-date;host,Signature=" + sign), alibaba.CodeSignedHeaders},
		"host not signed":      {authorization("ACS3-HMAC-SHA256 Credential=a,SignedHeaders=x-acs-content-sha256;x-acs-date;x-acs-signature-nonce,Signature=" + sign), alibaba.CodeHeaderUnsigned},
		"a header that is not": {authorization("ACS3-HMAC-SHA256 Credential=a,SignedHeaders=accept;" + names + ",Signature=" + sign), alibaba.CodeHeaderMissing},
		"one more header":      {v3(func(r *dialect.Request) { add(r, "X-Acs-Security-Token", "x") }), alibaba.CodeHeaderUnsigned},
		"a type of a body":     {v3(func(r *dialect.Request) { r.Body = []byte("x"); add(r, "Content-Type", "text/plain") }), alibaba.CodeHeaderUnsigned},
		"a body":               {v3(func(r *dialect.Request) { r.Body = []byte("x") }), alibaba.CodePayloadMismatch},
		"a parameter twice":    {v3(func(r *dialect.Request) { r.Target = "/?a=1&a=1" }), alibaba.CodeDuplicateParameter},
		"a broken escape":      {v3(func(r *dialect.Request) { r.Target = "/?a=%1" }), alibaba.CodeEncoding},
		"another time":         {v3(func(r *dialect.Request) { set(r, "x-acs-date", "2026-02-30T00:00:00Z") }), alibaba.CodeDate},
		"a fraction":           {v3(func(r *dialect.Request) { set(r, "x-acs-date", "2026-02-20T00:00:00.5Z") }), alibaba.CodeDate},
		"no nonce":             {v3(func(r *dialect.Request) { set(r, "x-acs-signature-nonce", " ") }), alibaba.CodeNonce},
		"no hash":              {v3(func(r *dialect.Request) { set(r, "x-acs-content-sha256", "UNSIGNED-PAYLOAD") }), alibaba.CodePayloadHash},
	} {
		_, err := dialect.Read(c.r, alibaba.Dialect().Schemes)
		bad, ok := errors.AsType[*dialect.MalformedError](err)
		if !ok || bad.Code != c.want || bad.Detail == "" {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

func set(r *dialect.Request, name, value string) {
	for i := range r.Header {
		if r.Header[i].Name == name {
			r.Header[i].Value = value
		}
	}
}
