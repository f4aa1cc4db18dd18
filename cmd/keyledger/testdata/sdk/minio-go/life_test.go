// Package sdk drives a running keyledger with the unmodified minio-go, a client of S3. It manages no keys: those are
// made by the native API.
package sdk

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/keyledger/keyledger/cmd/keyledger/testdata/sdk/ledger"
)

// A way is how the client signs and sends.
type way struct {
	name     string
	v2       bool
	region   string // "" has the client ask for it first, which is refused
	checksum minio.ChecksumType
	word     string // what it must say of a body, so that this proves what it says
}

var ways = []way{
	{name: "chunks", region: "us-east-1", word: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"},
	{name: "chunks-and-a-trailer", region: "us-east-1", checksum: minio.ChecksumCRC32C, word: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"},
	{name: "asking-for-the-region", word: "UNSIGNED-PAYLOAD"},
	{name: "version-2", v2: true, region: "us-east-1"},
}

// A seen is a transport that keeps what x-amz-content-sha256 said.
type seen struct {
	mu    sync.Mutex
	words map[string]bool
}

func (s *seen) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.words[r.Header.Get("X-Amz-Content-Sha256")] = true
	s.mu.Unlock()
	return http.DefaultTransport.RoundTrip(r)
}

func (w way) client(t *testing.T, l *ledger.Ledger, k ledger.Pair, through http.RoundTripper) *minio.Client {
	t.Helper()
	creds := credentials.NewStaticV4(k.ID, k.Secret, "")
	if w.v2 {
		creds = credentials.NewStaticV2(k.ID, k.Secret, "")
	}
	c, err := minio.New(l.Host, &minio.Options{Creds: creds, Region: w.region, BucketLookup: minio.BucketLookupPath,
		TrailingHeaders: w.checksum.IsSet(), MaxRetries: 1, Transport: through})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wants holds that err is S3's with the code.
func wants(t *testing.T, what string, err error, status int, code string) {
	t.Helper()
	said := minio.ToErrorResponse(err)
	if said.StatusCode != status || said.Code != code || said.RequestID == "" {
		t.Errorf("%s: got %v (%d %s, request %q), want %d %s", what, err, said.StatusCode, said.Code, said.RequestID, status, code)
	}
}

// TestLife is a key's life under the preset aws, used at the object store, which verifies it and has no bucket.
func TestLife(t *testing.T) {
	l := ledger.Start(t)
	a := l.Open("aws")
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) { life(t, a, w) })
	}
}

func life(t *testing.T, a *ledger.Account, w way) {
	user := a.User(w.name)
	k := a.NewKey(user)
	a.NewKey(user)
	if got := a.Fails("key", "create", "--user", user); !strings.Contains(got, "key.quota: ") {
		t.Errorf("a third key: got %s", got)
	}
	if got := a.Print("key", "list", "--user", user); strings.Count(got, `"access_key_id"`) != 2 || !strings.Contains(got, k.ID) {
		t.Errorf("the keys are %s", got)
	}
	through := &seen{words: map[string]bool{}}
	w.use(t, w.client(t, a.Ledger, k, through))
	if !through.words[w.word] {
		t.Errorf("the client sent %v, and no %q", through.words, w.word)
	}
	read := func(k ledger.Pair) error {
		_, err := w.client(t, a.Ledger, k, http.DefaultTransport).GetBucketPolicy(t.Context(), "bucket")
		return err
	}
	a.Eventually("the last use", func() bool { return a.Run("key", "last-used", k.ID)["last_used_at"] != "" })
	wants(t, "a wrong secret", read(ledger.Pair{ID: k.ID, Secret: k.Secret + "x"}), 403, "SignatureDoesNotMatch")
	wants(t, "an unknown key", read(ledger.Pair{ID: "KLAK0000000000000000", Secret: k.Secret}), 403, "InvalidAccessKeyId")
	a.Run("key", "disable", "--yes", k.ID)
	wants(t, "a disabled key", read(k), 403, "InvalidAccessKeyId")
	a.Run("key", "enable", k.ID)
	wants(t, "an enabled key", read(k), 404, "NoSuchBucket")
	a.Run("key", "delete", "--yes", k.ID)
	wants(t, "a deleted key", read(k), 403, "InvalidAccessKeyId")
}

