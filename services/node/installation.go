package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/durable"
	"github.com/keyledger/keyledger/services/vault"
)

// Files and folders of a data directory.
const (
	installationFile = "installation.json"
	lockFile         = "lock"
	logFolder        = "log"
	projectionFolder = "projections"
)

const installationFormat = 1

// States of an installation.
const (
	starting = "starting" // its first start was begun and has not come to its end
	ready    = "ready"
)

// An installation is what a data directory says of itself: docs/format/data-directory.md.
type installation struct {
	Format        int                  `json:"format"`
	ID            vault.InstallationID `json:"installation_id"`
	State         string               `json:"state"`
	LedgerCreated time.Time            `json:"ledger_created,omitzero"` // of the LEDGER stream; set when it is made
	Operator      events.AccountID     `json:"operator_account_id"`
	Root          events.UserID        `json:"operator_root_user_id"`
	FirstKey      events.AccessKeyID   `json:"first_access_key_id"`
	Credentials   string               `json:"first_credentials_file"` // absolute path
}

// Guards of a start, by the names that tests and operators know them under.
// Those of the log are the journal's.
const (
	GuardDirectory   = "directory"   // the data directory is this process's alone, and can be used
	GuardEmptied     = "emptied"     // an unlock key without its data
	GuardUnlock      = "unlock"      // data without its unlock key, or with another one
	GuardData        = "data"        // what the data directory says of itself
	GuardProjections = "projections" // the projections are of this log, and not ahead of it
	GuardStore       = "store"       // the projections can be read
	GuardListen      = "listen"      // the address, and TLS beyond loopback
	GuardFiles       = "files"       // enough files may be open
	GuardSpace       = "space"       // the disk is not full
	GuardNotFirst    = "not-first"   // a command that needs an installation found none
)

// A RefusedError says why a start was refused. Nothing was changed.
type RefusedError struct {
	Guard  string // one of the Guard names; stable
	Detail string // what was wrong and what would be right
	Err    error  // the cause, if there is one
}

func (e *RefusedError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("start refused by guard %s: %s: %v", e.Guard, e.Detail, e.Err)
	}
	return fmt.Sprintf("start refused by guard %s: %s", e.Guard, e.Detail)
}

func (e *RefusedError) Unwrap() error { return e.Err }

func refuse(guard string, err error, format string, args ...any) error {
	return &RefusedError{Guard: guard, Detail: fmt.Sprintf(format, args...), Err: err}
}

// readInstallation is what the data directory says of itself; found is false if it
// says nothing and holds nothing either.
func readInstallation(data string) (in installation, found bool, err error) {
	path := filepath.Join(data, installationFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return in, false, holdsNothing(data)
	}
	if err != nil {
		return in, false, refuse(GuardData, err, "the data directory cannot be read")
	}
	if err := json.Unmarshal(text, &in); err != nil || in.Format != installationFormat || in.ID.Valid() != nil || in.State == ready && in.LedgerCreated.IsZero() {
		return in, false, refuse(GuardData, err, "%s is damaged or of a newer version: restore it from a backup", path)
	}
	if in.State != starting && in.State != ready {
		return in, false, refuse(GuardData, nil, "%s is in the unknown state %q", path, in.State)
	}
	return in, true, nil
}

// holdsNothing refuses a directory that holds a log but not what it was.
func holdsNothing(data string) error {
	for _, folder := range []string{logFolder, projectionFolder, "keys"} {
		_, err := os.Lstat(filepath.Join(data, folder))
		if err == nil {
			return refuse(GuardData, nil, "%s holds a folder %q but no %s: restore the file from a backup, or name an empty directory", data, folder, installationFile)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return refuse(GuardData, err, "the data directory cannot be read")
		}
	}
	return nil
}

func (in installation) write(data string) error {
	text, err := json.MarshalIndent(in, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(data, installationFile), append(text, '\n'), 0o600)
}

// checkUnlock holds an unlock key and a data directory to each other: a key
// without data, and data without a key, never look like a first start.
func checkUnlock(c Config, in installation, found bool) (*vault.UnlockKey, error) {
	key, err := vault.OpenUnlockKey(c.UnlockKey, c.Data)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case err != nil && !missing:
		return nil, refuse(GuardUnlock, err, "the unlock key cannot be used")
	case missing && found && in.State == ready:
		return nil, refuse(GuardUnlock, nil, "there is no unlock key at %s, without which the secrets in %s cannot be opened: bring it back, or name it with --unlock-key", c.UnlockKey, c.Data)
	case missing:
		return nil, nil
	case !found:
		return nil, refuse(GuardEmptied, nil, "there is an unlock key at %s (installation %s) but no data in %s: restore the data, or name the right directory; for a new ledger name another unlock key file", c.UnlockKey, key.Installation(), c.Data)
	case key.Installation() != in.ID:
		return nil, refuse(GuardUnlock, nil, "the unlock key at %s belongs to installation %s, and the data in %s to %s", c.UnlockKey, key.Installation(), c.Data, in.ID)
	}
	return key, nil
}
