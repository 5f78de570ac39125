# make help lists the targets.

GO ?= go
LDFLAGS = -s -w -X main.version=$(shell git describe --tags --always --dirty 2>/dev/null || echo development)

.PHONY: help build demo test check simulate torture bench bench-all screenshots clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

build: ## build bin/payoutd, bin/payoutbench and bin/payouttorture
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

demo: build ## run a sandbox, send a payout through it, show every exchange, keep serving
	./bin/payoutd demo

test: ## check, fuzz briefly and test everything, on SQLite and a PostgreSQL of its own
	./scripts/test.sh

check: ## gofmt, vet, staticcheck
	./scripts/check.sh

simulate: ## the simulation with 2,000 seeds (20 in make test)
	$(GO) test ./gateway -run 'TestSimulation$$' -count=1 -timeout 60m -v -simulate 2000

torture: build ## 30 minutes of kills, failovers by Patroni and cut connections on 3 nodes and a PostgreSQL pair (1 minute in make test)
	./scripts/torture.sh

bench: build ## measure acceptance against its ceiling, on SQLite
	./bin/payoutbench accept

bench-all: build ## measure everything on SQLite and PostgreSQL (about 40 minutes); pages with plots in ./reports
	mkdir -p reports
	./bin/payoutbench accept --engine sqlite,postgres --bits 2048,4096 --parties 1,50 --nodes 1,3 --html reports/accept.html --json reports/accept.json
	./bin/payoutbench status --engine sqlite,postgres --html reports/status.html --json reports/status.json
	./bin/payoutbench e2e --engine sqlite,postgres --html reports/e2e.html --json reports/e2e.json
	./bin/payoutbench callbacks --engine sqlite,postgres --html reports/callbacks.html --json reports/callbacks.json
	./bin/payoutbench grow --engine sqlite,postgres --html reports/grow.html --json reports/grow.json
	./bin/payoutbench soak --engine sqlite,postgres --html reports/soak.html --json reports/soak.json

screenshots: ## write pictures of the Receiver's pages in every state to ./screenshots, by Chromium
	$(GO) run ./cmd/storybook --out screenshots

clean: ## remove what was built; ./data stays
	rm -rf bin
