package tencent_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"sort"
	"strings"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
)

const (
	testKey    = "KLAK0123456789ABCDEF"
	testSecret = "kls_0123456789abcdefghijklmnopqrstuvwxyz"
)

var signedAt = time.Date(2026, 11, 22, 4, 46, 48, 0, time.UTC)

func hmac256(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

func hexSum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// signTC3 signs r as the vendor's page tells a client to, and by nothing that the package under test has.
// More headers may be named that are signed.
func signTC3(r *dialect.Request, key, secret string, at time.Time, more ...string) {
	stamp, day := fmt.Sprint(at.Unix()), at.UTC().Format("2006-01-02")
	set("X-TC-Timestamp", stamp)(r)
	names := append([]string{"content-type", "host"}, more...)
	sort.Strings(names)
	canonical := r.Method + "\n" + r.Path() + "\n" + r.Query() + "\n"
	for _, n := range names {
		canonical += n + ":" + r.Get(n) + "\n"
	}
	body := string(r.Body)
	if r.Get("X-TC-Content-SHA256") != "" {
		body = "UNSIGNED-PAYLOAD"
	}
	canonical += "\n" + strings.Join(names, ";") + "\n" + hexSum(body)
	scope := day + "/cam/tc3_request"
	toSign := "TC3-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + hexSum(canonical)
	derived := hmac256(hmac256(hmac256([]byte("TC3"+secret), day), "cam"), "tc3_request")
	set("Authorization", "TC3-HMAC-SHA256 Credential="+key+"/"+scope+", SignedHeaders="+strings.Join(names, ";")+
		", Signature="+hex.EncodeToString(hmac256(derived, toSign)))(r)
}

// signV1 returns the form with the common parameters of signature v1 and the signature, by HmacSHA256.
func signV1(method, host, path string, form url.Values, key, secret string, at time.Time) string {
	form.Set("SecretId", key)
	form.Set("Timestamp", fmt.Sprint(at.Unix()))
	form.Set("Nonce", "4711")
	form.Set("SignatureMethod", "HmacSHA256")
	var pairs []string
	for name := range form {
		pairs = append(pairs, name+"="+form.Get(name))
	}
	sort.Strings(pairs)
	signature := hmac256([]byte(secret), method+host+path+"?"+strings.Join(pairs, "&"))
	form.Set("Signature", base64.StdEncoding.EncodeToString(signature))
	return form.Encode()
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

// unsigned returns a request of the API that is not signed yet.
func unsigned(method, target, body string) *dialect.Request {
	r := &dialect.Request{Method: method, Target: target, Host: "keys.example.test", Body: []byte(body)}
	kind := "application/json"
	if method == "GET" {
		kind = "application/x-www-form-urlencoded"
	}
	for name, value := range map[string]string{"Host": r.Host, "Content-Type": kind, "X-TC-Action": "ListAccessKeys", "X-TC-Version": "2019-01-16"} {
		add(name, value)(r)
	}
	return r
}

// genuine returns a request signed by TC3.
func genuine(method, target, body string) *dialect.Request {
	r := unsigned(method, target, body)
	signTC3(r, testKey, testSecret, signedAt)
	return r
}

// genuineV1 returns a GET signed by v1, its query changed before it is signed and after.
func genuineV1(before, after func(url.Values)) *dialect.Request {
	form := url.Values{"Action": {"ListAccessKeys"}, "Version": {"2019-01-16"}}
	if before != nil {
		before(form)
	}
	query := signV1("GET", "keys.example.test", "/", form, testKey, testSecret, signedAt)
	if after != nil {
		form, _ = url.ParseQuery(query)
		after(form)
		query = form.Encode()
	}
	return &dialect.Request{Method: "GET", Target: "/?" + query, Host: "keys.example.test", Header: []dialect.Field{{Name: "Host", Value: "keys.example.test"}}}
}
