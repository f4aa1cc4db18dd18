package huawei_test

import (
	"testing"

	"github.com/keyledger/keyledger/services/dialect/dialecttest"
	"github.com/keyledger/keyledger/services/dialect/huawei"
)

func TestVectors(t *testing.T) {
	dialecttest.Run(t, huawei.Dialect().Schemes, "testdata/vectors")
}
