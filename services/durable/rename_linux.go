package durable

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// renameNew renames from to a name that is not taken. The kernel does both at
// once, so that a crash never leaves two names for one file.
func renameNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return linkNew(from, to) // the file system does not know the flag
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}
