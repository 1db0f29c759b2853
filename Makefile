# The tasks for working on bote. make without a target lists them.

GO            ?= go
GOLANGCI      := v2.15.0
BENCHSTAT     := latest
TOOLS         := $(CURDIR)/.tools
VERSION       ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
TARGET        := $(shell $(GO) env GOOS)-$(shell $(GO) env GOARCH)
DIST          := dist/bote-$(VERSION)-$(TARGET)
EXE           := $(if $(filter windows-%,$(TARGET)),.exe,)
RUN           ?= .
FUZZTIME      ?= 10m
MODELTIME     ?= 10m
COUNT         ?= 10
CRASHTIME     ?= 4h

.DEFAULT_GOAL := help

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build the binary, ./bote
	$(GO) build -trimpath -o bote$(EXE) ./cmd/bote

.PHONY: fmt
fmt: $(TOOLS)/golangci-lint ## format the code
	$(TOOLS)/golangci-lint fmt

.PHONY: lint
lint: $(TOOLS)/golangci-lint ## run the linters, for this system and for Windows
	$(TOOLS)/golangci-lint run
	GOOS=windows $(GO) vet ./...

.PHONY: test
test: ## run the tests
	$(GO) test -shuffle=on -run '$(RUN)' ./...

.PHONY: race
race: ## run the tests with the race detector, and check the order of tokens
	$(GO) test -race -tags invariants -shuffle=on -run '$(RUN)' ./...

.PHONY: stress
stress: ## run the tests many times: make stress RUN=TestX COUNT=100
	$(GO) test -race -tags invariants -shuffle=on -count=$(COUNT) -run '$(RUN)' ./...

.PHONY: fuzz
fuzz: ## run every fuzz target whose name matches RUN for FUZZTIME each: make fuzz FUZZTIME=1m RUN=Recovery
	./test/fuzz.sh $(FUZZTIME) '$(RUN)'

.PHONY: model
model: ## play random histories against the broker for MODELTIME
	BOTE_MODEL=$(MODELTIME) $(GO) test -count=1 -v -timeout 0 -run TestModel ./test/model

.PHONY: mutations
mutations: ## plant known bugs and check that the random histories find them (minutes)
	BOTE_MUTATIONS=1 $(GO) test -count=1 -v -timeout 60m -run TestMutations ./test/model

.PHONY: planted
planted: ## plant bugs that tests once missed and check that a test notices each (minutes; one alone: make planted RUN=socket)
	BOTE_PLANTED=1 $(GO) test -count=1 -v -timeout 60m -run 'TestPlantedBugsAreNoticed/$(RUN)' ./test/planted

.PHONY: cover
cover: ## measure the coverage of the tests; the page is cover.html
	$(GO) test -coverpkg=./... -coverprofile=cover.out ./...
	$(GO) tool cover -func=cover.out | tail -1
	$(GO) tool cover -html=cover.out -o cover.html

.PHONY: bench
bench: ## run the benchmarks and write the numbers to bench.out
	$(GO) test -run '^$$' -bench '$(RUN)' -benchmem -count=$(COUNT) ./... | tee bench.out

.PHONY: benchcmp
benchcmp: $(TOOLS)/benchstat ## compare bench.out with earlier numbers: make benchcmp OLD=old.out
	$(TOOLS)/benchstat $(OLD) bench.out

.PHONY: bench-kafka
bench-kafka: ## measure bote and Apache Kafka side by side; BENCH has the flags of ./bench, e.g. -quick (Linux, Java)
	$(GO) run ./bench $(BENCH)

.PHONY: golden
golden: ## rewrite the goldens; review the difference before you commit it
	@for dir in $$(grep -rlE --include='*_test.go' 'flag.Bool\("update"' . | xargs -n1 dirname | sort -u); do $(GO) test $$dir -update; done
	@for dir in $$(grep -rl --include='*_test.go' 'cockroachdb/datadriven' . | xargs -r -n1 dirname | sort -u); do $(GO) test $$dir -rewrite; done

.PHONY: docs
docs: ## rewrite the pages that are generated from tables in the code
	$(GO) test ./internal/config ./internal/api -update

.PHONY: compat
compat: ## run stock clients and tools, the recorded command lines, and the tutorials against bote (Linux, network, port 9092)
	BOTE_COMPAT=1 $(GO) test -count=1 -timeout 60m ./test/compat/...
	BOTE_COMPAT=1 $(GO) test -count=1 -p 1 -timeout 60m ./test/golden-cli ./test/tutorial

.PHONY: crash
crash: ## harm the broker in seven ways and check what clients were told, three minutes (disks need Linux and root)
	BOTE_COMPAT=1 $(GO) test -count=1 -v -timeout 20m ./test/crash

.PHONY: crash-long
crash-long: ## the same for hours, seeded by BOTE_CRASH_SEED: make crash-long CRASHTIME=4h
	BOTE_COMPAT=1 BOTE_CRASH_TIME=$(CRASHTIME) $(GO) test -count=1 -v -timeout 0 -run TestFaults ./test/crash

.PHONY: windows
windows: ## run the batch files under Wine
	BOTE_WINE=1 $(GO) test -count=1 -timeout 20m ./test/windows

.PHONY: dist
dist: ## build and pack the tree for users, in dist/bote-VERSION-SYSTEM; GOOS=windows and GOARCH choose the system
	rm -rf $(DIST) $(DIST).tar.gz $(DIST).zip dist/build
	mkdir -p dist/build
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o dist/build/bote$(EXE) ./cmd/bote
	GOOS= GOARCH= $(GO) run ./dist/packaging -out $(DIST) -binary dist/build/bote$(EXE) $(if $(EXE),-zip $(DIST).zip)
	$(if $(EXE),,tar -C dist -czf $(DIST).tar.gz $(notdir $(DIST)))
	@echo "the tree is $(DIST), packed as $(DIST)$(if $(EXE),.zip,.tar.gz)"

.PHONY: check
check: ## run what CI runs: builds for all systems, lint, tests with the race detector, a clean module
	$(GO) build ./...
	GOOS=windows $(GO) build ./...
	GOOS=darwin $(GO) build ./...
	$(MAKE) lint
	$(MAKE) race
	$(GO) mod verify

$(TOOLS)/golangci-lint: Makefile
	GOBIN=$(TOOLS) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI)
	@touch $@

$(TOOLS)/benchstat:
	GOBIN=$(TOOLS) $(GO) install golang.org/x/perf/cmd/benchstat@$(BENCHSTAT)
