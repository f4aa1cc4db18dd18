package vault

import (
	"fmt"

	"github.com/google/uuid"
)

// An InstallationID names one ledger for ever: a UUID in its canonical text
// form, lower-case. It binds the unlock key, the epoch keys and every sealed secret
// to each other.
type InstallationID string

// Valid says what is wrong with the ID, or nil.
func (id InstallationID) Valid() error {
	u, err := uuid.Parse(string(id))
	if err != nil || u.String() != string(id) {
		return fmt.Errorf("installation ID %q: want a UUID in lower-case letters and with its four dashes", id)
	}
	return nil
}
