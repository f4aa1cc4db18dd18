package journal

import (
	"errors"
	"fmt"

	"github.com/keyledger/keyledger/services/durable"
)

// lockDir makes dir if it is missing and keeps every other process out of it:
// JetStream itself does not, and two servers on one directory lose what each has
// acknowledged. It returns a *RefusedError that says who holds it.
func lockDir(dir string) (*durable.Lock, error) {
	l, err := durable.LockDir(dir)
	if locked, ok := errors.AsType[*durable.LockedError](err); ok {
		return nil, refused(GuardLock, "%s: two of them would lose what each has acknowledged", locked)
	}
	if err != nil {
		return nil, fmt.Errorf("journal: lock the store directory: %w", err)
	}
	return l, nil
}
