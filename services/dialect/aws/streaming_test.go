package aws_test

import (
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/aws"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
	"github.com/keyledger/keyledger/services/dialect/vector"
)

// streamed is a captured request with the body in signed chunks and a signed trailer.
func streamed(t *testing.T) vector.Vector {
	t.Helper()
	for _, v := range dialecttest.Load(t, "testdata/vectors") {
		if v.Name == "s3-streaming-signed-chunks-and-trailer" {
			return v
		}
	}
	t.Fatal("no such vector")
	return vector.Vector{}
}

func TestStreamingFaults(t *testing.T) {
	v := streamed(t)
	signature := strings.Repeat("0", 64)
	body := func(old, new string) func(*dialect.Request) {
		return func(r *dialect.Request) { r.Body = []byte(strings.Replace(string(r.Body), old, new, 1)) }
	}
	for _, c := range []struct {
		name   string
		change func(*dialect.Request)
		want   string
	}{
		{"as it was", func(*dialect.Request) {}, ""},
		{"no body", func(r *dialect.Request) { r.Body = nil }, aws.CodePayloadChunks},
		{"not in chunks", func(r *dialect.Request) { r.Body = []byte("trailer-test-data") }, aws.CodePayloadChunks},
		{"no last chunk", func(r *dialect.Request) {
			r.Body = r.Body[:strings.Index(string(r.Body), "\r\n0;")+2]
		}, aws.CodePayloadChunks},
		{"something behind", func(r *dialect.Request) { r.Body = append(r.Body, 'x') }, aws.CodePayloadChunks},
		{"cut", func(r *dialect.Request) { r.Body = r.Body[:len(r.Body)-1] }, aws.CodePayloadChunks},
		{"a size with a zero before it", body("384;", "0384;"), aws.CodePayloadChunks},
		{"a size too small", body("384;", "383;"), aws.CodePayloadChunks},
		{"an enormous size", body("384;", "7fffffff;"), aws.CodePayloadChunks},
		{"a size beyond all bounds", body("384;", "ffffffffffffffffffff;"), aws.CodePayloadChunks},
		{"a chunk put in", body("384;", "1;chunk-signature="+signature+"\r\nx\r\n384;"), aws.CodePayloadMismatch},
		{"a chunk put in, and its length", func(r *dialect.Request) {
			body("384;", "1;chunk-signature="+signature+"\r\nx\r\n384;")(r)
			set("X-Amz-Decoded-Content-Length", "901")(r)
		}, dialect.SignatureMismatch},
		{"no signature of a chunk", body("chunk-signature=", "chunk="), aws.CodePayloadChunks},
		{"no trailer", func(r *dialect.Request) {
			at := strings.Index(string(r.Body), "x-amz-checksum")
			r.Body = append(r.Body[:at:at], "\r\n"...)
		}, aws.CodePayloadChunks},
		{"an empty trailer", body("x-amz-checksum-crc32c:2fBodw==\n\r\n", ""), aws.CodePayloadChunks},
		{"another trailer", body("2fBodw==", "3fBodw=="), dialect.SignatureMismatch},
		{"a trailer without a line's end", body("==\n\r\n", "=="), aws.CodePayloadChunks},
		{"lines that end otherwise", body("==\n\r\n", "==\r\n"), ""},
		{"the chunk's data", body("trailer-test", "Trailer-test"), dialect.SignatureMismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := v.Request()
			c.change(r)
			j := vector.JudgeRequest(r, v.AccessKeyID, v.Secret, v.At(), aws.Dialect().Schemes)
			if j.Reason != c.want {
				t.Errorf("got %q (%s), want %q", j.Reason, j.Detail, c.want)
			}
		})
	}
}

// Of a body that is not at hand, the signature says nothing.
func TestStreamingWithoutTheBody(t *testing.T) {
	v := streamed(t)
	r := v.Request()
	sum := r.SHA256()
	r.Body, r.BodySum = nil, &sum
	claims, err := aws.SigV4{}.Read(r, new(dialect.Scratch))
	if err != nil || claims[0].Covers.Has(dialect.Body) {
		t.Fatalf("got %+v, %v", claims, err)
	}
	if err := dialect.Check(&claims[0], []byte(v.Secret), v.At()); err != nil {
		t.Error(err)
	}
}

// A presigned S3 request may say what stands for its body.
func TestPresignedS3(t *testing.T) {
	for more, c := range map[string]struct {
		covers bool
		want   string
	}{
		"":                                       {false, ""},
		"&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD": {false, ""},
		"&X-Amz-Content-Sha256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855": {true, ""},
		"&X-Amz-Content-Sha256=" + strings.Repeat("0", 64):                                       {false, aws.CodePayloadMismatch},
		"&X-Amz-Content-Sha256=none":                                                             {false, aws.CodePayloadHash},
	} {
		r := presignedRequest("&X-Amz-Expires=60" + more)
		r.Target = strings.Replace(r.Target, "%2Fsts%2F", "%2Fs3%2F", 1)
		if c.want == "" {
			resign(t, r)
			claims, _ := aws.SigV4{}.Read(r, new(dialect.Scratch))
			if claims[0].Covers.Has(dialect.Body) != c.covers {
				t.Errorf("%q: covers the body: %t", more, !c.covers)
			}
		}
		if got := code(r, signedAt.Add(time.Minute)); got != c.want {
			t.Errorf("%q: got %q, want %q", more, got, c.want)
		}
	}
}
