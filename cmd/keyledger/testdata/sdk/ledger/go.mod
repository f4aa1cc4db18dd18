module github.com/keyledger/keyledger/cmd/keyledger/testdata/sdk/ledger

go 1.26.0