// use does what is done at an object store: each request is genuine, and there is no such bucket.
func (w way) use(t *testing.T, c *minio.Client) {
	t.Helper()
	ctx := t.Context()
	const key = "dir a/b+c~é中.txt"
	for _, size := range []int{0, 5, 64 << 10, 64<<10 + 1, 200 << 10} { // chunks are of 64 KiB
		body := bytes.Repeat([]byte("x"), size)
		_, err := c.PutObject(ctx, "bucket", key, bytes.NewReader(body), int64(size), minio.PutObjectOptions{
			ContentType: "text/plain", UserMetadata: map[string]string{"name": "two  words"}, DisableMultipart: true, Checksum: w.checksum,
		})
		wants(t, "put", err, 404, "NoSuchBucket")
	}
	_, err := c.StatObject(ctx, "bucket", key, minio.StatObjectOptions{})
	wants(t, "head", err, 404, w.head())
	object, err := c.GetObject(ctx, "bucket", key, minio.GetObjectOptions{})
	if err == nil {
		_, err = io.ReadAll(object)
	}
	wants(t, "get", err, 404, "NoSuchBucket")
	for o := range c.ListObjects(ctx, "bucket", minio.ListObjectsOptions{Prefix: "a b/+", Recursive: true, MaxKeys: 10}) {
		wants(t, "list", o.Err, 404, "NoSuchBucket")
	}
	wants(t, "remove", c.RemoveObject(ctx, "bucket", key, minio.RemoveObjectOptions{}), 404, "NoSuchBucket")
	_, err = c.ListBuckets(ctx)
	wants(t, "list the buckets", err, 501, "NotImplemented")
	wants(t, "make a bucket", c.MakeBucket(ctx, "bucket", minio.MakeBucketOptions{}), 501, "NotImplemented")
	presigned(t, c, key)
}

// head is what the client takes an answer without a body to mean.
func (w way) head() string {
	if w.region == "" {
		return "NoSuchBucket" // its question before was answered with a body
	}
	return "NoSuchKey"
}

// presigned follows links that the client signs, as they are and changed.
func presigned(t *testing.T, c *minio.Client, key string) {
	t.Helper()
	get, err := c.PresignedGetObject(t.Context(), "bucket", key, time.Hour, url.Values{"response-content-type": {"text/plain; a=b+c"}})
	if minio.ToErrorResponse(err).Code == "NoSuchBucket" {
		return // it had to ask for the region first, which was answered
	}
	if err != nil {
		t.Fatal(err)
	}
	put, err := c.PresignedPutObject(t.Context(), "bucket", key, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	follow(t, http.MethodGet, get.String(), 404, "NoSuchBucket")
	follow(t, http.MethodPut, put.String(), 404, "NoSuchBucket")
	follow(t, http.MethodPut, get.String(), 403, "SignatureDoesNotMatch")
	follow(t, http.MethodGet, strings.Replace(get.String(), "dir", "dis", 1), 403, "SignatureDoesNotMatch")
}

func follow(t *testing.T, method, link string, status int, code string) {
	t.Helper()
	var body io.Reader
	if method == http.MethodPut {
		body = strings.NewReader("hello")
	}
	req, err := http.NewRequestWithContext(t.Context(), method, link, body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if text, _ := io.ReadAll(res.Body); res.StatusCode != status || !strings.Contains(string(text), "<Code>"+code+"</Code>") {
		t.Errorf("%s %s: got %s %s, want %d %s", method, link, res.Status, text, status, code)
	}
}
