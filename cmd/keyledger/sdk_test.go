package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A world is a running server and the programs that talk to it.
type world struct {
	t           *testing.T
	binary, dir string
	server      *serverProcess
}

// newWorld starts a server for other people's programs to talk to. Those are
// not part of a Go installation: make sdk brings them.
func newWorld(t *testing.T, program string) *world {
	t.Helper()
	if os.Getenv("KEYLEDGER_SDK") == "" {
		t.Skip("KEYLEDGER_SDK is not set: make sdk runs the client programs")
	}
	if _, err := exec.LookPath(program); err != nil {
		t.Fatalf("%v; make sdk installs it", err)
	}
	binary := os.Getenv("KEYLEDGER_BINARY")
	if binary == "" {
		var err error
		if binary, err = exec.LookPath("keyledger"); err != nil {
			t.Fatal(err)
		}
	}
	w := &world{t: t, binary: binary, dir: t.TempDir()}
	var err error
	if w.server, err = startServer(binary, w.dir, os.Environ(), "--data", "data", "--listen", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.server.stop(syscall.SIGTERM); err != nil {
			t.Errorf("the server ended with %v", err)
		}
		if t.Failed() {
			t.Logf("the server wrote:\n%s", &w.server.log)
		}
	})
	return w
}

// A pair is an access key.
type pair struct{ id, secret string }

// keyledger runs our own client with a credentials file and returns what it
// prints.
func (w *world) keyledger(credentials string, args ...string) map[string]any {
	w.t.Helper()
	out, _, code := w.run(nil, w.binary, append(args, "-o", "json", "--credentials", filepath.Join(w.dir, credentials))...)
	var fields map[string]any
	if err := json.Unmarshal([]byte(out), &fields); code != 0 || err != nil {
		w.t.Fatalf("keyledger %q: exit code %d, %v", args, code, err)
	}
	return fields
}

// open opens an account and returns its root key; the credentials are in
// <preset>.json.
func (w *world) open(preset string) pair {
	w.t.Helper()
	a := w.keyledger("data-credentials.json", "account", "create", "--name", preset, "--preset", preset,
		"--credentials-out", filepath.Join(w.dir, preset+".json"))
	return pair{a["access_key_id"].(string), a["secret_access_key"].(string)}
}

func (w *world) run(env []string, program string, args ...string) (stdout, stderr string, code int) {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), program, args...)
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = w.dir, append(os.Environ(), env...), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// aws runs the AWS CLI, signed by k, and returns the field of its answer at the
// path; it holds that the program said the code, if there is one to be said.
func (w *world) aws(k pair, code, path string, args ...string) string {
	w.t.Helper()
	env := []string{
		"AWS_ACCESS_KEY_ID=" + k.id, "AWS_SECRET_ACCESS_KEY=" + k.secret, "AWS_SESSION_TOKEN=",
		"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=",
	}
	if path != "" {
		args = append(args, "--query", path, "--output", "json")
	}
	out, errs, exit := w.run(env, "aws", append([]string{"--endpoint-url", w.server.URL, "--region", "us-east-1"}, args...)...)
	if (code == "") != (exit == 0) || code != "" && !strings.Contains(errs, "("+code+")") {
		w.t.Errorf("aws %q: exit code %d, want %q:\n%s", args, exit, code, errs)
	}
	if path == "" || exit != 0 {
		return ""
	}
	var answer any
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		w.t.Errorf("aws %q: %v", args, err)
	}
	return fmt.Sprint(answer)
}

