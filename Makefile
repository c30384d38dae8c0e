# Targets that CI runs are the ones that people run. Tools are run by version and not named in
# go.mod, because generated projects import this module and would carry their requirements.

LINT = go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
FUZZTIME = 20000x
SERVERS = NuGet.Mcp.Server Azure.Mcp

.PHONY: help demo test unit e2e e2e-starts e2e-front servers fork-servers scale chaos chaos-short fuzz deadcode lint generate golden site release-dry-run bench bench-fork bench-memory bench-go

help: ## list the targets
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: ## scaffold, build, serve and call, on an embedded server
	go run ./cmd/mcpfunc demo

test: ## run everything that CI runs; installs what the tests need
	.ci/test

unit: ## run the hermetic tests
	CGO_ENABLED=0 go vet -trimpath ./...
	.ci/unit

e2e: ## run real servers, real clients and the official conformance suite
	test/e2e/tools/install.sh
	go test -tags e2e -v -timeout 60m ./test/e2e ./internal/broker ./internal/backplane

servers: ## pack popular servers of npm and PyPI and list their tools: ONLY="WORD ..."; with NUGET="ID@VERSION ..." those of NuGet
	$(if $(NUGET),test/e2e/tools/nuget-servers.sh $(NUGET),test/e2e/tools/popular-servers.sh $(ONLY))

fork-servers: ## pack and fork popular servers of PyPI: ONLY="WORD ..."
	LIST=fork-servers.txt test/e2e/tools/popular-servers.sh $(ONLY)

e2e-starts: ## run the same tests, and chaos, with recorded answers and with forks
	test/e2e/tools/install.sh
	MCPFUNC_E2E_MANIFEST=1 MCPFUNC_E2E_FORK=1 go test -tags e2e -v -timeout 60m ./test/e2e
	MCPFUNC_E2E_MANIFEST=1 go test -tags chaos -v -timeout 120m ./test/chaos

FRONT = ../shared/tools/front/front

e2e-front: ## run the same tests through the host's own HTTP front, FRONT, if it is installed
	test/e2e/tools/install.sh
	MCPFUNC_E2E_FRONT=$(FRONT) go test -tags e2e -v -timeout 60m ./test/e2e

scale: ## test scale-out without affinity, at full length: instances, kills, rotation, Redis
	test/e2e/tools/install.sh
	go test -tags e2e -v -timeout 120m ./test/scale

chaos: ## run kill cycles, churn and storms, at full length
	go test -tags chaos -v -timeout 120m ./test/chaos

chaos-short: ## run the same, at CI's length
	go test -tags chaos -short -v -timeout 60m ./test/chaos

fuzz: ## run every fuzz target for FUZZTIME: inputs, or a duration
	.ci/fuzz $(FUZZTIME)

deadcode: ## list code that a project carries and never runs
	.ci/deadcode

lint: ## run all checks of .golangci.yml
	$(LINT) run ./...

generate: ## rewrite derived files: the module file that projects carry
	go generate ./...

golden: ## rewrite golden files and dialogues; read the difference before you commit it
	go test ./generator -update
	go test ./runtime -run TestDialogue -update

site: ## build the documentation as a site, in site/
	.ci/site

release-dry-run: ## build archives, checksums and SBOMs of all platforms, in dist/
	.ci/release --dry-run

bench: ## run the benchmark against raw pipes, the HTTP floor and peers; writes docs/performance.md
	bench/install.sh
	go run ./bench

bench-fork: ## measure a session of a packed Python server, forked and not
	go run ./bench/fork

bench-memory: ## measure how many sessions fit on an instance behind the host's own HTTP front; needs root
	go run ./bench/memory

bench-go: ## run the benchmarks of single packages, ten times, for benchstat
	go test -run '^$$' -bench . -benchmem -count 10 ./internal/message ./internal/framing ./internal/session ./runtime
