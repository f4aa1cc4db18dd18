package projections_test

import (
	"testing"

	"github.com/keyledger/keyledger/projections/projtest"
)

// TestPromises holds all projections to what projections promise, together.
func TestPromises(t *testing.T) {
	projtest.Run(t, all, projtest.NewHistory(1).Messages(700))
}
