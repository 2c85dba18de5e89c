# Everything a developer and CI do, one target each. `make help` lists them.

# Tools are pinned here and built from source into bin/; testdata/judges/package-lock.json
# pins the ones that come from npm.
GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
STRIPE_MOCK   := github.com/stripe/stripe-mock@v0.203.0
GO_HTTPBIN    := github.com/mccutchen/go-httpbin/v2/cmd/go-httpbin@v2.26.0
GO_LICENSES   := github.com/google/go-licenses@v1.6.0
GOVULNCHECK   := golang.org/x/vuln/cmd/govulncheck@v1.9.0

# What OpenTelemetry brings along has pages of its own that show requests, and those
# keep the linker from leaving out what is not used: a third of the program.
SMALL := -tags grpcnotrace

BIN      := $(CURDIR)/bin
JUDGES   := testdata/judges
BENCH    := testdata/bench
DEPLOY   := testdata/deploy
FUZZTIME ?= 30s
SOAK     ?= 1000000

# tool NAME,MODULE@VERSION: install it unless bin/ has that version already.
tool = test -e $(BIN)/.$(subst /,_,$(2)) || { \
	echo "installing $(2)"; GOBIN=$(BIN) go install $(2) && touch $(BIN)/.$(subst /,_,$(2)); }

.PHONY: all
all: test lint ## Run the tests and the linters; what plain `make` does

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/mcpc
	go build $(SMALL) -o $(BIN)/mcpc ./cmd/mcpc

.PHONY: generate
generate: ## Generate the servers of the examples anew
	go generate ./...

.PHONY: test
test: test-go test-generated test-judges ## Run all tests; the judges too when they are installed

.PHONY: test-go
test-go: ## Run the module's own tests under the race detector
	go test -race -timeout 20m ./...

.PHONY: test-generated
test-generated: ## Generate servers of all cases and documents, and hold them to the interpreted ones
	go test -timeout 20m -run '^TestGenerated' ./cmd/mcpc

.PHONY: test-soak
test-soak: ## Make a million calls while the upstream fails, and connect ten thousand clients that ask nothing
	MCPC_SOAK=$(SOAK) go test -timeout 20m -count 1 -v -run '^(TestSoak|TestIdleClients)$$' ./cmd/mcpc

.PHONY: test-judges
test-judges: ## Run what third-party suites, clients and servers say of mcpc
	cd $(JUDGES) && go test -timeout 20m ./...

.PHONY: test-deploy
test-deploy: ## Hold examples/deploy to what reads it, and run what it starts
	cd $(DEPLOY) && go test -timeout 10m ./...

.PHONY: judges-install
judges-install: ## Install the judges: npm packages in testdata/judges, servers in bin/
	cd $(JUDGES) && npm ci --no-audit --no-fund
	@$(call tool,stripe-mock,$(STRIPE_MOCK))
	@$(call tool,go-httpbin,$(GO_HTTPBIN))

# Debian keeps the program in redis-tools: it is the server when it is called by that
# name. The package redis-server adds a system service, which nothing here needs.
.PHONY: redis-install
redis-install: ## Install a Redis server for tests into bin/, unless there is one (Debian, as root)
	@command -v redis-server >/dev/null || test -x $(BIN)/redis-server || { \
		if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
			export DEBIAN_FRONTEND=noninteractive; \
			{ apt-get install -qq -y --no-install-recommends redis-tools || { apt-get update -qq && apt-get install -qq -y --no-install-recommends redis-tools; }; } >/dev/null && \
			mkdir -p $(BIN) && ln -sf "$$(command -v redis-check-rdb)" $(BIN)/redis-server; \
		else \
			echo "redis-server is needed: install Redis 6 or newer (apt-get install redis-server, brew install redis)" >&2; exit 1; \
		fi; }
	@PATH="$$PATH:$(BIN)" redis-server --version

.PHONY: systemd-install
systemd-install: ## Install systemd-analyze for tests, unless it is there (Debian, as root)
	@command -v systemd-analyze >/dev/null || { \
		if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
			export DEBIAN_FRONTEND=noninteractive; \
			{ apt-get install -qq -y --no-install-recommends systemd || { apt-get update -qq && apt-get install -qq -y --no-install-recommends systemd; }; } >/dev/null; \
		else \
			echo "systemd-analyze is needed: install systemd" >&2; exit 1; \
		fi; }

.PHONY: lint
lint: lint-install ## Check formatting, vet and lint all modules
	@test -z "$$(gofmt -l . | tee /dev/stderr)" || { echo "gofmt -w the files above" >&2; exit 1; }
	$(BIN)/golangci-lint run ./...
	cd $(JUDGES) && $(BIN)/golangci-lint run -c $(CURDIR)/.golangci.yml ./...
	cd $(BENCH) && $(BIN)/golangci-lint run -c $(CURDIR)/.golangci.yml ./...
	cd $(DEPLOY) && $(BIN)/golangci-lint run -c $(CURDIR)/.golangci.yml ./...

.PHONY: lint-install
lint-install:
	@$(call tool,golangci-lint,$(GOLANGCI_LINT))

.PHONY: licenses
licenses: ## Write THIRD_PARTY.md; fails on a licence that is not allowed
	@$(call tool,go-licenses,$(GO_LICENSES))
	@bash .ci/licenses

.PHONY: vulncheck
vulncheck: ## Look for known vulnerabilities, where the database can be reached
	@$(call tool,govulncheck,$(GOVULNCHECK))
	@bash .ci/vulncheck

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (30s), two at a time
	@FUZZTIME=$(FUZZTIME) bash .ci/fuzz

.PHONY: bench
bench: ## Measure calls against a plain reverse proxy, features, cold start, lists and memory
	cd $(BENCH) && go run . -corpus "$${MCPC_CORPUS:-$(CURDIR)/../shared}" $(BENCHFLAGS)

.PHONY: ci
ci: ## Run what CI runs
	CI=true bash .ci/run

.PHONY: clean
clean: ## Delete what was built and installed
	rm -rf $(BIN) out $(JUDGES)/node_modules
