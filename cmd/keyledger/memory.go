package main

import (
	"bytes"
	"io/fs"
	"runtime/debug"
	"strconv"
)

// How a server collects its garbage where the environment does not say: when it is four
// times what is in use, not once, for a quarter of the work; but it holds no more than a quarter of what
// the machine or the container has, as long as it can do without, or a gigabyte if that is more, and never
// more than three quarters.
const (
	garbagePercent = 400
	garbageBound   = 1 << 30
)

// collectSeldom sets that, for the variables GOGC and GOMEMLIMIT that are not set. machine is
// the root of the file system.
func collectSeldom(getenv func(string) string, machine fs.FS) {
	if getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	if getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(garbageLimit(memoryBytes(machine)))
	}
}

func garbageLimit(memory int64) int64 {
	if memory == 0 {
		return garbageBound
	}
	return min(max(garbageBound, memory/4), memory/4*3)
}

// memoryBytes is what the container may use, or what the machine has if that is less or nothing
// is said of a container; 0 if neither is said.
func memoryBytes(machine fs.FS) (least int64) {
	for file, unit := range map[string]int64{"sys/fs/cgroup/memory.max": 1, "sys/fs/cgroup/memory/memory.limit_in_bytes": 1, "proc/meminfo": 1024} {
		text, err := fs.ReadFile(machine, file)
		fields := bytes.Fields(bytes.TrimPrefix(text, []byte("MemTotal:")))
		if err != nil || len(fields) == 0 {
			continue
		}
		if n, err := strconv.ParseInt(string(fields[0]), 10, 52); err == nil && n > 0 && (least == 0 || n*unit < least) {
			least = n * unit
		}
	}
	return least
}
