# Keyledger. `make` alone prints this list.
SHELL := /bin/bash

export CGO_ENABLED = 0
GO      ?= go
BIN     := bin/keyledger
DATA    ?= keyledger-data
LISTEN  ?= 127.0.0.1:7420
FUZZTIME ?= 30s
BENCHTIME ?= 2s
BENCHRECORDS ?= 10000000
SOAK    ?= 10m
LINTER  := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
SDKS    := $(wildcard cmd/keyledger/testdata/sdk/*-go)
SUDO    := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: help build run test unit sdk-go lint race fuzz fault soak sdk bench docs tools postgresql

help: ## prints this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' Makefile

build: ## builds bin/keyledger, one static binary
	@$(GO) build -trimpath -ldflags "-X main.version=$(VERSION)" -o $(BIN) ./cmd/keyledger

run: build ## builds and starts a server on an embedded log; prints where to go
	@$(BIN) serve --data $(DATA) --listen $(LISTEN)

test: tools build unit sdk-go ## everything that must hold
	@echo "make test: all of it holds"

unit:
	@unformatted=$$(gofmt -l aggregate cmd docs events projections services); \
	  if [ -n "$$unformatted" ]; then echo "not gofmt'd:"; echo "$$unformatted"; exit 1; fi
	@$(GO) vet ./...
	@$(GO) test -timeout 15m ./... | grep -v 'no test files'; exit $${PIPESTATUS[0]}

# The vendors' own SDKs are clients, each in a module of its own.
sdk-go: build
	@for d in $(SDKS); do (cd $$d && KEYLEDGER_BINARY=$(CURDIR)/$(BIN) $(GO) test -count=1 ./...) || exit 1; done

tools:
	@command -v strace >/dev/null || { $(SUDO) apt-get -qq update && $(SUDO) apt-get -qq install -y strace; } >/dev/null

lint: ## runs the linters of .golangci.yml
	@$(GO) run $(LINTER) run ./...

race: ## runs the tests under the race detector (needs a C compiler)
	@CGO_ENABLED=1 $(GO) test -race -timeout 40m ./...

# Go 1.26 may call the end of -fuzztime a failure, by this line alone (go.dev/issue/75804); what fuzzing finds has "Failing input".
fuzz: ## fuzzes every parser for FUZZTIME each
	@for pkg in $$(grep -rl --include=*_test.go '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
	  for target in $$(grep -h -o '^func Fuzz[A-Za-z0-9]*' $$pkg/*_test.go | cut -c6-); do \
	    out=$$($(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg 2>&1) || \
	      { grep -q '^    context deadline exceeded$$' <<<"$$out" && ! grep -q 'Failing input' <<<"$$out"; } || \
	      { echo "$$out"; exit 1; }; \
	    echo "$$pkg $$target: $$(grep -o 'execs: [0-9]*' <<<"$$out" | tail -1)"; \
	  done; done

fault: tools build ## kills, fills and damages a running ledger, for minutes
	@KEYLEDGER_FAULT=1 KEYLEDGER_BINARY=$(CURDIR)/$(BIN) $(GO) test -count=1 -timeout 60m -run 'Fault|Crash|Disk|Guard|Fsync|Soak' ./cmd/... ./services/journal/... ./projections/...

soak: build ## verifies at half of the peak rate for SOAK; memory and lag must not grow
	@KEYLEDGER_SOAK=$(SOAK) KEYLEDGER_BINARY=$(CURDIR)/$(BIN) $(GO) test -count=1 -timeout 24h -run '^TestSoak$$' -v ./cmd/keyledger

sdk: build sdk-go ## drives the binary with every client program, the AWS CLI included
	@command -v aws >/dev/null || { $(SUDO) apt-get -qq update && $(SUDO) apt-get -qq install -y awscli; } >/dev/null
	@command -v nginx >/dev/null || PATH=$$PATH:/usr/sbin command -v nginx >/dev/null || $(SUDO) apt-get -qq install -y nginx-light >/dev/null
	@command -v caddy >/dev/null || $(SUDO) apt-get -qq install -y --no-install-recommends caddy >/dev/null
	@command -v curl >/dev/null || $(SUDO) apt-get -qq install -y curl >/dev/null
	@command -v npm >/dev/null || $(SUDO) apt-get -qq install -y npm >/dev/null
	@for d in cmd/keyledger/testdata/sdk/*-node; do (cd $$d && npm ci --silent --ignore-scripts --no-audit --no-fund) || exit 1; done
	@for d in $(SDKS); do (cd $$d && KEYLEDGER_SDK=1 KEYLEDGER_BINARY=$(CURDIR)/$(BIN) $(GO) test -count=1 -run SDK ./...) || exit 1; done
	@PATH=$$PATH:/usr/sbin KEYLEDGER_SDK=1 KEYLEDGER_BINARY=$(CURDIR)/$(BIN) $(GO) test -count=1 -run 'SDK' ./cmd/keyledger

# One package after the other: they share the processors and the disk.
bench: build postgresql ## prints every figure with its ratio
	@KEYLEDGER_BINARY=$(CURDIR)/$(BIN) KEYLEDGER_POSTGRESQL_RECORDS=$(BENCHRECORDS) \
	  $(GO) test -p 1 -timeout 3h -run '^$$' -bench . -benchtime $(BENCHTIME) -benchmem ./...

# For the benchmark that starts a cluster of its own; without root it is skipped where there is none.
postgresql:
	@[ -x /usr/lib/postgresql/15/bin/initdb ] || [ "$$(id -u)" != 0 ] || \
	  { apt-get -qq update && apt-get -qq install -y --no-install-recommends postgresql-15; } >/dev/null

docs: ## writes the generated pages anew
	@$(GO) test ./docs -run TestGenerated -update
