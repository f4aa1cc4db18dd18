package node_test

import (
	"math"
	"testing"

	"github.com/keyledger/keyledger/services/node"
)

// TestShareOfMemory leaves a good part of a small limit to what is in use, and stints nothing where there is a gigabyte.
func TestShareOfMemory(t *testing.T) {
	for _, limit := range []int64{1 << 30, math.MaxInt64} {
		if keys, records, bulk, ahead := node.ShareMemory(limit); keys != 320<<20 || records != 96<<20 || bulk != 160<<20 || ahead != 32<<20 {
			t.Errorf("of %d: %d, %d, %d, %d", limit, keys, records, bulk, ahead)
		}
	}
	for limit := int64(128 << 20); limit < 1<<30; limit += 64 << 20 {
		keys, records, bulk, ahead := node.ShareMemory(limit)
		if sum := keys + records + bulk + ahead; sum > limit*5/8 || keys < 16<<20 || records < 8<<20 || bulk < 16<<20 || ahead < 1<<20 {
			t.Errorf("of %d MiB: %d MiB in all: %d, %d, %d, %d", limit>>20, sum>>20, keys, records, bulk, ahead)
		}
	}
}
