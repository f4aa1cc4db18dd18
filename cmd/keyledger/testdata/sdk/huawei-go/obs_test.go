package sdk

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-obs/obs"

	"github.com/keyledger/keyledger/cmd/keyledger/testdata/sdk/ledger"
)

// store is a client of the object store. Whatever host it calls, it reaches the ledger: a bucket's
// name stands in the host.
func store(t *testing.T, k ledger.Pair, endpoint, reached string, signature obs.SignatureType) *obs.ObsClient {
	t.Helper()
	u, err := url.Parse(reached)
	if err != nil {
		t.Fatal(err)
	}
	c, err := obs.New(k.ID, k.Secret, endpoint, obs.WithSignature(signature), obs.WithRegion("cn-north-4"), obs.WithMaxRetryCount(0),
		obs.WithHttpTransport(&http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, u.Host)
		}}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// wantsOBS holds that err is the vendor's error with the code.
func wantsOBS(t *testing.T, what string, err error, status int, code string) {
	t.Helper()
	var said obs.ObsError
	if !errors.As(err, &said) || said.StatusCode != status || said.Code != code {
		t.Errorf("%s: got %v, want %d %s", what, err, status, code)
	}
}

// stores are the ways in which the SDK signs, by what it is told and by its endpoint.
func stores(t *testing.T, l *ledger.Ledger, k ledger.Pair) map[string]*obs.ObsClient {
	t.Helper()
	_, port, _ := strings.Cut(strings.TrimPrefix(l.URL, "http://"), ":")
	named := "http://obs.example.test:" + port
	return map[string]*obs.ObsClient{
		"OBS": store(t, k, named, l.URL, obs.SignatureObs), "V2": store(t, k, named, l.URL, obs.SignatureV2),
		"V4": store(t, k, named, l.URL, obs.SignatureV4), "OBS, by an address": store(t, k, l.URL, l.URL, obs.SignatureObs),
		"V2, by an address": store(t, k, l.URL, l.URL, obs.SignatureV2), "V4, by an address": store(t, k, l.URL, l.URL, obs.SignatureV4),
	}
}

// TestLifeOBS is a key's life under the preset obs: managed through IAM, used at the object
// store, which verifies it and has no bucket.
func TestLifeOBS(t *testing.T) {
	a := open(t, "obs")
	root, alice := a.v3(a.Key), a.User("alice")
	made, err := create(root, alice)
	if err != nil {
		t.Fatal(err)
	}
	second, err := create(root, alice)
	if err != nil {
		t.Fatal(err)
	}
	_, err = create(root, alice)
	wants(t, "a third active key", err, 400, "akSkNumExceed")
	own := ledger.Pair{ID: made.Access, Secret: made.Secret}
	for name, c := range stores(t, a.Ledger, own) {
		_, err := c.GetObject(&obs.GetObjectInput{GetObjectMetadataInput: obs.GetObjectMetadataInput{Bucket: "bucket", Key: "dir a/b+c~é中.txt"}})
		wantsOBS(t, name+": get", err, 404, "NoSuchBucket")
		put := &obs.PutObjectInput{Body: strings.NewReader("hello")}
		put.Bucket, put.Key, put.ContentType, put.Metadata = "bucket", "k", "text/plain", map[string]string{"name": "中 文"}
		_, err = c.PutObject(put)
		wantsOBS(t, name+": put", err, 404, "NoSuchBucket")
		_, err = c.GetObjectMetadata(&obs.GetObjectMetadataInput{Bucket: "bucket", Key: "k"})
		wantsOBS(t, name+": head", err, 404, "NoSuchBucket")
		_, err = c.GetBucketAcl("bucket")
		wantsOBS(t, name+": acl", err, 404, "NoSuchBucket")
		_, err = c.ListBuckets(nil)
		wantsOBS(t, name+": list", err, 501, "NotImplemented")
		signed, err := c.CreateSignedUrl(&obs.CreateSignedUrlInput{Method: obs.HttpMethodGet, Bucket: "bucket", Key: "a b/中+~.txt", Expires: 3600})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.GetObjectWithSignedUrl(signed.SignedUrl, signed.ActualSignedRequestHeaders)
		wantsOBS(t, name+": a signed URL", err, 404, "NoSuchBucket")
	}
	for name, c := range stores(t, a.Ledger, ledger.Pair{ID: own.ID, Secret: own.Secret + "x"}) {
		_, err := c.GetBucketAcl("bucket")
		wantsOBS(t, name+": a wrong secret", err, 403, "SignatureDoesNotMatch")
		_, err = c.HeadBucket("bucket")
		wantsOBS(t, name+": a wrong secret, no body", err, 403, "SignatureDoesNotMatch")
	}
	for until := time.Now().Add(20 * time.Second); ; {
		out, err := root.ShowPermanentAccessKey(showOf(own.ID))
		if err != nil {
			t.Fatal(err)
		}
		if out.Credential.LastUseTime != made.CreateTime {
			break
		}
		if time.Now().After(until) {
			t.Fatal("waited in vain for the last use")
		}
	}
	wants(t, "make it inactive", turn(root, own.ID, states.INACTIVE), 0, "")
	for name, c := range stores(t, a.Ledger, own) {
		_, err := c.GetBucketAcl("bucket")
		wantsOBS(t, name+": an inactive key", err, 403, "InvalidAccessKeyId")
	}
	third, err := create(root, alice)
	wants(t, "a third key, one of them inactive", err, 0, "")
	wants(t, "make the first active, as a third", turn(root, own.ID, states.ACTIVE), 400, "akSkNumExceed")
	wants(t, "delete an active key", remove(root, second.Access), 0, "")
	wants(t, "make the first active", turn(root, own.ID, states.ACTIVE), 0, "")
	for name, c := range stores(t, a.Ledger, own) {
		_, err := c.GetBucketAcl("bucket")
		wantsOBS(t, name+": an active key", err, 404, "NoSuchBucket")
	}
	if got := list(t, root, alice); len(got) != 2 || third == nil {
		t.Errorf("got the keys %+v, want two", got)
	}
}

