package node

import (
	"syscall"

	"github.com/keyledger/keyledger/services/journal"
)

// space is when writes are turned off: as configured, or by the size of the
// disk that the data is on.
func (n *Node) space() journal.Space {
	if n.config.Space.Off != 0 || n.config.Space.Statfs != nil {
		return n.config.Space
	}
	var s syscall.Statfs_t
	if err := syscall.Statfs(n.config.Data, &s); err != nil {
		return journal.Space{}
	}
	return spaceOf(uint64(s.Blocks) * uint64(s.Bsize))
}

// spaceOf leaves a small disk most of its room: there the journal's defaults, which
// a disk of 2 GiB and more has, would turn writes off for good.
func spaceOf(disk uint64) journal.Space {
	off := min(256<<20, disk/8)
	return journal.Space{Off: off, Hard: min(16<<20, off/4), Ballast: min(32<<20, off/2)}
}
