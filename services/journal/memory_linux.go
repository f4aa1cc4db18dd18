package journal

import (
	"io/fs"
	"os"
	"syscall"
)

// tmpfsMagic is how statfs(2) marks a file system that lies in memory.
const tmpfsMagic = 0x01021994

// inMemory reports whether path lies in memory, with so many bytes free.
func inMemory(path string, room uint64) bool {
	var s syscall.Statfs_t
	if syscall.Statfs(path, &s) != nil {
		return false
	}
	return int64(s.Type) == tmpfsMagic && s.Bavail*uint64(s.Bsize) >= room
}

// ours reports whether a directory is this user's, whom nobody else can take it from.
func ours(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil || info.Mode().Type() != fs.ModeDir {
		return false
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(s.Uid) == os.Geteuid()
}
