// Package builtin is the table of the vendors this product speaks. A vendor is
// added by one line in [All]; verifier, command line and tests follow from it.
package builtin

import (
	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/alibaba"
	"github.com/keyledger/keyledger/services/dialect/aws"
	"github.com/keyledger/keyledger/services/dialect/cdnetworks"
	"github.com/keyledger/keyledger/services/dialect/huawei"
	"github.com/keyledger/keyledger/services/dialect/obs"
	"github.com/keyledger/keyledger/services/dialect/tencent"
)

// All returns every vendor, in the order in which their schemes are tried.
func All() []dialect.Dialect {
	return []dialect.Dialect{
		aws.Dialect(),
		alibaba.Dialect(),
		huawei.Dialect(),
		obs.Dialect(),
		tencent.Dialect(),
		cdnetworks.Dialect(),
	}
}

// Schemes returns the schemes of every vendor, in the order they are tried.
func Schemes() []dialect.Scheme {
	return dialect.Schemes(All())
}
