// Package sdk drives a running keyledger with the unmodified AWS SDK for Go.
package sdk

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// A ledger is a running server in a directory of its own.
type ledger struct {
	t        *testing.T
	dir, url string
	binary   string
	operator string // credentials file
}

func start(t *testing.T) *ledger {
	t.Helper()
	binary := os.Getenv("KEYLEDGER_BINARY")
	if binary == "" {
		t.Skip("KEYLEDGER_BINARY does not name the keyledger to test")
	}
	l := &ledger{t: t, dir: t.TempDir(), binary: binary}
	l.operator = filepath.Join(l.dir, "data-credentials.json")
	cmd := exec.Command(binary, "serve", "--data", filepath.Join(l.dir, "data"), "--listen", "127.0.0.1:0")
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	_, l.url, _ = strings.Cut(strings.TrimSpace(line), " serves ")
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
		if t.Failed() {
			t.Logf("the server wrote:\n%s", &log)
		}
	})
	if err != nil || l.url == "" {
		t.Fatalf("the server said %q, %v", line, err)
	}
	return l
}

// run runs a command of keyledger and returns the JSON it prints.
func (l *ledger) run(credentials string, args ...string) map[string]string {
	l.t.Helper()
	cmd := exec.Command(l.binary, append(args, "-o", "json", "--credentials", credentials)...)
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		l.t.Fatalf("keyledger %s: %v\n%s", strings.Join(args, " "), err, &problem)
	}
	var fields map[string]any
	if err := json.Unmarshal(out, &fields); err != nil {
		l.t.Fatalf("keyledger %s: %v", strings.Join(args, " "), err)
	}
	texts := map[string]string{}
	for name, v := range fields {
		if s, ok := v.(string); ok {
			texts[name] = s
		}
	}
	return texts
}

// An account is one opened with a preset, with clients of its root user.
type account struct {
	*ledger
	id, root string
	key      pair
	file     string // credentials of the root user
}

type pair struct{ id, secret string }

func (l *ledger) open(preset string, more ...string) *account {
	l.t.Helper()
	file := filepath.Join(l.dir, preset+".json")
	args := append([]string{"account", "create", "--name", preset, "--preset", preset, "--credentials-out", file}, more...)
	a := l.run(l.operator, args...)
	return &account{
		ledger: l, id: a["account_id"], root: a["root_user_id"], file: file,
		key: pair{a["access_key_id"], a["secret_access_key"]},
	}
}

// user adds a user with a first key.
func (a *account) user(name string) (id string, key pair) {
	a.t.Helper()
	id = a.run(a.file, "user", "create", "--name", name)["user_id"]
	k := a.run(a.file, "key", "create", "--user", id)
	return id, pair{k["access_key_id"], k["secret_access_key"]}
}

func (l *ledger) config(k pair) aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(l.url),
		Credentials: credentials.NewStaticCredentialsProvider(k.id, k.secret, ""),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Millisecond })
		},
	}
}

func (l *ledger) iam(k pair, more ...func(*iam.Options)) *iam.Client {
	return iam.NewFromConfig(l.config(k), more...)
}

func (l *ledger) sts(k pair) *sts.Client { return sts.NewFromConfig(l.config(k)) }
