package alibaba_test

import (
	"testing"

	"github.com/keyledger/keyledger/services/dialect/alibaba"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
)

func TestVectors(t *testing.T) {
	dialecttest.Run(t, alibaba.Dialect().Schemes, "testdata/vectors")
}