// TestSDKDifferentialOBS signs random requests by the SDK, in each of its ways.
func TestSDKDifferentialOBS(t *testing.T) {
	at, next := capturing(t)
	for name, signature := range map[string]obs.SignatureType{"OBS": obs.SignatureObs, "V2": obs.SignatureV2, "V4": obs.SignatureV4} {
		for _, base := range []string{"obs.example.test", "127.0.0.1"} {
			t.Run(name+" at "+base, func(t *testing.T) {
				r := rand.New(rand.NewPCG(3, 4))
				k := ledger.Pair{ID: "TESTOBS", Secret: "secret" + odd(r, 30)}
				c := store(t, k, "http://"+base+":80", at, signature)
				var captures []capture
				for i := range rounds() {
					randomOBS(r, c)
					got := next()
					got.Name, got.AccessKeyID, got.Secret, got.BaseHost = fmt.Sprintf("%s-%s-%d", name, base, i), k.ID, k.Secret, base
					got.VerifyAt = time.Now().Unix()
					captures = append(captures, got)
				}
				check(t, captures)
			})
		}
	}
}

// randomOBS makes one request. The answer is nobody's.
func randomOBS(r *rand.Rand, c *obs.ObsClient) {
	bucket, key := "bucket-"+fmt.Sprint(r.IntN(1000)), "k"+odd(r, 20)
	switch r.IntN(4) {
	case 0:
		in := &obs.PutObjectInput{Body: strings.NewReader(odd(r, 100))}
		in.Bucket, in.Key, in.ContentType = bucket, key, "text/"+strings.TrimSpace(odd(r, 6))+"x"
		in.Metadata = map[string]string{"a": "m" + strings.TrimSpace(odd(r, 10)) + "m", "zz": ""}
		_, _ = c.PutObject(in)
	case 1:
		in := &obs.GetObjectInput{ResponseContentType: odd(r, 10), ResponseContentDisposition: odd(r, 10)}
		in.Bucket, in.Key, in.VersionId = bucket, key, odd(r, 10)
		_, _ = c.GetObject(in)
	case 2:
		in := &obs.ListObjectsInput{Bucket: bucket, Marker: odd(r, 10)}
		in.Prefix, in.Delimiter, in.MaxKeys = odd(r, 10), odd(r, 3), r.IntN(10)
		_, _ = c.ListObjects(in)
	case 3:
		signed, err := c.CreateSignedUrl(&obs.CreateSignedUrlInput{
			Method: obs.HttpMethodGet, Bucket: bucket, Key: key, Expires: 60, SubResource: obs.SubResourceAcl,
			QueryParams: map[string]string{"response-content-type": odd(r, 10), "x-extra": odd(r, 5)},
		})
		if err == nil {
			_, _ = c.GetObjectAclWithSignedUrl(signed.SignedUrl, signed.ActualSignedRequestHeaders)
		}
	}
}
