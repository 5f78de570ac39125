# make help lists the targets.

GO ?= go
LDFLAGS = -s -w -X main.version=$(shell git describe --tags --always --dirty 2>/dev/null || echo development)

.PHONY: help build demo test check simulate torture bench screenshots clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

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

torture: build ## 30 minutes of kills, failovers and cut connections on 3 nodes and a PostgreSQL pair (1 minute in make test)
	./bin/payouttorture

bench: build ## measure acceptance against its ceiling, on SQLite
	./bin/payoutbench accept

screenshots: ## write pictures of the Receiver's pages in every state to ./screenshots, by Chromium
	$(GO) run ./cmd/storybook --out screenshots

clean: ## remove what was built; ./data stays
	rm -rf bin
