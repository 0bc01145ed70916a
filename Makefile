# make build      bin/stephost, bin/stephost-host, bin/plugins/stephost-flavor-<name> and bin/shim/stephost-init-linux-<arch>
# make wheel      dist/*.whl: Python wheels of stephost and of the flavors, WHEEL_PLATFORMS
# make demo       a real training step, from nothing
# make test       every test
# make bench      the benchmarks, side by side in one run
# make prebuild   the servers that the tests need and no package brings: some minutes, once
# make torture    the long form of the crash tests
# make fuzz       every fuzz target, FUZZTIME each
# make lint       formatting, vet, static analysis, the contract's lint
# make cross      the platforms that must at least build
# make generate   code and documents that are made from other files

GO       ?= go
# Without gRPC's pages for net/http, which nobody serves: they bring text/template,
# whose search for methods by name makes the linker keep every method of a vendor's
# SDK. With these flags everywhere, and without cgo where the race detector does not
# need it, lint and tests compile nothing again that the build has compiled.
export GOFLAGS ?= -tags=grpcnotrace -trimpath
BIN      := bin
TOOLS    := $(CURDIR)/$(BIN)/tools
BUILD    := CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w"
# stephost is a front, which answers what it can and executes stephost-host for the
# rest: cmd/stephost/internal/handover.
FRONT    := -tags=grpcnotrace,front
PLUGINS  := $(patsubst plugins/%/main.go,%,$(wildcard plugins/*/main.go))
MODULES  := . $(addprefix ./plugins/,$(PLUGINS)) ./examples/hello-flavor ./examples/slurm
# Packages whose tests run at once: half of the time they wait for something.
TEST_PACKAGES ?= 4
FUZZTIME ?= 60s
FUZZTIME_SHORT ?= 10s

# Pinned, because what is generated and what lint says must not change by
# itself.
BUF_VERSION         := v1.70.0
PROTOC_GEN_GO       := v1.36.12
PROTOC_GEN_GO_GRPC  := v1.6.2
STATICCHECK_VERSION := v0.8.1

.PHONY: all build wheel demo test prebuild bench torture fuzz lint cross generate check-generated breaking tools clean

all: build

# The init process of built images, for the platforms that images have.
SHIMS := $(addprefix $(BIN)/shim/stephost-init-linux-,amd64 arm64)

build: $(BIN)/stephost $(BIN)/stephost-host $(addprefix $(BIN)/plugins/stephost-flavor-,$(PLUGINS)) $(SHIMS)

# Go itself knows what is up to date.
.PHONY: $(BIN)/stephost $(BIN)/stephost-host $(addprefix $(BIN)/plugins/stephost-flavor-,$(PLUGINS)) $(SHIMS)
$(BIN)/stephost:
	$(BUILD) $(FRONT) -o $@ ./cmd/stephost

$(BIN)/stephost-host:
	$(BUILD) -o $@ ./cmd/stephost

$(addprefix $(BIN)/plugins/stephost-flavor-,$(PLUGINS)): $(BIN)/plugins/stephost-flavor-%:
	cd plugins/$* && $(BUILD) -o $(CURDIR)/$@ .

# Without a build ID, and without the state of the checkout: the same source
# gives the same layer everywhere.
$(SHIMS): $(BIN)/shim/stephost-init-linux-%:
	GOOS=linux GOARCH=$* CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags "-s -w -buildid=" -o $@ ./cmd/stephost-init

# What pip installs. WHEEL_FLAVORS get a wheel each; local is part of stephost's.
WHEEL_PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64
WHEEL_FLAVORS   ?= $(filter-out local,$(PLUGINS))

wheel: $(SHIMS)
	@set -e; for t in $(WHEEL_PLATFORMS); do \
	  export GOOS=$${t%/*} GOARCH=$${t#*/}; out=$(CURDIR)/$(BIN)/wheel/$$GOOS-$$GOARCH; mkdir -p $$out; \
	  cp -r $(BIN)/shim $$out; $(BUILD) $(FRONT) -o $$out/stephost ./cmd/stephost; $(BUILD) -o $$out/stephost-host ./cmd/stephost; \
	  for p in local $(WHEEL_FLAVORS); do (cd plugins/$$p && $(BUILD) -o $$out/plugins/stephost-flavor-$$p .); done; \
	  python3 python/wheel/build.py --dist dist --bin $$out --platform $$t --integrations $(addprefix --flavor ,$(WHEEL_FLAVORS)); \
	done

demo: build
	./examples/digits/demo.sh

# The tests of the Python packages, and the check of their types, are among those
# of the root module: python/e2e.
#
# DRIVERS only start programs, which are built as they are shipped, and look at
# what those do: the race detector would see nothing there but the drivers, and
# makes them compress and compare many times slower. Everything else runs with it.
DRIVERS := /(internal/scaffold|python/e2e|test/image|test/kube|test/kube/(e2e|spark)|test/python|test/torture|plugins/[a-z]+/(e2e|internal/torture))$$

# SLOW take minutes each and begin first, so that none is left alone at the end.
SLOW := /(pluginsdk/plugintest|plugins/(kubernetes/job|sagemaker|vertex)|test/e2e|test/python|test/kube/(e2e|spark)|internal/scaffold|test/image|plugins/(azureml|spark|vertex)/(e2e|internal/torture))$$

# `make lint` vets everything, so the tests do not.
test: build
	@set -e; all=$$($(GO) list $(addsuffix /...,$(MODULES))); \
	  all=$$(echo "$$all" | grep -E '$(SLOW)'; echo "$$all" | grep -vE '$(SLOW)'); \
	  $(GO) test -race -vet=off -p $(TEST_PACKAGES) -timeout 45m $$(echo "$$all" | grep -vE '$(DRIVERS)'); \
	  CGO_ENABLED=0 $(GO) test -vet=off -p $(TEST_PACKAGES) -timeout 45m $$(echo "$$all" | grep -E '$(DRIVERS)')

# Without it the first test that needs one of them builds it.
prebuild:
	CGO_ENABLED=0 $(GO) run ./test/kube/cmd/prebuild
	CGO_ENABLED=0 $(GO) run ./test/image/cmd/prebuild

bench: build
	$(GO) run ./test/bench

torture:
	STEPHOST_TORTURE=long $(GO) test -count=1 -timeout 3h -v -run Torture ./test/torture
	STEPHOST_TORTURE=long $(GO) test -count=1 -timeout 1h -v -run 'TestMany|TestLogAcrossRotation|TestLogEndsInABurst' ./test/kube/e2e
	cd plugins/spark && STEPHOST_TORTURE=long $(GO) test -count=1 -timeout 1h -v -run 'TestTorture' ./e2e

# The four kinds of input that strangers write get FUZZTIME, the rest a tenth.
FUZZ_LONG := FuzzManifest FuzzSchemaEvaluate FuzzLoad FuzzFrames

# Two at once, each on a core of its own.
fuzz:
	@for f in $$(grep -rl --include='*_test.go' '^func Fuzz' host pluginsdk proto); do \
	  for t in $$(grep -o '^func Fuzz[A-Za-z0-9_]*' $$f | sed 's/func //'); do \
	    time=$(FUZZTIME_SHORT); case " $(FUZZ_LONG) " in *" $$t "*) time=$(FUZZTIME);; esac; \
	    echo "./$$(dirname $$f) $$t $$time"; \
	  done; \
	done | xargs -P 2 -L 1 sh -c 'echo "== $$0 $$1 $$2"; \
	  exec $(GO) test "$$0" -run "^$$" -fuzz "^$$1$$" -fuzztime "$$2" -fuzzminimizetime 5x -parallel 1'

