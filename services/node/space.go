package node

import (
	"context"
	"syscall"
	"time"

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

// roomEvery is how often a full disk is looked at, and room how much must be
// free again for the projections to write on.
const (
	roomEvery = 100 * time.Millisecond
	room      = 4 << 20
)

// free is how many bytes are free on the disk that the data is on.
func (n *Node) free() (uint64, error) {
	if n.config.Space.Statfs != nil {
		return n.config.Space.Statfs(n.config.Data)
	}
	var s syscall.Statfs_t
	err := syscall.Statfs(n.config.Data, &s)
	return uint64(s.Bavail) * uint64(s.Bsize), err
}

// checkSpace refuses to open anything on a disk that is full: the projections would wait for room, and nobody could ask why.
func (n *Node) checkSpace() error {
	free, err := n.free()
	if err != nil || free >= room {
		return nil
	}
	return refuse(GuardSpace, nil, "the disk that %s is on is full: %d bytes are free, and %d have to be; make room. Nothing is lost", n.config.Data, free, room)
}

// awaitSpace returns when there is room on a disk that was found full, or when
// the node stops. The log is safe meanwhile, and what waits for the projections is
// answered when they go on, or told that its outcome is unknown.
func (n *Node) awaitSpace(ctx context.Context) {
	n.config.Logger.Error("the disk is full: the projections wait for space")
	t := time.NewTicker(roomEvery)
	defer t.Stop()
	for {
		if free, err := n.free(); err != nil || free >= room {
			return
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// spaceOf leaves a small disk most of its room: there the journal's defaults, which
// a disk of 2 GiB and more has, would turn writes off for good.
func spaceOf(disk uint64) journal.Space {
	off := min(256<<20, disk/8)
	return journal.Space{Off: off, Hard: min(16<<20, off/4), Ballast: min(32<<20, off/2)}
}
