.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
export PATH := $(CURDIR)/.tools/bin:$(CURDIR)/$(BIN):$(PATH)

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

demo: .venv/.embedded ## a registry on 127.0.0.1:5000 with a real well in it (ONCE=1: end when done)
	@$(BIN)/python -m dataforge_registry.registry.demo
test: .venv/.dev ## the whole suite on real PostgreSQL (ARGS="tests/core -x": a part of it)
	@$(BIN)/python -m pytest $(ARGS)
lint: .venv/.dev ## style, types and import rules
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports
tools: ## the foreign programs of tests and bench: oras, crane, regctl, skopeo, wrk ... (apt-get only as root)
	@bash .ci/tools.sh
example: .venv/.dev ## docs/example.md run on a real server; its pictures drawn anew
	@DFR_DRAW=1 $(BIN)/python -m pytest tests/test_example.py $(ARGS)
conformance: .venv/.dev ## the official OCI suite against both engines, with its counts
	@$(BIN)/python -m pytest tests/clients/test_conformance.py -rP $(ARGS)
bench: .venv/.dev ## side by side with distribution and docker-registry (ARGS=--quick); writes bench/RESULTS.md
	@$(BIN)/python bench/run.py $(ARGS)
check: lint test ## what a change must pass
clean: ## remove what make made; the demo's data stays
	rm -rf .venv .tools build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
.PHONY: help demo test lint tools example conformance bench check clean

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("$(PYTHON) is Python %d.%d and 3.11 is needed: make PYTHON=python3.12 ..." % v[:2])'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make environments (no ensurepip): install its venv package (Debian: apt-get install python3-venv) or name another: make PYTHON=... " >&2; exit 1; }
	$(PYTHON) -m venv .venv
.venv/.dev: pyproject.toml constraints.txt | $(BIN)/pip
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]' -c constraints.txt
	@touch $@ .venv/.embedded
.venv/.embedded: pyproject.toml constraints.txt | $(BIN)/pip
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[embedded,plot]' -c constraints.txt
	@touch $@
