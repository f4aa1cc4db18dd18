package vault

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// HardenProcess keeps secrets from leaving this process's memory by accident:
// no core dump is written, and no other process of the same user can attach to it or
// read its memory. Child processes inherit the limit on core dumps and not the rest.
// Parts of /proc/self belong to root from then on, so that a process that does
// not run as root cannot count its own open files. Elsewhere than on Linux it
// does nothing.
func HardenProcess() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("vault: forbid core dumps: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("vault: forbid reading the process's memory: %w", err)
	}
	return nil
}
