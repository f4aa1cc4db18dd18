module github.com/keyledger/keyledger/cmd/keyledger/testdata/sdk/aws-go

go 1.26.0

require (
	github.com/aws/aws-sdk-go-v2 v1.47.7
	github.com/aws/aws-sdk-go-v2/credentials v1.20.15
	github.com/aws/aws-sdk-go-v2/service/iam v1.64.8
	github.com/aws/aws-sdk-go-v2/service/sts v1.51.8
	github.com/aws/smithy-go v1.28.8
)

require (
	github.com/aws/aws-sdk-go-v2/internal/configsources v1.5.10 // indirect
	github.com/aws/aws-sdk-go-v2/internal/endpoints/v2 v2.8.10 // indirect
	github.com/aws/aws-sdk-go-v2/internal/v4a v1.5.10 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/accept-encoding v1.13.24 // indirect
	github.com/aws/aws-sdk-go-v2/service/internal/presigned-url v1.14.10 // indirect
)

require (
	github.com/keyledger/keyledger v0.0.0
	github.com/keyledger/keyledger/cmd/keyledger/testdata/sdk/ledger v0.0.0
)

replace (
	github.com/keyledger/keyledger => ../../../../..
	github.com/keyledger/keyledger/cmd/keyledger/testdata/sdk/ledger => ../ledger
)