lint: $(TOOLS)/staticcheck $(TOOLS)/buf
	@unformatted=$$(git ls-files '*.go' | grep -v '\.pb\.go$$' | xargs gofmt -l); \
	  if [ -n "$$unformatted" ]; then echo "not gofmt-ed:"; echo "$$unformatted"; exit 1; fi
	@set -e; export CGO_ENABLED=0; for m in $(MODULES); do (cd $$m && $(GO) vet ./... && $(TOOLS)/staticcheck ./...); done; \
	  $(GO) vet $(FRONT) ./cmd/stephost/... && $(TOOLS)/staticcheck $(FRONT) ./cmd/stephost/...
	cd proto && $(TOOLS)/buf lint

# Every package is compiled, without the optimisations that take most of a compiler's
# time, and what a user gets is linked, too.
cross:
	@set -e; export CGO_ENABLED=0; for t in darwin/arm64 darwin/amd64 windows/amd64 linux/arm64; do \
	  export GOOS=$${t%/*} GOARCH=$${t#*/}; \
	  for m in .:./cmd/stephost ./plugins/local:.; do \
	    echo "== $$m $$t"; (cd $${m%:*} && $(GO) list -gcflags='all=-N -l' -export ./... >/dev/null && \
	      $(GO) build -gcflags='all=-N -l' -o /dev/null $${m#*:}); \
	  done; \
	  $(GO) build $(FRONT) -gcflags='all=-N -l' -o /dev/null ./cmd/stephost; \
	done

# The text forms of generated messages must not print secrets: see
# proto/stephost/operator/v1/redact.go.
generate: $(TOOLS)/buf $(TOOLS)/protoc-gen-go $(TOOLS)/protoc-gen-go-grpc build
	cd proto && PATH="$(TOOLS):$$PATH" buf generate
	sed -i 's/return protoimpl.X.MessageStringOf(x)/return redacted(x)/' proto/stephost/operator/v1/operator.pb.go
	$(MAKE) -C python generate
	for p in $(PLUGINS); do $(BIN)/stephost flavor stamp plugins/$$p/flavor.hcl; done
	for p in $(PLUGINS); do $(BIN)/stephost flavor docs plugins/$$p/flavor.hcl > docs/flavors/$$p.md; done

check-generated: generate
	git diff --exit-code -- proto plugins docs python/stephost_flavor/_proto || { echo "generated files are out of date: run make generate"; exit 1; }

# Against the last commit that changed the contract's major, or the branch's
# start: a published field never changes its meaning.
breaking: $(TOOLS)/buf
	@if git cat-file -e $(BASE):proto/stephost/operator/v1/operator.proto 2>/dev/null; then \
	  cd proto && $(TOOLS)/buf breaking --against "../.git#ref=$(BASE),subdir=proto"; \
	else echo "no earlier contract to compare with"; fi
BASE ?= HEAD~1

$(TOOLS)/buf:
	GOBIN=$(TOOLS) $(GO) install github.com/bufbuild/buf/cmd/buf@$(BUF_VERSION)
$(TOOLS)/protoc-gen-go:
	GOBIN=$(TOOLS) $(GO) install google.golang.org/protobuf/cmd/protoc-gen-go@$(PROTOC_GEN_GO)
$(TOOLS)/protoc-gen-go-grpc:
	GOBIN=$(TOOLS) $(GO) install google.golang.org/grpc/cmd/protoc-gen-go-grpc@$(PROTOC_GEN_GO_GRPC)
$(TOOLS)/staticcheck:
	GOBIN=$(TOOLS) $(GO) install honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION)

tools: $(TOOLS)/buf $(TOOLS)/protoc-gen-go $(TOOLS)/protoc-gen-go-grpc $(TOOLS)/staticcheck

clean:
	rm -rf $(BIN)
