// Package sdk drives a running keyledger with the unmodified SDKs for Go of Huawei Cloud and
// of its object storage, OBS.
package sdk

import (
	"testing"

	"github.com/keyledger/keyledger/cmd/keyledger/testdata/sdk/ledger"
)

// An account is one with clients of its keys.
type account struct {
	*ledger.Account
	t *testing.T
}

// open opens an account on a server of its own.
func open(t *testing.T, preset string, more ...string) account {
	t.Helper()
	return account{ledger.Start(t).Open(preset, more...), t}
}
