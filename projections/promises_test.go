package projections_test

import (
	"testing"

	"github.com/keyledger/keyledger/projections/projtest"
)

// TestPromises holds all projections to what projections promise, together.
func TestPromises(t *testing.T) {
	h := projtest.NewHistory(1)
	h.Imports = true
	projtest.Run(t, all, h.Messages(700))
}
