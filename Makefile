# Everything from a bare clone: needs make and Python 3.9 or newer, nothing else.
# SPDX-License-Identifier: GPL-2.0-or-later
#
#   make test    set everything up, then lint, type-check and run all tests
#   make demo    set everything up, then run hg commands with and without fastrevlog
#   make matrix  the tests on every supported Mercurial and every Python found
#
# PYTHON     the interpreter to make the environment from
# VENV       where the environment is made
# MERCURIAL  the Mercurial to test with, as pip takes it (mercurial==7.0.3)
# ARGS       more arguments for pytest, or for the demo

PYTHON ?= python3
VENV ?= .venv
MERCURIAL ?= mercurial>=7.0,<7.3
ARGS ?=

BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help test demo matrix lint types pytest format clean

help:
	@sed -n 's/^#   //p' Makefile

test: lint types pytest

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
	$(BIN)/python -m pytest $(ARGS)

format: $(VENV)/.tools
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .cache .demo .conformance .nox build dist *.egg-info
	rm -rf .mypy_cache .pytest_cache .ruff_cache

# The environment with Mercurial and the project, which runs from this folder.
$(VENV)/.project: pyproject.toml setup.py hgext3rd/fastrevlog/metadata.py
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 9) and "Python 3.9 or newer is needed")'
	$(PYTHON) -m venv $(VENV) || { echo 'Debian and Ubuntu: apt-get install python3-venv'; exit 1; }
	$(PIP) install --quiet --upgrade pip
	$(PIP) install --quiet '$(MERCURIAL)' --editable .
	touch $@

# ... and what the tests need.
$(VENV)/.tools: $(VENV)/.project
	$(PIP) install --quiet '$(MERCURIAL)' --editable '.[dev]'
	touch $@
