package main

import (
	"math"
	"runtime/debug"
	"testing"
	"testing/fstest"
)

func TestGarbageIsCollectedSeldomWithinWhatThereIs(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	for name, c := range map[string]struct {
		env     map[string]string
		files   map[string]string
		percent int
		limit   int64
	}{
		"a large machine":       {nil, map[string]string{"proc/meminfo": "MemTotal:       24680000 kB\nMemFree: 1000 kB\n"}, 400, 6_318_080_000},
		"a small machine":       {nil, map[string]string{"proc/meminfo": "MemTotal:       1000000 kB\nMemFree: 1000 kB\n"}, 400, 768_000_000},
		"a small container":     {nil, map[string]string{"proc/meminfo": "MemTotal: 24680000 kB\n", "sys/fs/cgroup/memory.max": "536870912\n"}, 400, 402_653_184},
		"one of cgroup v1":      {nil, map[string]string{"proc/meminfo": "MemTotal: 24680000 kB\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "536870912\n"}, 400, 402_653_184},
		"v1, unbounded":         {nil, map[string]string{"proc/meminfo": "MemTotal: 24680000 kB\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 400, 6_318_080_000},
		"an unbounded one":      {nil, map[string]string{"proc/meminfo": "MemTotal: 24680000 kB\n", "sys/fs/cgroup/memory.max": "max\n"}, 400, 6_318_080_000},
		"neither large":         {nil, map[string]string{"proc/meminfo": "MemTotal: 2000000 kB\n"}, 400, 1 << 30},
		"nothing is known":      {nil, nil, 400, 1 << 30},
		"nonsense":              {nil, map[string]string{"proc/meminfo": "MemTotal: -5 kB\n", "sys/fs/cgroup/memory.max": ""}, 400, 1 << 30},
		"a percentage is given": {map[string]string{"GOGC": "50"}, nil, 77, 1 << 30},
		"a limit is given":      {map[string]string{"GOMEMLIMIT": "2GiB"}, nil, 400, math.MaxInt64},
	} {
		debug.SetGCPercent(77) // as the runtime would have taken it from the environment
		debug.SetMemoryLimit(math.MaxInt64)
		machine := fstest.MapFS{}
		for file, text := range c.files {
			machine[file] = &fstest.MapFile{Data: []byte(text)}
		}
		collectSeldom(func(name string) string { return c.env[name] }, machine)
		if percent, limit := debug.SetGCPercent(77), debug.SetMemoryLimit(-1); percent != c.percent || limit != c.limit {
			t.Errorf("%s: got %d percent and %d bytes, want %d and %d", name, percent, limit, c.percent, c.limit)
		}
	}
}
