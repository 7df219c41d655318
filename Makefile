# `make demo` and `make test` ask for Python 3.11, Java 17 or later, and make; all else goes to .venv.

PYTHON ?= python3.11
JAVA := $(if $(JAVA_HOME),$(JAVA_HOME)/bin/java,java)
BIN := .venv/bin
UNIT := not spark and not mlflow and not postgres
PARALLEL := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.NOTPARALLEL: # Java is checked before anything else starts
.PHONY: help demo ui test lint format typecheck schema constraints clean java

help: ## List what can be made
	@sed -nE 's/^([a-z%-]+):.* ## (.*)/make \1@\2/p' Makefile | tr '@' '\t' | expand -t 20

demo: java .venv/demo ## Train, judge, promote and use a model for every store and department of a grocer
	@$(BIN)/many-models demo

ui: java .venv/demo ## Open Dagster on what the demo made
	@$(BIN)/many-models ui

test: java .venv/dev ## Run all tests, those that take seconds first
	$(BIN)/pytest -m '$(UNIT)'
	$(BIN)/pytest $(PARALLEL) -m 'not ($(UNIT))'

lint: .venv/dev ## Check style, imports and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: .venv/dev ## Mend what lint would complain of, where a machine can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

typecheck: .venv/dev ## Check types
	$(BIN)/mypy

schema: .venv/dev ## Write docs/results/schema.md anew from the declaration of tables and views
	$(BIN)/python -m many_models.core.result_tables.schema_page docs/results/schema.md

bench-%: java benchmarks/%.py .venv/dev ## Run benchmarks/%.py; JSON=PATH writes its numbers to a file
	PYTHONPATH=. $(BIN)/python benchmarks/$*.py $(if $(JSON),--json $(JSON))

clean: ## Remove .venv and caches, but not .many_models, which holds what you trained
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- The environment: made anew whenever pyproject.toml or constraints.txt changes ---------------

java:
	@version=$$("$(JAVA)" -version 2>&1 | sed -nE 's/.* version "(1\.)?([0-9]+).*/\2/p' | head -n 1); \
	[ "$${version:-0}" -ge 17 ] || { \
	  echo "Java 17 or later is needed, but '$(JAVA)' is $${version:+version }$${version:-not there}:" \
	    "install one (Debian: apt install openjdk-17-jre-headless, macOS: brew install openjdk@17)" \
	    "and let JAVA_HOME name its folder." >&2; exit 1; }

.venv/created: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import ensurepip, sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || { \
	  echo "Python 3.11 with venv is needed, but '$(PYTHON)' is not that: install it (Debian: apt" \
	    "install python3.11-venv, macOS: brew install python@3.11) or name it: make PYTHON=PATH." >&2; \
	  exit 1; }
	@$(PYTHON) -m venv --clear .venv
	@touch $@

.venv/demo: .venv/created
	@echo "Installing into .venv: a minute or two, the first time."
	@$(INSTALL) '.[demo]'
	@touch $@

.venv/dev: .venv/demo
	@$(INSTALL) '.[demo,dev]'
	@touch $@

constraints: ## Choose the newest versions that pyproject.toml allows
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --editable '.[demo,dev]'
	echo '# Written by `make constraints`; what pyproject.toml allows, at the versions we test.' > constraints.txt
	$(BIN)/python -m pip freeze --exclude-editable >> constraints.txt
	touch .venv/created .venv/demo .venv/dev
