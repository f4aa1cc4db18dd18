package tencent_test

import (
	"testing"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
	"github.com/keyledger/keyledger/services/dialect/tencent"
)

func TestVectors(t *testing.T) {
	dialecttest.Run(t, []dialect.Scheme{tencent.TC3{}, tencent.V1{SHA256: true}, tencent.V1{}}, "testdata/vectors")
}
