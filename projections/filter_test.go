package projections

import (
	"math/rand/v2"
	"testing"
)

func TestFilterHasAllThatWasAddedAndLittleElse(t *testing.T) {
	var f filter
	draw := rand.New(rand.NewPCG(1, 2))
	var added []uint64
	for range 300_000 {
		added = append(added, draw.Uint64())
		f.add(added[len(added)-1])
	}
	for _, hash := range added {
		if !f.has(hash) {
			t.Fatalf("%x was added, and is not there", hash)
		}
	}
	wrong := 0
	for range 100_000 {
		if f.has(draw.Uint64()) {
			wrong++
		}
	}
	if wrong > 3_000 {
		t.Errorf("of 100,000 hashes that were never added %d seem to be there, want 3,000 at most", wrong)
	}
}
