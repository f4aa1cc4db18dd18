//go:build !unix

package vault

import (
	"errors"
	"os"
)

// openNoFollow refuses: without Unix owners and permissions nothing says who
// can read a key file.
func openNoFollow(string) (f *os.File, reason string, err error) {
	return nil, "cannot be protected on this system", errors.ErrUnsupported
}

func owner(os.FileInfo) (uid int, ours bool) { return -1, false }
