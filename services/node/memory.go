package node

import (
	"runtime/debug"

	"github.com/keyledger/keyledger/projections"
)

// amplyMemory is the soft limit of the process from which on nothing is stinted.
const amplyMemory = 1 << 30

// memory shares out what a process with a small soft limit on its memory may use: the limit holds the garbage, not what is in use.
type memory struct {
	keys    projections.Options // of the store of keys and all but access records
	records projections.Options
	ahead   int64 // of the log, read ahead of being applied to access records, and applied at once
}

// shareMemory shares out a soft limit. At 1 GiB and above it is what suits large ledgers.
func shareMemory(limit int64) memory {
	share := func(amply, least int64) int64 {
		if limit >= amplyMemory {
			return amply
		}
		return max(amply*limit/amplyMemory, least)
	}
	return memory{
		keys:    projections.Options{CacheBytes: share(320<<20, 16<<20), MemTableBytes: share(64<<20, 8<<20), BulkBytes: share(160<<20, 16<<20)},
		records: projections.Options{CacheBytes: share(96<<20, 8<<20), MemTableBytes: share(16<<20, 4<<20)},
		ahead:   share(recordsAhead, 1<<20),
	}
}

// allowedMemory is for the limit that this process has.
func allowedMemory() memory { return shareMemory(debug.SetMemoryLimit(-1)) }
