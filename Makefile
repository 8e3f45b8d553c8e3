# Everything a person needs is one word: `make run`, `make test`. Nothing but Python 3.11 and make has to be there.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
INSTALLED := .venv/.installed
TEST_WORKERS ?= 4
SOURCES := contracts chassis services gateway careline bench

# Compiled once, not at each of the hundreds of starts of a test run.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install run test check format-check format lint types imports tests faults fuzz histories machine browser clean

help:  ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(INSTALLED): requirements.lock pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Careline needs Python 3.11 or newer: make PYTHON=/path/to/python3.11")'
	@test -x $(BIN)/python || "$(PYTHON)" -m venv .venv
	@echo "installing the locked dependencies into .venv"
	@# uv does in seconds what pip does in minutes; where it cannot be had, or cannot reach the registry, pip does it.
	@($(BIN)/python -m pip install --quiet --disable-pip-version-check uv \
	  && $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock) >/dev/null 2>&1 \
	  || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@# compiled now, so that the first start does not have to
	@$(BIN)/python -m compileall -q $(SOURCES)
	@touch $@

install: $(INSTALLED)  ## make .venv with the locked dependencies

run: $(INSTALLED)  ## start everything in one process, with a private PostgreSQL; ARGS="--port 8001"
	@exec $(BIN)/careline up $(ARGS)

test: check  ## format check, lint, types, import rules and all tests, as CI does

check: format-check lint types imports tests  ## the same as test

format-check: $(INSTALLED)
	$(BIN)/ruff format --check --quiet .

format: $(INSTALLED)  ## put the code into its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(INSTALLED)
	$(BIN)/ruff check --quiet .

types: $(INSTALLED)
	$(BIN)/mypy

imports: $(INSTALLED)
	$(BIN)/lint-imports

# Most of a test's time is waiting for servers: several workers, each with servers of its own, a file at a time.
tests: $(INSTALLED)  ## the tests alone; ARGS="tests/points -k debt"
	$(BIN)/pytest --numprocesses $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

SEEDS ?= 20
faults: $(INSTALLED)  ## play every fault with SEEDS=20 seeds, or one SCENARIO=name; prints seeds, lost, doubled
	@$(BIN)/python -m tests.faults.suite $(SEEDS) $(SCENARIO) $(if $(SCENARIO),,--table docs/reliability.md)

HISTORIES ?= 10000
histories: $(INSTALLED)  ## play HISTORIES=10000 random histories of the points ledger against the slow fold, in memory and in the database
	POINTS_HISTORIES=$(HISTORIES) LEDGER_HISTORIES=$(HISTORIES) $(BIN)/pytest --timeout 0 tests/points/test_fold.py tests/points/test_histories.py $(ARGS)

CASES ?= 10000
fuzz: $(INSTALLED)  ## send CASES=10000 requests a service, by the published documents and against them; ARGS="-k points"
	CASES=$(CASES) $(BIN)/pytest --timeout 0 tests/fuzz $(ARGS)

EXAMPLES ?= 1000
machine: $(INSTALLED)  ## one client, three products, two schemes, staff and time: EXAMPLES=1000 histories against the reference
	EXAMPLES=$(EXAMPLES) $(BIN)/pytest --timeout 0 --numprocesses $(TEST_WORKERS) tests/suitability/test_state_machine.py $(ARGS)

browser: $(INSTALLED)  ## the console's journeys in a real Chromium alone (apt-get install chromium), with their pictures into docs/pictures
	PICTURES=1 CI=true $(BIN)/pytest tests/browser $(ARGS)

clean:  ## remove .venv and caches; what Careline keeps (var) stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist *.egg-info
