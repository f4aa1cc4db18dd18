package sdk

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	openapiutil "github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	"github.com/alibabacloud-go/tea/dara"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/alibaba"
)

// odd draws a text of characters that signers and parsers disagree about.
func odd(r *rand.Rand, from string) string {
	all := []rune(from)
	var b strings.Builder
	for range r.IntN(24) {
		b.WriteRune(all[r.IntN(len(all))])
	}
	return b.String()
}

const (
	inValues  = "abzABZ019 -_.~!*'()+%&=/?#:;,@$[]{}<>\"\\^`|\t\n\x00\x7fé测试🔑"
	inNames   = "abzABZ019-_.~!*'()/?:;,@$[]{}<>|é测" // what has a meaning in a query is not signed apart by the vendor's own signer
	inHeaders = "abzABZ019 -_.~!*'()+%&=/?#:;,@$[]{}"
)

// onWire escapes as one of the ways that clients do: what has to be, and a space as a plus
// sign or not.
func onWire(r *rand.Rand, text string) string {
	s := url.QueryEscape(text)
	if r.IntN(2) == 0 {
		s = strings.ReplaceAll(s, "+", "%20")
	}
	if r.IntN(2) == 0 {
		s = strings.ReplaceAll(strings.ReplaceAll(s, "%2A", "*"), "%7E", "~")
	}
	return s
}

func query(r *rand.Rand, parameters map[string]*string) string {
	var parts []string
	for name, value := range parameters {
		parts = append(parts, onWire(r, name)+"="+onWire(r, *value))
	}
	return strings.Join(parts, "&")
}

func check(t *testing.T, i int, r *dialect.Request, secret string, now time.Time) {
	t.Helper()
	claims, err := dialect.Read(r, alibaba.Dialect().Schemes)
	if err == nil {
		_, err = dialect.CheckAny(claims, []byte(secret), now)
	}
	if err != nil {
		t.Fatalf("%d: %v\n%s %s %q\n%q", i, err, r.Method, r.Target, r.Header, r.Body)
	}
}

// TestDifferential: what the vendor's own signer makes of 10,000 random requests of each
// scheme is what ours take for genuine.
func TestDifferential(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 2026))
	now := time.Now().UTC().Truncate(time.Second)
	for i := range 10000 {
		secret := odd(random, inValues) + "x"
		parameters := map[string]*string{}
		for range random.IntN(6) {
			parameters["p"+odd(random, inNames)] = dara.String(odd(random, inValues))
		}
		signedV3(t, random, i, parameters, secret, now)
		signedRPC(t, random, i, parameters, secret, now)
	}
}

func signedV3(t *testing.T, random *rand.Rand, i int, parameters map[string]*string, secret string, now time.Time) {
	path := "/"
	for range random.IntN(3) {
		path += strings.ReplaceAll(url.QueryEscape(odd(random, inValues)), "+", "%20") + "/"
	}
	body := []byte(odd(random, inValues))
	sum := sha256.Sum256(body)
	headers := map[string]*string{
		"host": dara.String([]string{"keys.test", "keys.test:8080", "[::1]:8080"}[random.IntN(3)]), "x-acs-date": dara.String(now.Format("2006-01-02T15:04:05Z")),
		"x-acs-signature-nonce": dara.String(fmt.Sprintf("nonce%d", i)), "x-acs-content-sha256": dara.String(hex.EncodeToString(sum[:])),
		"x-acs-action": dara.String("DoThis"), "x-acs-version": dara.String("2015-05-01"), "content-type": dara.String("text/plain; " + odd(random, inHeaders)),
		"x-acs-odd": dara.String(odd(random, inHeaders)), "accept": dara.String("application/json"),
	}
	signed := &dara.Request{Method: dara.String([]string{"GET", "POST", "PUT"}[random.IntN(3)]), Pathname: &path, Query: parameters, Headers: headers}
	authorization := openapiutil.GetAuthorization(signed, dara.String("ACS3-HMAC-SHA256"), headers["x-acs-content-sha256"], dara.String("KLAK0000000000000001"), &secret)
	r := &dialect.Request{Method: *signed.Method, Target: path + "?" + query(random, parameters), Host: *headers["host"], Body: body}
	for name, value := range headers {
		r.Header = append(r.Header, dialect.Field{Name: name, Value: *value})
	}
	r.Header = append(r.Header, dialect.Field{Name: "Authorization", Value: *authorization})
	check(t, i, r, secret, now)
}

func signedRPC(t *testing.T, random *rand.Rand, i int, parameters map[string]*string, secret string, now time.Time) {
	all := map[string]*string{
		"AccessKeyId": dara.String("KLAK0000000000000001"), "SignatureMethod": dara.String("HMAC-SHA1"), "SignatureVersion": dara.String("1.0"),
		"SignatureNonce": dara.String(fmt.Sprintf("nonce%d", i)), "Timestamp": dara.String(now.Format("2006-01-02T15:04:05Z")),
	}
	for name, value := range parameters {
		all[name] = value
	}
	method := []string{"GET", "POST"}[random.IntN(2)]
	signature := openapiutil.GetRPCSignature(all, &method, &secret)
	inQuery, inForm := map[string]*string{"Signature": signature}, map[string]*string{}
	for name, value := range all {
		if method == "POST" && random.IntN(2) == 0 {
			inForm[name] = value
		} else {
			inQuery[name] = value
		}
	}
	r := &dialect.Request{Method: method, Target: "/?" + query(random, inQuery), Host: "keys.test", Header: []dialect.Field{{Name: "Host", Value: "keys.test"}}}
	if len(inForm) > 0 {
		r.Body = []byte(query(random, inForm))
		r.Header = append(r.Header, dialect.Field{Name: "Content-Type", Value: "application/x-www-form-urlencoded"})
	}
	check(t, i, r, secret, now)
}
