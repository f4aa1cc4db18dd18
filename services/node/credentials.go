package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/keyledger/keyledger/services/durable"
	"github.com/keyledger/keyledger/services/ledger"
	"github.com/keyledger/keyledger/services/vault"
)

// Credentials are what a client needs: docs/format/credentials.md. They hold a
// secret in the clear.
type Credentials struct {
	Endpoint        string `json:"endpoint"`
	AccountID       string `json:"account_id"`
	UserID          string `json:"user_id"`
	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey string `json:"secret_access_key"`
}

// String names the key and hides the secret.
func (c Credentials) String() string { return "[credentials of " + c.AccessKeyID + "]" }

// GoString is String.
func (c Credentials) GoString() string { return c.String() }

// write leaves the credentials in a new file that its owner alone can read. It
// is on disk when write returns, before anything that depends on it is.
func (c Credentials) write(path string) error {
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	err = durable.CreateFile(path, append(text, '\n'), 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already and is not overwritten: move it away or name another file", path)
	}
	return err
}

// written is the key of a credentials file that an earlier, broken-off start
// has left; found is false if there is none for this key.
func written(path string, o ledger.Opening) (k ledger.NewKey, found bool, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return k, false, nil
	}
	if err != nil {
		return k, false, err
	}
	var c Credentials
	if json.Unmarshal(text, &c) != nil || c.AccessKeyID != string(o.Key.ID) || c.SecretAccessKey == "" {
		return k, false, nil
	}
	// What was found may not have reached the disk when the power went.
	if err := durable.Settle(path); err != nil {
		return k, false, err
	}
	return ledger.NewKey{ID: o.Key.ID, Secret: vault.NewSecret([]byte(c.SecretAccessKey))}, true, nil
}
