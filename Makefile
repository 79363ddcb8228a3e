# Maskline: one command each. `make help` prints this list from the comments behind the targets.
#
# Needed: Python 3.11 or newer with pip. `make demo` needs nothing else; `make test` also needs the Debian
# packages of tools/apt-packages.txt and installs them itself when it runs as root.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
SETUP := $(PYTHON) tools/setup_env.py
JOBS ?= 2
LOAD_SECONDS ?= 20

# Suites that need no socket outside the process, and those that start real programs.
CORE_SUITES = $(wildcard tests/unit tests/sim tests/contract tests/torture)
WIRE_SUITES = $(wildcard tests/wire tests/e2e)
PYTEST = $(BIN)/pytest --junitxml=out/junit-$@.xml
COVERAGE = --cov=maskline --cov-branch --cov-report=
# A wire test judges real time on a machine that is not ours alone: one more try, told in the summary (decision 0033).
AGAIN = --reruns 1 -rsR

.PHONY: help
help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## everything to develop: .venv with exact versions, Debian (as root) and Node packages
	@$(SETUP) dev
	@$(SETUP) system
	@$(SETUP) node

.PHONY: install
install: runtime ## .venv with exactly pinned packages: all that `maskline serve` needs

.PHONY: runtime dev
runtime:
	@$(SETUP) runtime
dev:
	@$(SETUP) dev

.PHONY: demo
demo: runtime ## two phones talk through a virtual number on this machine (Python and pip suffice)
	@$(BIN)/maskline demo

.PHONY: run
run: runtime ## start the platform on SQLite: API, engine, webhooks in one process
	@$(BIN)/maskline serve

# Recursive calls keep the order also under `make -j`: the suites share two cores and must not overlap.
.PHONY: test
test: setup ## lint, every test suite and the coverage gates, from nothing, as CI does
	@rm -rf out/junit-*.xml .coverage .coverage.*
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory core
	@$(MAKE) --no-print-directory wire
	@$(MAKE) --no-print-directory load
	@$(PY) tools/sum_results.py out/junit-*.xml

.PHONY: lint
lint: dev ## ruff, mypy --strict, layer contract, size budgets, a test for every row
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --explicit-package-bases tools
	$(BIN)/lint-imports --no-cache
	$(PY) tools/check_budgets.py
	$(PY) tools/check_rows.py

.PHONY: unit
unit: dev ## unit tests alone, no coverage: the quick loop
	$(PYTEST) tests/unit

.PHONY: sim
sim: dev ## the whole engine on a virtual clock with a bad network
	$(PYTEST) tests/sim

.PHONY: core
core: dev ## unit, sim, contract and torture suites with the gate for the pure packages
	$(PYTEST) -n $(JOBS) $(COVERAGE) $(CORE_SUITES)
	@$(BIN)/coverage json -q -o out/coverage-core.json
	$(PY) tools/check_coverage.py --pure out/coverage-core.json

.PHONY: wire
wire: dev ## real sockets and real programs (SIPp, rtpengine), then the gate for all of src
	$(PYTEST) -m "not load and not alone" -n $(JOBS) --dist loadfile $(AGAIN) $(COVERAGE) --cov-append $(WIRE_SUITES)
	$(BIN)/pytest --junitxml=out/junit-alone.xml -m "alone" $(AGAIN) $(COVERAGE) --cov-append $(WIRE_SUITES)
	@$(BIN)/coverage json -q -o out/coverage.json
	$(PY) tools/check_coverage.py out/coverage.json

.PHONY: load
load: dev ## the tests that measure: calls per second, packets lost, latency (no coverage, nothing beside them)
	MASKLINE_LOAD_SECONDS=$(LOAD_SECONDS) $(PYTEST) -m load $(WIRE_SUITES)

.PHONY: cover
cover: core ## table of what the core suites leave uncovered
	$(BIN)/coverage report --skip-covered --show-missing

.PHONY: bench
bench: setup ## calls/s, CPU per call, added latency and memory per held call, by SIPp; then the media relay
	@$(PY) tools/bench_sip.py
	@$(PY) tools/bench_media.py --brief

.PHONY: bench-media
bench-media: setup ## calls that one core relays, records and plays prompts to: both media drivers, in turns (5 minutes; needs cc)
	@$(PY) tools/bench_media.py

.PHONY: bench-create
bench-create: dev ## sessions opened a second over HTTP on one core, and CPU of each (needs wrk; PROFILE=1 needs py-spy)
	@$(PY) tools/bench_create.py $(if $(PROFILE),--profile)

.PHONY: bench-call
bench-call: dev ## CPU of one masked call, part by part, without sockets: to compare code before and after a change
	@$(PY) tools/bench_call.py $(if $(PROFILE),--profile)

.PHONY: bench-vca
bench-vca: setup ## calls/s and CPU per call with the customer's application asked for each, and told of it after (needs sipp)
	@$(PY) tools/bench_vca.py

POOL_SESSIONS ?= 1000000
.PHONY: bench-pool
bench-pool: dev ## cost of a create and a match at 10^4 … POOL_SESSIONS live sessions (10000000: 16 GB of disk, half an hour)
	$(PY) tools/bench_pool.py --up-to $(POOL_SESSIONS)

.PHONY: docs
docs: dev ## write docs/reference/ anew from the declarations in src
	$(PY) tools/make_reference.py

.PHONY: format
format: dev ## let ruff sort imports and lay out the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Needs uv on the path. Versions move only where pyproject.toml or the file itself is changed first.
LOCK = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header
.PHONY: lock
lock: ## write requirements/*.txt anew from pyproject.toml (needs uv; see CONTRIBUTING.md)
	$(LOCK) -o requirements/runtime.txt pyproject.toml
	$(LOCK) -o requirements/dev.txt -c requirements/runtime.txt --extra dev pyproject.toml
	$(LOCK) -o requirements/build.txt -c requirements/dev.txt requirements/build.in

.PHONY: clean
clean: ## remove what the other targets made, .venv included
	rm -rf $(VENV) tests/contract/node/node_modules out dist build .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
