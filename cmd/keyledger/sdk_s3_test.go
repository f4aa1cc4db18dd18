package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSDKAWSCLIS3 uses a key at the object store by the AWS CLI: what it signs is verified first, and then there is no
// such bucket.
func TestSDKAWSCLIS3(t *testing.T) {
	w := newWorld(t, "aws")
	root := w.open("aws")
	u := w.keyledger("aws.json", "user", "create", "--name", "alice")
	made := w.keyledger("aws.json", "key", "create", "--user", u["user_id"].(string))
	k := pair{made["access_key_id"].(string), made["secret_access_key"].(string)}
	if err := os.WriteFile(filepath.Join(w.dir, "body.txt"), []byte(strings.Repeat("hello ", 9000)), 0o600); err != nil {
		t.Fatal(err)
	}
	calls := []struct{ code, line string }{
		{"NotImplemented", "s3 ls"},
		{"NoSuchBucket", "s3 ls s3://bucket/a%b+c/"},
		{"NoSuchBucket", "s3 cp body.txt s3://bucket/dir/a+b~é中.txt"},
		{"404", "s3 cp s3://bucket/dir/a+b~é中.txt got.txt"},
		{"NoSuchBucket", "s3 rm s3://bucket/k"},
		{"NotImplemented", "s3 mb s3://bucket"},
		{"NotImplemented", "s3api list-buckets"},
		{"NoSuchBucket", "s3api put-object --bucket bucket --key k --body body.txt --metadata name=two__words --content-type text/plain"},
		{"NoSuchBucket", "s3api put-object --bucket bucket --key k --body body.txt --checksum-algorithm SHA256"},
		{"NoSuchBucket", "s3api get-object --bucket bucket --key a//b/../c got.txt"},
		{"404", "s3api head-object --bucket bucket --key k"},
		{"NoSuchBucket", "s3api list-objects-v2 --bucket bucket --prefix a/+b --delimiter / --no-paginate"},
		{"NoSuchBucket", "s3api get-bucket-acl --bucket bucket"},
		{"NoSuchBucket", "s3api create-multipart-upload --bucket bucket --key k"},
		{"NoSuchBucket", "s3api delete-objects --bucket bucket --delete Objects=[{Key=a},{Key=b}]"},
	}
	for _, c := range calls {
		w.aws(k, c.code, "", strings.Fields(c.line)...)
	}
	w.eventually("the last use", func() bool {
		return w.aws(root, "", "AccessKeyLastUsed.ServiceName", "iam", "get-access-key-last-used", "--access-key-id", k.id) == "s3"
	})
	w.s3Presigned(k)

	read := func(k pair, code string) { w.aws(k, code, "", "s3api", "get-bucket-acl", "--bucket", "bucket") }
	read(pair{k.id, k.secret + "x"}, "SignatureDoesNotMatch")
	read(pair{"KLAK0000000000000000", k.secret}, "InvalidAccessKeyId")
	change := []string{"iam", "update-access-key", "--user-name", "alice", "--access-key-id", k.id, "--status"}
	w.aws(root, "", "", append(change, "Inactive")...)
	read(k, "InvalidAccessKeyId")
	w.aws(root, "", "", append(change, "Active")...)
	read(k, "NoSuchBucket")
}

// s3Presigned follows a link that the CLI signed (by Signature Version 2, some of its versions), as it is and changed.
func (w *world) s3Presigned(k pair) {
	w.t.Helper()
	env := []string{"AWS_ACCESS_KEY_ID=" + k.id, "AWS_SECRET_ACCESS_KEY=" + k.secret}
	out, errs, exit := w.run(env, "aws", "--endpoint-url", w.server.URL, "--region", "us-east-1", "s3", "presign", "s3://bucket/dir/a+b~é.txt")
	if exit != 0 {
		w.t.Fatalf("aws s3 presign: exit code %d\n%s", exit, errs)
	}
	link := strings.TrimSpace(out)
	for url, want := range map[string]string{
		link: "404 <Code>NoSuchBucket</Code>", strings.Replace(link, "/dir/", "/dis/", 1): "403 <Code>SignatureDoesNotMatch</Code>",
	} {
		res, err := http.Get(url)
		if err != nil {
			w.t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		status, holds, _ := strings.Cut(want, " ")
		if err != nil || res.Status[:3] != status || !strings.Contains(string(body), holds) {
			w.t.Errorf("%s: got %s %s, %v; want %s", url, res.Status, body, err, want)
		}
	}
}
