# Whence. `make` lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Swift files under version control, or, in a tree without one, those that are there.
swift_files = $$(git ls-files '*.swift' 2>/dev/null || find Sources Tests Package.swift -name '*.swift')

# How long `make soak` searches, and how often it kills.
SOAK_SECONDS ?= 600
SOAK_KILLS ?= 200
# How many models `make soak` has made at random, and from which seed (one by the clock unless told).
SOAK_MODELS ?= 640
SOAK_SEED := $(or $(SOAK_SEED),$(shell date +%s))
# Tests of sockets hold a thread while they wait for an answer that needs another one, and Swift's are few: these run by themselves, one after
# the other.
SOCKETS = WhenceServerTests|WhenceClientTests
# Which suites `make sanitize` runs.
SANITIZED ?= WhenceCoreTests|WhenceEngineTests

.PHONY: help demo test bench bench-peers bench-scale soak soak-models sanitize format docs

help:
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: ## a year of real flights through the command line and the server, every answer checked against pandas
	@.ci/setup python
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input ./Sources/python
	@.ci/build -c release --product whence
	@.venv/bin/python Benchmarks/demo/demo.py --whence "$$(swift build -c release --show-bin-path)/whence"

test: ## all tests, Swift and Python, and the formatting; warnings are errors
	@.ci/setup python-tests
	@.ci/build --build-tests
	@.ci/test --skip-build --skip '$(SOCKETS)'
	@.ci/test --skip-build --no-parallel --filter '$(SOCKETS)'
	@.ci/python-tests
	@swift format lint --strict --parallel $(swift_files)

bench: ## the engine's own benchmarks
	@.ci/setup
	@Benchmarks/run bench

bench-peers: ## Whence beside DuckDB, Polars, Redis, Feast, LightGBM, XGBoost and others, on the same data
	@.ci/setup peers
	@Benchmarks/run peers
	@Benchmarks/run serving
	@Benchmarks/run models

bench-scale: ## how the cost of a read grows with the store
	@.ci/setup
	@Benchmarks/run scale

soak: ## random schedules and kills for as long as one likes: SOAK_SECONDS=600 SOAK_KILLS=200
	@.ci/setup
	@.ci/build --build-tests
	@WHENCE_SOAK_SECONDS=$(SOAK_SECONDS) WHENCE_SOAK_KILLS=$(SOAK_KILLS) .ci/test --skip-build --filter 'PropertyTests|FaultTests|WhenceProtocolTests.FuzzTests|WhenceModelsTests'
	@$(MAKE) soak-models

soak-models: ## the scripts of docs/models.md, and models at random against their libraries: SOAK_MODELS=640 SOAK_SEED=1
	@.ci/setup models
	@.ci/build --build-tests
	@rm -rf .build/soak-models && mkdir -p .build/soak-models
	@echo "models of the seed $(SOAK_SEED)"
	@.venv-soak/bin/python Tests/Fixtures/Models/make_random.py .build/soak-models $(SOAK_SEED) $(SOAK_MODELS)
	@.venv-soak/bin/python Tests/Fixtures/Models/run_examples.py .build/debug/whence
	@WHENCE_MODEL_FIXTURES="$(CURDIR)/.build/soak-models" .ci/test --skip-build --filter '(LightGBM|XGBoost)AgreementTests|(CatBoost|ONNX)AgreementTests/(agreement|splitsOfLevels|fixtures)'

sanitize: ## the tests of Core and Engine under the address and the thread sanitizer
	@.ci/setup
	@LSAN_OPTIONS=suppressions=$(CURDIR)/.ci/leaks .ci/test --sanitize address --scratch-path .build-asan --filter '$(SANITIZED)'
	@.ci/build --build-tests --sanitize thread --scratch-path .build-tsan
	@clang -Wall -Wextra -Werror -O1 -shared -fPIC .ci/mutex-edges.c -o .build-tsan/mutex-edges.so
	@LD_PRELOAD=$(CURDIR)/.build-tsan/mutex-edges.so .ci/test --skip-build --sanitize thread --scratch-path .build-tsan --filter '$(SANITIZED)'

format: ## format the Swift files in place
	@swift format format --in-place --parallel $(swift_files)

docs: ## check that every link between the pages leads somewhere
	@.ci/links
