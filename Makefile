# Everything from a bare clone: needs make and Python 3.9 or newer, nothing else.
# SPDX-License-Identifier: GPL-2.0-or-later
#
#   make test       set everything up, then lint, type-check and run the tests
#   make test-long  the same with all the long sweeps: an hour, rather than minutes
#   make demo       set everything up, then run hg commands with and without fastrevlog
#   make mutants    break the engine in small ways, and see whether a test minds
#   make coverage   which lines and branches of the package the tests run
#   make matrix     the tests on every supported Mercurial and every Python found
#   make release-check  build what would be published, and try it as a user would
#
# PYTHON     the interpreter to make the environment from
# VENV       where the environment is made
# MERCURIAL  the Mercurial to test with, as pip takes it (mercurial==7.0.3)
# ARGS       more arguments for pytest, or for the demo
# MUTANTS    options of `make mutants`: --mutants 300 --seed 1 --jobs 2
# JOBS       how many tests run at a time (auto: as many as there are processors)

PYTHON ?= python3
VENV ?= .venv
MERCURIAL ?= mercurial>=7.0,<7.3
ARGS ?=
JOBS ?= auto
MUTANTS ?=

BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check
PYTEST = $(BIN)/python -m pytest --numprocesses=$(JOBS) --dist=loadscope

.PHONY: help test test-long test-slow demo mutants coverage matrix release-check lint types \
  pytest format clean

help:
	@sed -n 's/^#   //p' Makefile

# The types are checked beside the first tests.
test: $(VENV)/.tools
	$(MAKE) --no-print-directory --jobs=2 lint types pytest

test-long: lint types pytest test-slow mutants

demo: $(VENV)/.project
	$(BIN)/python -m demo $(ARGS)

matrix: $(VENV)/.tools
	$(PIP) install --quiet nox
	$(BIN)/nox $(ARGS)

lint: $(VENV)/.tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.tools
	$(BIN)/mypy

pytest: $(VENV)/.tools
	$(PYTEST) $(ARGS)

# What `make test` leaves out, and only that.
test-slow: $(VENV)/.tools
	$(PYTEST) -m slow $(ARGS)

mutants: $(VENV)/.tools
	$(PIP) install --quiet 'cosmic-ray>=8.3' 'coverage>=7.6'
	$(BIN)/python -m support.mutation $(MUTANTS)

coverage: $(VENV)/.tools
	$(PIP) install --quiet 'coverage>=7.6'
	$(BIN)/python -m support.coverage $(PYTEST) $(ARGS)

release-check: $(VENV)/.tools
	$(PIP) install --quiet twine
	$(BIN)/python -m support.release $(ARGS)

format: $(VENV)/.tools
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .cache .demo .conformance .nox build dist *.egg-info
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage*

# The environment. Only a pip older than 21.3 is replaced: it knows no pyproject.toml.
$(BIN)/pip:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 9) and "Python 3.9 or newer is needed")'
	$(PYTHON) -m venv $(VENV) || { echo 'Debian and Ubuntu: apt-get install python3-venv'; exit 1; }
	$(BIN)/python -c 'import pip; assert [*map(int, pip.__version__.split(".")[:2])] >= [21, 3]' \
	  2>/dev/null || $(PIP) install --quiet --upgrade pip

# Mercurial and the project, which runs from this folder.
$(VENV)/.project: pyproject.toml setup.py hgext3rd/fastrevlog/metadata.py | $(BIN)/pip
	$(PIP) install --quiet '$(MERCURIAL)' --editable .
	touch $@

# ... and what the tests need.
$(VENV)/.tools: pyproject.toml setup.py hgext3rd/fastrevlog/metadata.py | $(BIN)/pip
	$(PIP) install --quiet '$(MERCURIAL)' --editable '.[dev]'
	touch $(VENV)/.project $@