// eventually asks until a condition holds: access records come in a moment later.
func (w *world) eventually(what string, holds func() bool) {
	w.t.Helper()
	for until := time.Now().Add(20 * time.Second); !holds(); {
		if time.Now().After(until) {
			w.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// wants holds that two texts are the same.
func wants(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// TestSDKAWSCLI is a key's life through the AWS CLI, under a preset that deletes
// at once and one that has a recycle bin.
func TestSDKAWSCLI(t *testing.T) {
	w := newWorld(t, "aws")
	for preset, deleted := range map[string]string{"aws": "", "strict": "DeleteConflict"} {
		t.Run(preset, func(t *testing.T) {
			w := &world{t: t, binary: w.binary, dir: w.dir, server: w.server}
			root := w.open(preset)
			w.keyledger(preset+".json", "user", "create", "--name", "alice")
			w.awsLife(root, deleted)
		})
	}
}

func (w *world) awsLife(root pair, deleteActive string) {
	t, alice := w.t, []string{"--user-name", "alice"}
	iam := func(k pair, code, path, action string, args ...string) string {
		return w.aws(k, code, path, append([]string{"iam", action}, args...)...)
	}
	made := strings.Fields(strings.Trim(iam(root, "", "AccessKey.[AccessKeyId,SecretAccessKey,Status]", "create-access-key", alice...), "[]"))
	if len(made) != 3 || made[2] != "Active" {
		t.Fatalf("got %q, want a key and Active", made)
	}
	own := pair{made[0], made[1]}
	who := w.aws(own, "", "Arn", "sts", "get-caller-identity")
	if !strings.HasSuffix(who, ":user/alice") {
		t.Errorf("got the caller %s", who)
	}
	iam(own, "", "", "create-access-key")
	iam(own, "LimitExceeded", "", "create-access-key")
	wants(t, "keys, by pages of one", iam(own, "", "length(AccessKeyMetadata)", "list-access-keys", "--page-size", "1"), "2")
	wants(t, "keys, at most one", iam(own, "", "length(AccessKeyMetadata)", "list-access-keys", "--max-items", "1"), "1")

	w.eventually("the last use", func() bool {
		return iam(root, "", "AccessKeyLastUsed.ServiceName", "get-access-key-last-used", "--access-key-id", own.id) == "iam"
	})
	iam(root, "NoSuchEntity", "", "get-access-key-last-used", "--access-key-id", "KLAK0000000000000000")

	of := func(more ...string) []string { return append(append(more, alice...), "--access-key-id", own.id) }
	iam(root, deleteActive, "", "delete-access-key", of()...)
	if deleteActive == "" {
		w.aws(own, "InvalidClientTokenId", "", "sts", "get-caller-identity")
		iam(root, "NoSuchEntity", "", "delete-access-key", of()...)
		return
	}
	iam(root, "", "", "update-access-key", of("--status", "Inactive")...)
	w.aws(own, "InvalidClientTokenId", "", "sts", "get-caller-identity")
	iam(root, "", "", "update-access-key", of("--status", "Active")...)
	w.aws(own, "", "", "sts", "get-caller-identity")
	iam(root, "", "", "update-access-key", of("--status", "Inactive")...)
	iam(root, "", "", "delete-access-key", of()...)
	wants(t, "keys left", iam(root, "", "length(AccessKeyMetadata)", "list-access-keys", alice...), "1")
	iam(root, "NoSuchEntity", "", "list-access-keys", "--user-name", "nobody")
	w.aws(pair{root.id, root.secret + "x"}, "SignatureDoesNotMatch", "", "sts", "get-caller-identity")
}

// TestSDKCurl asks the native API with curl's own signer, as the README does.
func TestSDKCurl(t *testing.T) {
	w := newWorld(t, "curl")
	root := w.open("aws")
	curl := func(k pair, path string, args ...string) map[string]any {
		t.Helper()
		args = append([]string{"-sS", "--aws-sigv4", "aws:amz:local:keyledger", "--user", k.id + ":" + k.secret, w.server.URL + path}, args...)
		out, errs, code := w.run(nil, "curl", args...)
		var fields map[string]any
		if err := json.Unmarshal([]byte(out), &fields); code != 0 || err != nil {
			t.Fatalf("curl %q: exit code %d, %v: %s%s", args, code, err, out, errs)
		}
		return fields
	}
	if got := curl(root, "/v1/caller"); got["access_key_id"] != root.id || got["kind"] != "root" {
		t.Errorf("got the caller %v", got)
	}
	asJSON := []string{"-H", "Content-Type: application/json", "-d"}
	u := curl(root, "/v1/users", append(asJSON, `{"name":"alice"}`)...)
	k := curl(root, "/v1/users/"+u["user_id"].(string)+"/keys", append(asJSON, `{"description":"by curl"}`)...)
	own := pair{k["access_key_id"].(string), k["secret_access_key"].(string)}
	if got := curl(own, "/v1/caller"); got["user_name"] != "alice" {
		t.Errorf("got the caller %v", got)
	}
	if got := curl(root, "/v1/keys?limit=10&status=active"); len(got["items"].([]any)) != 2 {
		t.Errorf("got the keys %v", got)
	}
	got := curl(root, "/v1/keys/"+own.id, append([]string{"-X", "PATCH"}, append(asJSON, `{"status":"disabled"}`)...)...)
	if got["status"] != "disabled" {
		t.Errorf("got the key %v", got)
	}
	if got := curl(own, "/v1/caller"); got["code"] != "signature.refused" {
		t.Errorf("a disabled key: got %v", got)
	}
	if got := curl(pair{root.id, "wrong"}, "/v1/caller"); got["code"] != "signature.refused" {
		t.Errorf("a wrong secret: got %v", got)
	}
}
