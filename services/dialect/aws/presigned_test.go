package aws_test

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/aws"
)

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// presignedRequest is a GetCallerIdentity as a presigner writes it, with more
// put behind its query. Its signature is a placeholder until resign.
func presignedRequest(more string) *dialect.Request {
	return &dialect.Request{
		Method: "GET",
		Target: "/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256" +
			"&X-Amz-Credential=" + testKey + "%2F20261122%2Fus-east-1%2Fsts%2Faws4_request" +
			"&X-Amz-Date=20261122T044648Z&X-Amz-SignedHeaders=host" +
			"&X-Amz-Signature=" + strings.Repeat("0", 64) + more,
		Host:   "sts.example.test",
		Header: []dialect.Field{{Name: "Host", Value: "sts.example.test"}, {Name: "Accept", Value: "*/*"}},
	}
}

func TestPresignedLife(t *testing.T) {
	for _, c := range []struct {
		more  string
		after time.Duration
		want  string
	}{
		{"", 0, ""},
		{"", 15 * time.Minute, ""},
		{"", 15*time.Minute + time.Second, dialect.PresignedExpired},
		{"", -5 * time.Minute, ""},
		{"", -5*time.Minute - time.Second, dialect.RequestNotYetValid},
		{"&X-Amz-Expires=60", time.Minute, ""},
		{"&X-Amz-Expires=60", time.Minute + time.Second, dialect.PresignedExpired},
		{"&X-Amz-Expires=604800", 7 * 24 * time.Hour, ""},
	} {
		r := presignedRequest(c.more)
		resign(t, r)
		if got := code(r, signedAt.Add(c.after)); got != c.want {
			t.Errorf("%q after %s: got %q, want %q", c.more, c.after, got, c.want)
		}
	}
}

func TestPresignedFaults(t *testing.T) {
	target := func(old, new string) func(*dialect.Request) {
		return func(r *dialect.Request) { r.Target = strings.Replace(r.Target, old, new, 1) }
	}
	for _, c := range []struct {
		name   string
		change func(*dialect.Request)
		want   string
	}{
		{"as it was", func(*dialect.Request) {}, ""},
		{"another action", target("GetCaller", "SetCaller"), dialect.SignatureMismatch},
		{"order does not count", func(r *dialect.Request) {
			r.Target = strings.Replace(r.Target, "Action=GetCallerIdentity&", "", 1) + "&Action=GetCallerIdentity"
		}, ""},
		{"a life put in", target("&X-Amz-Date", "&X-Amz-Expires=604800&X-Amz-Date"), dialect.SignatureMismatch},
		{"no life", target("&X-Amz-Date", "&X-Amz-Expires=0&X-Amz-Date"), aws.CodeExpires},
		{"too long a life", target("&X-Amz-Date", "&X-Amz-Expires=604801&X-Amz-Date"), aws.CodeExpires},
		{"negative life", target("&X-Amz-Date", "&X-Amz-Expires=-1&X-Amz-Date"), aws.CodeExpires},
		{"enormous life", target("&X-Amz-Date", "&X-Amz-Expires=99999999999999999999&X-Amz-Date"), aws.CodeExpires},
		{"no date", target("X-Amz-Date=", "X-Date="), aws.CodeMissingDate},
		{"no algorithm", target("X-Amz-Algorithm=", "Algorithm="), aws.CodeAlgorithm},
		{"no credential", target("X-Amz-Credential=", "Credential="), aws.CodeMissingParameter},
		{"two signatures", target("&X-Amz-Signature", "&X-Amz-Signature=00&X-Amz-Signature"), aws.CodeDuplicateParameter},
		{"two signatures, one disguised", target("&X-Amz-Signature", "&X-Amz-Signatur%65=00&X-Amz-Signature"), aws.CodeDuplicateParameter},
		{"two dates", target("&X-Amz-Date", "&X-Amz-Date=20261122T044648Z&X-Amz-Date"), aws.CodeDuplicateParameter},
		{"host not signed", target("SignedHeaders=host", "SignedHeaders=accept"), aws.CodeHostUnsigned},
		{"of S3", target("%2Fsts%2F", "%2Fs3%2F"), aws.CodeExpires},
		{"of S3, with a life", func(r *dialect.Request) {
			target("%2Fsts%2F", "%2Fs3%2F")(r)
			r.Target += "&X-Amz-Expires=60"
		}, dialect.SignatureMismatch},
		{"a body", func(r *dialect.Request) { r.Body = []byte("a") }, dialect.SignatureMismatch},
		{"an Authorization header", add("Authorization", "Bearer x"), aws.CodeTwoMethods},
		{"a header added on the way", add("X-Amz-Security-Token", "x"), aws.CodeHeaderUnsigned},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := presignedRequest("")
			resign(t, r)
			c.change(r)
			if got := code(r, signedAt); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// Every bit of a presigned target is signed.
func TestPresignedFlips(t *testing.T) {
	r := presignedRequest("")
	resign(t, r)
	good := r.Target
	for i := range len(good) {
		for bit := range 8 {
			b := []byte(good)
			b[i] ^= 1 << bit
			if r.Target = string(b); strings.EqualFold(r.Target, good) && strings.Contains(good[max(0, i-2):i], "%") {
				continue // the case of an escape's digit means nothing
			}
			claims, err := aws.SigV4{}.Read(r, new(dialect.Scratch))
			if err == nil && claims[0].AccessKeyID == testKey && dialect.Check(&claims[0], []byte(testSecret), signedAt) == nil {
				t.Errorf("still valid: %q", r.Target)
			}
		}
	}
}

func TestPresignedToken(t *testing.T) {
	r := presignedRequest("&X-Amz-Security-Token=a%2Bb%2F")
	claims, err := aws.SigV4{}.Read(r, new(dialect.Scratch))
	if err != nil {
		t.Fatal(err)
	}
	if len(claims) != 1 {
		t.Errorf("got %d readings, want the canonical one only", len(claims))
	}
	if got := claims[0].SessionToken; got != "a+b/" {
		t.Errorf("got token %q", got)
	}
	if !claims[0].Presigned || claims[0].Service != "sts" {
		t.Errorf("got %+v", claims[0])
	}
}
