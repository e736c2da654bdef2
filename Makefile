# Needs Python 3.11 or newer and make; everything else is installed into .venv, locked by hash.

PYTHON ?= python3
CONFIG ?=
TESTS ?= tests
BENCH ?=
FUZZ ?=
SECONDS ?= 180
SOAK ?= 1800

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
INSTALL := $(PIP) install --require-hashes --only-binary :all: -r
INSTALL_US := $(PIP) install --no-index --no-deps --no-build-isolation --editable .

# A development environment can do all that a run-time one can.
RUN := $(if $(wildcard $(VENV)/dev.stamp),$(VENV)/dev.stamp,$(VENV)/run.stamp)
DEV := $(VENV)/dev.stamp

# Without byte code each of our processes compiles everything anew: a second of start-up.
unexport PYTHONDONTWRITEBYTECODE
COMPILE := $(BIN)/python -m compileall -q schemas postroad services projections

.PHONY: help demo up test check chaos soak bench fuzz clean
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

help:
	@echo 'make demo              see a post travel to three mailboxes, on this machine alone'
	@echo 'make up CONFIG=FILE    run everything, with your settings'
	@echo 'make test              every test that needs no root (TESTS=tests/unit for some)'
	@echo 'make check             format, lint, types, imports'
	@echo 'make chaos             every fault, every round'
	@echo 'make soak              something breaks every 30 seconds, for half an hour (SOAK=1800)'
	@echo 'make bench             measure; writes build/bench.json (BENCH=posts for one scenario)'
	@echo 'make fuzz              make up hostile mail (FUZZ=headers for one target, SECONDS=180 each)'
	@echo 'make clean             remove what make made (.venv, build, caches); never your state'

demo: $(RUN)
	@$(BIN)/postroad demo

up: $(RUN)
	@$(BIN)/postroad up $(if $(CONFIG),--config '$(CONFIG)')

test: $(DEV)
	@$(BIN)/python -m pytest -m 'not bench and not soak' -p tests.workers --workers 7 $(TESTS)

check: $(DEV)
	@$(BIN)/ruff format --check --quiet . || { echo 'run: $(BIN)/ruff format .' >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

chaos: $(DEV)
	@POSTROAD_CHAOS=all $(BIN)/python -m pytest -v -m 'chaos or soak' tests/chaos tests/e2e

soak: $(DEV)
	@POSTROAD_SOAK=$(SOAK) $(BIN)/python -m pytest -q -s -m soak tests/chaos/test_soak.py

bench: $(DEV)
	@mkdir -p build
	@$(BIN)/python -m tests.bench $(BENCH)

fuzz: $(VENV)/fuzz.stamp
	@$(BIN)/python -m tests.fuzz $(FUZZ) --seconds $(SECONDS)

clean:
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find schemas postroad services projections tests -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/made.stamp:
	@command -v '$(PYTHON)' >/dev/null || { \
	  echo "Postroad needs Python 3.11 or newer, and there is no '$(PYTHON)' here;" \
	       "install it, or name yours: make demo PYTHON=/path/to/python3" >&2; exit 1; }
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Postroad needs Python 3.11 or newer; '$(PYTHON)' is $$('$(PYTHON)' -V 2>&1);" \
	       "install it, or name a newer one: make demo PYTHON=python3.12" >&2; exit 1; }
	@'$(PYTHON)' -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' has no venv module; on Debian and Ubuntu: apt install python3-venv" >&2; \
	  exit 1; }
	@'$(PYTHON)' -m venv $(VENV)
	@touch $@

$(VENV)/run.stamp: $(VENV)/made.stamp requirements/run.txt pyproject.toml
	@echo 'installing what Postroad needs into $(VENV) (once)'
	@$(INSTALL) requirements/run.txt
	@$(INSTALL_US)
	@$(COMPILE)
	@touch $@

$(VENV)/dev.stamp: $(VENV)/made.stamp requirements/dev.txt pyproject.toml
	@echo 'installing what development needs into $(VENV) (once)'
	@$(INSTALL) requirements/dev.txt
	@$(INSTALL_US)
	@$(COMPILE)
	@touch $@

$(VENV)/fuzz.stamp: $(DEV) requirements/fuzz.txt
	@$(INSTALL) requirements/fuzz.txt
	@touch $@
