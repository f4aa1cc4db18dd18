package api_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// What aws.Sign does not make: signatures that cover less than the native API
// wants, by the rules of the vendor's own page.

func signPlainly(r *http.Request, c client, service, payload string, now time.Time) {
	stamp := now.UTC().Format("20060102T150405Z")
	r.Header.Set("X-Amz-Date", stamp)
	headers := "host:" + r.URL.Host + "\nx-amz-content-sha256:" + payload + "\nx-amz-date:" + stamp + "\n"
	const names = "host;x-amz-content-sha256;x-amz-date"
	scope, signature := signature(c, service, stamp, strings.Join([]string{r.Method, r.URL.EscapedPath(), "", headers, names, payload}, "\n"))
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+c.id+"/"+scope+", SignedHeaders="+names+", Signature="+signature)
}

// presign is the query of a presigned request without a body.
func presign(r *http.Request, c client, now time.Time) string {
	stamp := now.UTC().Format("20060102T150405Z")
	q := url.Values{
		"X-Amz-Algorithm": {"AWS4-HMAC-SHA256"}, "X-Amz-Credential": {c.id + "/" + stamp[:8] + "/local/keyledger/aws4_request"},
		"X-Amz-Date": {stamp}, "X-Amz-Expires": {"60"}, "X-Amz-SignedHeaders": {"host"},
	}
	sum := sha256.Sum256(nil)
	_, sign := signature(c, "keyledger", stamp, strings.Join([]string{
		r.Method, r.URL.EscapedPath(), q.Encode(), "host:" + r.URL.Host + "\n", "host", hex.EncodeToString(sum[:]),
	}, "\n"))
	return q.Encode() + "&X-Amz-Signature=" + sign
}

func signature(c client, service, stamp, canonical string) (scope, text string) {
	scope = stamp[:8] + "/local/" + service + "/aws4_request"
	sum := sha256.Sum256([]byte(canonical))
	key := []byte("AWS4" + c.secret)
	for _, part := range append(strings.Split(scope, "/"), "AWS4-HMAC-SHA256\n"+stamp+"\n"+scope+"\n"+hex.EncodeToString(sum[:])) {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(part))
		key = m.Sum(nil)
	}
	return scope, hex.EncodeToString(key)
}

// signSDK signs a request without query and body by SDK-HMAC-SHA256, whose claim names no service.
func signSDK(r *http.Request, c client, now time.Time) {
	stamp := now.UTC().Format("20060102T150405Z")
	r.Header.Set("X-Sdk-Date", stamp)
	const names = "host;x-sdk-date"
	empty := sha256.Sum256(nil)
	sum := sha256.Sum256([]byte(strings.Join([]string{
		r.Method, r.URL.EscapedPath() + "/", "", "host:" + r.URL.Host + "\nx-sdk-date:" + stamp + "\n", names, hex.EncodeToString(empty[:]),
	}, "\n")))
	m := hmac.New(sha256.New, []byte(c.secret))
	m.Write([]byte("SDK-HMAC-SHA256\n" + stamp + "\n" + hex.EncodeToString(sum[:])))
	r.Header.Set("Authorization", "SDK-HMAC-SHA256 Access="+c.id+", SignedHeaders="+names+", Signature="+hex.EncodeToString(m.Sum(nil)))
}
