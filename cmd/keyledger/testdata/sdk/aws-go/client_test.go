// Package sdk drives a running keyledger with the unmodified AWS SDK for Go.
package sdk

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/keyledger/keyledger/cmd/keyledger/testdata/sdk/ledger"
)

// An account is one with clients of its keys.
type account struct{ *ledger.Account }

// open opens an account on a server of its own.
func open(t *testing.T, preset string, more ...string) account {
	t.Helper()
	return account{ledger.Start(t).Open(preset, more...)}
}

// user adds a user with a first key.
func (a account) user(name string) (id string, key ledger.Pair) {
	id = a.User(name)
	return id, a.NewKey(id)
}

func (a account) config(k ledger.Pair) aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(a.URL),
		Credentials: credentials.NewStaticCredentialsProvider(k.ID, k.Secret, ""),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Millisecond })
		},
	}
}

func (a account) iam(k ledger.Pair, more ...func(*iam.Options)) *iam.Client {
	return iam.NewFromConfig(a.config(k), more...)
}

func (a account) sts(k ledger.Pair) *sts.Client { return sts.NewFromConfig(a.config(k)) }
