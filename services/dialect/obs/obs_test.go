package obs_test

import (
	"testing"

	"github.com/keyledger/keyledger/services/dialect/aws"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
	"github.com/keyledger/keyledger/services/dialect/obs"
)

// Clients of OBS also sign as those of S3 do; package aws reads that.
func TestVectors(t *testing.T) {
	dialecttest.Run(t, append(obs.Dialect().Schemes, aws.Dialect().Schemes...), "testdata/vectors")
}
