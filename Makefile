# Maskline: one command each. `make help` prints this list from the comments behind the targets.
#
# Needed: Python 3.11 or newer with pip. `make demo` needs nothing else; `make test` also needs the Debian
# packages of tools/apt-packages.txt and installs them itself when it runs as root.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash
# Some images set it, and then each of hundreds of processes compiles the product anew.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
SETUP := $(PYTHON) tools/setup_env.py
JOBS ?= 2
LOAD_SECONDS ?= 6
FUZZ_SECONDS ?= 20

# Suites that need no socket outside the process, in parts that run beside each other; those of media wait more than
# they work. And those that start real programs.
MEDIA_PART = $(wildcard tests/contract/test_media_*.py)
UNIT_PART = $(filter-out %/lab/ %/__pycache__/,$(wildcard tests/unit/*/))
OTHER_PART = tests/unit/lab $(wildcard tests/unit/test_*.py) tests/sim tests/torture tests/fuzz \
	$(filter-out $(MEDIA_PART),$(wildcard tests/contract/test_*.py))
WIRE_SUITES = $(wildcard tests/wire tests/e2e tests/crash)
# Beside the other wire tests, since they wait most of their minutes: the demo, of whose platform coverage is measured
# (decision 0071), and the runs in which parts are killed.
DEMO = tests/e2e/test_demo.py
CRASH = tests/crash
PYTEST = $(BIN)/pytest --junitxml=out/junit-$@.xml
COVERAGE = --cov=maskline --cov-branch --cov-report=
# Real time is judged on a machine that is not ours alone: one more try, told in the summary (decisions 0033, 0068).
AGAIN = --reruns 1 -rsR --rerun-show-tracebacks

.PHONY: help
help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## everything to develop: .venv with exact versions, Debian (as root) and Node packages
	@$(SETUP) system & system=$$!; failed=0; $(SETUP) dev || failed=1; wait $$system || failed=1; exit $$failed
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
	@$(MAKE) --no-print-directory fuzz
	@$(MAKE) --no-print-directory wire
	@$(MAKE) --no-print-directory load
	@$(PY) tools/sum_results.py out/junit-*.xml

.PHONY: lint
lint: dev ## ruff, mypy --strict, layer contract, size budgets, a test for every row
	@mkdir -p out; $(BIN)/mypy -p maskline -p tools >out/mypy.log 2>&1 & mypy=$$!; failed=0; \
	{ set -x; $(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports --no-cache \
	&& $(PY) tools/check_budgets.py && $(PY) tools/check_rows.py; } || failed=1; { set +x; } 2>/dev/null; \
	wait $$mypy || failed=1; echo mypy:; cat out/mypy.log; exit $$failed

.PHONY: unit
unit: dev ## unit tests alone, no coverage: the quick loop
	$(PYTEST) tests/unit

.PHONY: sim
sim: dev ## the whole engine on a virtual clock with a bad network
	$(PYTEST) tests/sim

.PHONY: nightly
SEEDS ?= 10000
NIGHTLY_FUZZ ?= 1800
nightly: dev ## SEEDS (10,000) simulated calls of each bad network, and half an hour of fuzzing
	MASKLINE_SIM_SEEDS=$(SEEDS) $(BIN)/pytest -n $(JOBS) --timeout 7200 tests/sim -k "leaves_nothing"
	@$(PY) tools/fuzz.py --seconds $(NIGHTLY_FUZZ)

# Not pytest-xdist: each of its workers would collect all tests, under coverage half a minute of CPU.
CORE_PART = COVERAGE_FILE=$(CURDIR)/out/$(1).coverage $(BIN)/pytest --junitxml=out/junit-$(1).xml $(AGAIN) $(COVERAGE)
.PHONY: core
core: dev ## unit, sim, contract and torture suites with the gate for the pure packages
	@mkdir -p out; rm -f .coverage .coverage.* out/*.coverage*
	$(call CORE_PART,media) $(MEDIA_PART) >out/core-media.log 2>&1 & media=$$!; \
	$(call CORE_PART,other) $(OTHER_PART) >out/core-other.log 2>&1 & other=$$!; failed=0; \
	$(call CORE_PART,unit) $(UNIT_PART) || failed=1; \
	wait $$other || failed=1; wait $$media || failed=1; cat out/core-other.log out/core-media.log; exit $$failed
	@$(BIN)/coverage combine -q out/unit.coverage out/other.coverage out/media.coverage
	@$(BIN)/coverage json -q -o out/coverage-core.json
	$(PY) tools/check_coverage.py --pure out/coverage-core.json

.PHONY: wire
wire: dev ## real sockets and real programs (SIPp, rtpengine), then the gate for all of src
	@mkdir -p out; $(BIN)/pytest --junitxml=out/junit-demo.xml $(AGAIN) $(COVERAGE) --cov-append $(DEMO) >out/demo.log 2>&1 & \
	demo=$$!; $(BIN)/pytest --junitxml=out/junit-crash.xml $(AGAIN) $(CRASH) >out/crash.log 2>&1 & \
	crash=$$!; failed=0; \
	$(PYTEST) -m "not load and not alone" -n $(JOBS) --dist loadfile $(AGAIN) --ignore $(DEMO) --ignore $(CRASH) \
	$(WIRE_SUITES) || failed=1; \
	wait $$demo || failed=1; wait $$crash || failed=1; cat out/demo.log out/crash.log; exit $$failed
	$(BIN)/pytest --junitxml=out/junit-alone.xml -m "alone" $(AGAIN) $(WIRE_SUITES)
	@$(BIN)/coverage json -q -o out/coverage.json
	$(PY) tools/check_coverage.py out/coverage.json

.PHONY: fuzz fuzz-corpus
fuzz: dev ## atheris on the parsers, the agent and whole calls for FUZZ_SECONDS (20); findings go to out/fuzz
	@$(PY) tools/fuzz.py --seconds $(FUZZ_SECONDS)
fuzz-corpus: dev ## the same, and what reaches something new is saved in tests/fuzz/corpus
	@$(PY) tools/fuzz.py --seconds $(FUZZ_SECONDS) --save

.PHONY: load
load: dev ## the tests that measure: calls per second, packets lost, latency (no coverage, nothing beside them)
	MASKLINE_LOAD_SECONDS=$(LOAD_SECONDS) $(PYTEST) -m load $(AGAIN) $(WIRE_SUITES)

.PHONY: hundred
hundred: dev ## the engine killed -9 under 100 calls with audio, with either relay; on a machine that does nothing else
	@MASKLINE_TEST_COUPLES=100 $(PY) -m pytest -q -s tests/wire/test_engine_killed.py

CRASH_RUNS ?= 200
CRASH_MINUTES ?= 45
.PHONY: crash
crash: setup ## CRASH_RUNS (200) seeds in which parts are killed -9 under load, a line each; four platforms beside each other; in CRASH_MINUTES (45) at most
	@$(PY) tools/crash.py --runs $(CRASH_RUNS) --minutes $(CRASH_MINUTES)

.PHONY: cover
cover: core ## table of what the core suites leave uncovered
	$(BIN)/coverage report --skip-covered --show-missing

.PHONY: bench
bench: setup ## calls/s, CPU, added latency and memory, without and with records, by SIPp (25 min, 35 and more with the row of 'make compile'; PROFILE=1: flame graph); then the media relay
	@$(PY) tools/bench_sip.py $(if $(PROFILE),--profile out/flame.svg)
	@$(PY) tools/bench_media.py --brief

.PHONY: bench-overload
bench-overload: setup ## calls offered against calls completed, from half to three times what a core can do (6 minutes; needs sipp)
	@$(PY) tools/bench_overload.py

.PHONY: bench-peer
bench-peer: setup ## CPU of a call and the highest rate beside Debian's Kamailio as a masking proxy, in turns (25 minutes; needs sipp, kamailio)
	@$(PY) tools/bench_peer.py --searches 3

.PHONY: bench-fleet
bench-fleet: setup ## CPU of a call in engines, Kamailio and PostgreSQL, with one engine and with two (2 minutes; needs sipp, kamailio)
	@$(PY) tools/bench_fleet.py

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

.PHONY: compile
compile: dev ## a copy of the package in build/compiled whose hot rooms mypyc has compiled (needs cc and Python's headers)
	$(PY) tools/compile.py

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
