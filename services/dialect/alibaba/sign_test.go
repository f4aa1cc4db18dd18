package alibaba_test

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // as the vendor does
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
)

const (
	testKey    = "LTAITESTONLY0123456789AB"
	testSecret = "TESTONLYsecretOfThirtyLetters0"
	testNonce  = "5f4dcc3b5aa765d61d8327deb882cf99"
)

var signedAt = time.Date(2026, 11, 22, 4, 46, 48, 0, time.UTC)

// escape is the vendor's percent encoding, written in another way than the parser's.
func escape(s string) string {
	return strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace(url.QueryEscape(s))
}

func mac(h func() hash.Hash, key, text string) []byte {
	m := hmac.New(h, []byte(key))
	m.Write([]byte(text))
	return m.Sum(nil)
}

func get(r *dialect.Request, name string) string { return r.Get(name) }

func add(r *dialect.Request, name, value string) {
	r.Header = append(r.Header, dialect.Field{Name: name, Value: value})
}

// values are the parameters of a text, each once.
func values(t testing.TB, text string) map[string]string {
	t.Helper()
	parsed, err := url.ParseQuery(text)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for name, all := range parsed {
		out[name] = all[0]
	}
	return out
}

func joined(parameters map[string]string) string {
	var parts []string
	for name, value := range parameters {
		parts = append(parts, name+"\x00"+escape(name)+"="+escape(value))
	}
	slices.Sort(parts)
	for i, p := range parts {
		_, parts[i], _ = strings.Cut(p, "\x00")
	}
	return strings.Join(parts, "&")
}

// signACS3 signs a request that has the headers x-acs-action and x-acs-version.
func signACS3(t testing.TB, r *dialect.Request, key, secret string) {
	t.Helper()
	signACS3As(r, joined(values(t, r.Query())), key, secret)
}

// signACS3As signs it with a canonical query.
func signACS3As(r *dialect.Request, query, key, secret string) {
	sum := sha256.Sum256(r.Body)
	add(r, "x-acs-date", signedAt.Format("2006-01-02T15:04:05Z"))
	add(r, "x-acs-signature-nonce", testNonce)
	add(r, "x-acs-content-sha256", hex.EncodeToString(sum[:]))
	names := []string{"host"}
	for _, f := range r.Header {
		if name := strings.ToLower(f.Name); strings.HasPrefix(name, "x-acs-") || name == "content-type" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	canonical := r.Method + "\n" + r.Path() + "\n" + query + "\n"
	for _, name := range names {
		canonical += name + ":" + get(r, name) + "\n"
	}
	list := strings.Join(names, ";")
	canonical += "\n" + list + "\n" + hex.EncodeToString(sum[:])
	hashed := sha256.Sum256([]byte(canonical))
	signature := mac(sha256.New, secret, "ACS3-HMAC-SHA256\n"+hex.EncodeToString(hashed[:]))
	add(r, "Authorization", fmt.Sprintf("ACS3-HMAC-SHA256 Credential=%s,SignedHeaders=%s,Signature=%x", key, list, signature))
}

// signRPC signs a request whose parameters are in the query and, of a form, in the body.
func signRPC(t testing.TB, r *dialect.Request, key, secret string) {
	t.Helper()
	common := url.Values{
		"AccessKeyId": {key}, "SignatureMethod": {"HMAC-SHA1"}, "SignatureVersion": {"1.0"}, "SignatureNonce": {testNonce},
		"Timestamp": {signedAt.Format("2006-01-02T15:04:05Z")},
	}
	r.Target = r.Path() + "?" + strings.TrimPrefix(r.Query()+"&"+common.Encode(), "&")
	all := values(t, r.Query())
	if strings.HasPrefix(get(r, "content-type"), "application/x-www-form-urlencoded") {
		for name, value := range values(t, string(r.Body)) {
			all[name] = value
		}
	}
	text := r.Method + "&%2F&" + escape(joined(all))
	r.Target += "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(mac(sha1.New, secret+"&", text)))
}
