module github.com/keyledger/keyledger/cmd/keyledger/testdata/sdk/tencent-go

go 1.26.0

require (
	github.com/keyledger/keyledger v0.0.0
	github.com/keyledger/keyledger/cmd/keyledger/testdata/sdk/ledger v0.0.0
	github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common v1.3.209
)

replace (
	github.com/keyledger/keyledger => ../../../../..
	github.com/keyledger/keyledger/cmd/keyledger/testdata/sdk/ledger => ../ledger
)
