//go:build unix

package vault

import (
	"errors"
	"os"
	"syscall"
)

// openNoFollow opens a file for reading. It neither follows a link nor waits
// for the other end of a pipe.
func openNoFollow(path string) (f *os.File, reason string, err error) {
	f, err = os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	switch {
	case err == nil:
		return f, "", nil
	case errors.Is(err, syscall.ELOOP):
		return nil, "is a symbolic link: it must be the file itself", err
	default:
		return nil, "cannot be opened", err
	}
}

// owner is the number of the file's user, and whether this process runs as it.
func owner(info os.FileInfo) (uid int, ours bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1, false
	}
	return int(stat.Uid), int(stat.Uid) == os.Geteuid()
}
