# `make` lists the verbs. Needs only make and a Python >= 3.11; everything else goes into .venv.

PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo "$$p" && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= 8000
SECONDS ?= 60

.DEFAULT_GOAL := help
.PHONY: help run demo test test-all check fix docs fuzz mutate bench

help: ## list the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-9s %s\n", $$1, $$2 }'

$(BIN)/.base: pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python >= 3.11 found. Install one, then run make again."; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@touch $@

$(BIN)/.run: $(BIN)/.base
	@$(BIN)/python -m pip install --quiet --editable ".[redis,login]" flask waitress
	@touch $@

$(BIN)/.dev: $(BIN)/.base
	@$(BIN)/python -m pip install --quiet --editable ".[all]" --group dev
	@touch $@

$(BIN)/.fuzz: $(BIN)/.dev
	@$(BIN)/python -m pip install --quiet --only-binary :all: --group fuzz || echo "No wheel of Atheris for this machine: its tests skip."
	@touch $@

run: $(BIN)/.run ## protect the example app and try it; PORT=8000
	@PORT=$(PORT) $(BIN)/python examples/run.py

demo: $(BIN)/.run ## sign in, refresh and log out in a browser; PORT=8000
	@$(BIN)/jwt-middleware demo --port $(PORT)

test: $(BIN)/.dev ## the tests: real servers, no root, under 3 minutes
	@$(BIN)/python -m pytest

test-all: $(BIN)/.dev $(BIN)/.fuzz ## the long suite too; in a browser where there is a Chromium
	@$(BIN)/python -m pytest -m "long or not long"

check: $(BIN)/.dev ## lint, types, import order, docs
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m pytest -n 0 tests/test_docs.py

fix: $(BIN)/.dev ## put the code into shape
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

docs: $(BIN)/.dev ## write the generated pages anew
	@$(BIN)/python docs/generate.py

fuzz: $(BIN)/.dev $(BIN)/.fuzz ## look for inputs nobody thought of; SECONDS=60 for each target
	@for target in token headers rules rulesfile verdicts; do $(BIN)/python -m fuzz $$target -max_total_time=$(SECONDS) || exit 1; done

mutate: $(BIN)/.dev ## change the code in a thousand places: do the tests notice? docs/mutation.md
	@$(BIN)/python -m pip install --quiet --group mutation
	@$(BIN)/mutmut run

bench: $(BIN)/.dev ## measure, in pairs: JSON and a table
	@$(BIN)/python -m benchmarks
