# Every target sets itself up in .venv from requirements.lock: Python >= 3.11 and make are all that is needed.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help setup demo test lint e2e cluster bench fuzz battery tamper syscalls kills powercuts lock clean

FUZZ_SECONDS = $(if $(filter command line environment,$(origin SECONDS)),$(SECONDS),20)

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(STAMP): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "there is no $(PYTHON) here; kubewitness needs Python 3.11 or newer. Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "kubewitness needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) has no venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "setting up $(VENV) (once, about a minute)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

setup: $(STAMP) ## make .venv with everything pinned and hashed

demo: $(STAMP) ## the whole story on loopback: sign-in, kubectl, a refusal, the records
	@$(BIN)/kwit demo

test: $(STAMP) ## lint, types, import law, unit tests, the demo's own check
	@$(MAKE) --no-print-directory lint
	@$(BIN)/python -m pytest -q --ignore=tests/e2e --ignore=tests/bench

lint: $(STAMP) ## ruff, mypy --strict, import law
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

e2e: $(STAMP) ## real kubectl, real API server, real identity providers (builds them once, about 10 minutes)
	@tests/e2e/run

cluster: $(STAMP) ## build (once) and start a real Kubernetes control plane on loopback
	@tests/e2e/control_plane/up

bench: $(STAMP) ## CPU, latency and memory beside nginx and a Go reverse proxy
	@tests/bench/run
	@$(BIN)/python -m tests.bench.streams.bench
	@$(BIN)/python -m tests.bench.log

fuzz: $(STAMP) ## every parser under the fuzzer, SECONDS=20 each; FUZZ="target …" for some (CPython 3.11, Linux x86-64)
	@[ -d $(VENV)/fuzz/atheris ] || $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: --target $(VENV)/fuzz -r tests/fuzz/requirements.lock || true
	@PYTHONPATH=$(VENV)/fuzz $(BIN)/python -m tests.fuzz.run --seconds $(FUZZ_SECONDS) $(FUZZ)

battery: $(STAMP) ## the long suites of attacks and faults
	@KWIT_STREAM_STEP=1 KWIT_STREAM_MUTANTS=240 KWIT_STREAM_CASES=1 KWIT_IDENTITIES=10000 KWIT_FLOOD_BYTES=10737418240 \
	  KWIT_SPDY_STREAMS=100000 KWIT_FULL_DISK=512 KWIT_SLOW_DISK=1 KWIT_POWER_CUTS=20 KWIT_LIMITS=1 KWIT_NETWORK=1 $(BIN)/python -m pytest -q tests/battery

tamper: $(STAMP) ## a million changes to a log, each of which must be found (hours)
	@$(BIN)/python -m tests.battery.log.tamper 1000000

kills: $(STAMP) ## kill -9 the server KILLS times (2000, a quarter of an hour) while people work
	@$(BIN)/python -m tests.battery.kills.kills $(or $(KILLS),2000)

powercuts: $(STAMP) ## the power goes 1000 times on ext4, xfs and btrfs (needs root, xfsprogs, btrfs-progs; half an hour)
	@$(BIN)/python -m tests.battery.powercuts.cuts $(or $(CUTS),1000)

syscalls: $(STAMP) ## each system call of the server fails at each occurrence in each way (needs strace; five minutes)
	@$(BIN)/python -m tests.battery.syscalls.matrix

lock: ## pin the dependencies again (needs uv)
	uv pip compile pyproject.toml --group dev --universal --generate-hashes --no-header --no-annotate --no-emit-index-url -q --upgrade -o requirements.lock

clean: ## remove .venv and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
